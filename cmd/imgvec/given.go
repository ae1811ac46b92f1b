package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// given are the values of flags in the words in which they were given. A client asks for a server by them: one that
// starts a server with --max-bytes 1048576 must find that value in it, and not 1MiB. Flags that were not given have
// their defaults; those that were given several times have their values joined by commas.
func given(flags *pflag.FlagSet, names, args []string) (map[string]string, error) {
	texts := map[string][]string{}
	err := flags.ParseAll(args, func(flag *pflag.Flag, text string) error {
		texts[flag.Name] = append(texts[flag.Name], text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range names {
		flag := flags.Lookup(name)
		_, list := flag.Value.(pflag.SliceValue)
		switch all := texts[name]; {
		case len(all) > 0 && list:
			values[name] = strings.Join(all, ",")
		case len(all) > 0:
			values[name] = all[len(all)-1]
		case list:
			values[name] = ""
		default:
			values[name] = flag.DefValue
		}
	}
	return values, nil
}

// flagNames are the names of a set's flags.
func flagNames(flags *pflag.FlagSet) []string {
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}
