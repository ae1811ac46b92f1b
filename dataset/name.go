package dataset

import (
	"strings"
	"unicode/utf8"
)

// EscapeName makes a file name UTF-8, as Parquet, Arrow and JSON need it. A name that is UTF-8 stays as it is. In any
// other, each byte that is not part of a character becomes %XX, and % becomes %25, so that the name can be had back.
func EscapeName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r == '%' || r == utf8.RuneError && size == 1 {
			b.Write([]byte{'%', hex[name[i]>>4], hex[name[i]&15]})
			i++
			continue
		}
		b.WriteString(name[i : i+size])
		i += size
	}
	return b.String()
}
