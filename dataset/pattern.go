package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// pattern is the components of a path pattern after its fixed beginning. "**" stands for any number of folders, also
// none; at the end it stands for all files below. In a component, *, ? and [...] are path.Match's. Names that start
// with a dot are matched only by a component that starts with one.
type pattern []string

func isPattern(arg string) bool { return strings.ContainsAny(arg, "*?[") }

// splitPattern parts a pattern into the folder where the walk starts ("" is the working folder) and the rest.
func splitPattern(arg string) (root string, rest pattern) {
	parts := strings.Split(arg, "/")
	i := slices.IndexFunc(parts, isPattern)
	root = strings.Join(parts[:i], "/")
	if i == 1 && parts[0] == "" {
		root = "/"
	}
	for _, part := range parts[i:] {
		if part != "" && part != "." && (part != "**" || len(rest) == 0 || rest[len(rest)-1] != "**") {
			rest = append(rest, part)
		}
	}
	if rest[len(rest)-1] == "**" {
		rest = append(rest, "*")
	}
	return root, rest
}

// check tells whether every component can be matched.
func (p pattern) check() error {
	for _, part := range p {
		if _, err := path.Match(part, ""); err != nil {
			if i := strings.LastIndexByte(part, '['); i >= 0 && !strings.Contains(part[i:], "]") {
				return fmt.Errorf("the bracket of %q is not closed", part[i:])
			}
			return fmt.Errorf("%q can't be understood ([a-z] is one of some letters; a backslash takes the next one as it is)", part)
		}
	}
	return nil
}

// states are the positions of a pattern that a path may have come to; a path of the pattern's own length has matched.
type states []int

// start is the states before the first component.
func (p pattern) start() states { return p.closure(nil, 0) }

// closure adds position i, and what ** lets it skip to.
func (p pattern) closure(s states, i int) states {
	for !slices.Contains(s, i) {
		s = append(s, i)
		if i < len(p) && p[i] == "**" {
			i++
		}
	}
	return s
}

// next is the states after one more component; empty where no path that starts so can match.
func (p pattern) next(s states, name string) states {
	hidden := strings.HasPrefix(name, ".")
	var out states
	for _, i := range s {
		switch {
		case i == len(p):
		case p[i] == "**":
			if !hidden {
				out = p.closure(out, i)
			}
		case hidden && !strings.HasPrefix(p[i], "."):
		default:
			if ok, _ := path.Match(p[i], name); ok {
				out = p.closure(out, i+1)
			}
		}
	}
	return out
}

// matched tells whether a path with these states is one that the pattern names.
func (p pattern) matched(s states) bool { return slices.Contains(s, len(p)) }

// open tells whether paths below can still match.
func (p pattern) open(s states) bool {
	return slices.ContainsFunc(s, func(i int) bool { return i < len(p) })
}

// deep tells whether the walk is inside a **, where links can lead it in circles.
func (p pattern) deep(s states) bool {
	return slices.ContainsFunc(s, func(i int) bool { return i < len(p) && p[i] == "**" })
}
