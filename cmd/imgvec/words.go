package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// count writes a number with commas between its thousands.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// images writes "1 image failed", "1,234 images failed".
func images(n int64, what string) string {
	noun := "images"
	if n == 1 {
		noun = "image"
	}
	if what != "" {
		noun += " " + what
	}
	return count(n) + " " + noun
}

// bytesText writes a size for people: 51.2 MB.
func bytesText(n int64) string {
	units := []string{"kB", "MB", "GB", "TB"}
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.95 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

// duration writes a time for people: 0.8 s, 51 s, 12 min 3 s, 2 h 5 min.
func duration(d time.Duration) string {
	if d < 9950*time.Millisecond {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return wholeSeconds(d)
}

// wholeSeconds is duration without tenths, for a time that is only foretold.
func wholeSeconds(d time.Duration) string {
	switch s := int64(d.Round(time.Second).Seconds()); {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	default:
		return fmt.Sprintf("%s h %d min", count(s/3600), s%3600/60)
	}
}

// rate writes images a second: 0.84, 195, 12,345.
func rate(perSecond float64) string {
	switch {
	case perSecond <= 0:
		return "-"
	case perSecond < 10:
		return strconv.FormatFloat(perSecond, 'f', 2, 64)
	}
	return count(int64(perSecond + 0.5))
}

// files writes "1 file", "12 files".
func files(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return count(n) + " files"
}

// counted writes "1 read", "12 reads".
func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// quote puts a name in quotes where it would be misread without.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\"'") {
		return strconv.Quote(s)
	}
	return s
}

func quoted(names []string) string {
	const most = 3
	var out []string
	for _, name := range names[:min(len(names), most)] {
		out = append(out, strconv.Quote(name))
	}
	if rest := len(names) - most; rest > 0 {
		out = append(out, fmt.Sprintf("%d more", rest))
	}
	return listed(out)
}

// listed writes "a", "a and b", "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// shorten cuts a text that is too long for a summary, between words where there are any, and keeps it on one line.
func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	cut := string(runes[:most-1])
	if space := strings.LastIndexByte(cut, ' '); runes[most-1] != ' ' && space > len(cut)/2 {
		cut = cut[:space]
	}
	return strings.TrimRight(cut, " ,;:") + "…"
}

// plain is an error's text without the name of the library, which stands in it once for every layer.
func plain(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "imgvec: "), ": imgvec: ", ": ")
}

const red = "31"

// paint colours a text where a person sees colours.
func (a *app) paint(colour, text string) string {
	if !a.onTerminal() || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
