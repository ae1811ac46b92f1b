package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
)

// tally counts what becomes of the images of a run. One goroutine adds; any may read.
type tally struct {
	done, failed atomic.Int64
	total        atomic.Int64 // 0: not known (yet)
	before       int64        // of done: what earlier runs did
	start        time.Time
	retries      dataset.Retries

	mu       sync.Mutex // of what follows
	failures map[reason]*failure
	fresh    map[reason]*failure // since the last part
	parted   int64               // of done: up to there
}

// failure is the images that failed for one reason.
type failure struct {
	Reason   string   `json:"reason"` // the kind of it
	Detail   string   `json:"detail"` // its errors, without what differs from image to image
	Count    int64    `json:"count"`
	ID       string   `json:"first_id"`
	Error    string   `json:"first_error"`
	Examples []string `json:"example_ids"` // the first ones
}

// reason is what failures are counted by.
type reason struct{ kind, detail string }

// What is kept of failures does not grow with their number.
const (
	mostReasons  = 200 // the others of a kind are counted together
	mostExamples = 5   // ids for each reason
	topReasons   = 10  // in the summary
)

func newTally() *tally {
	return &tally{start: time.Now(), failures: map[reason]*failure{}, fresh: map[reason]*failure{}}
}

// partTally is what became of the images of one part of a run that can be resumed.
type partTally struct {
	Images   int64     `json:"images"`
	Failures []failure `json:"failures,omitempty"`
}

// part takes what was added since the last part.
func (t *tally) part() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	done := t.done.Load()
	p := partTally{done - t.parted, sorted(t.fresh)}
	t.parted, t.fresh = done, map[reason]*failure{}
	return p
}

// resume begins where earlier runs came to.
func (t *tally) resume(parts []json.RawMessage) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range parts {
		var p partTally
		if err := json.Unmarshal(text, &p); err != nil {
			return fmt.Errorf("read the counts of the interrupted run: %w", err)
		}
		t.done.Add(p.Images)
		for i := range p.Failures {
			t.failed.Add(p.Failures[i].Count)
			merge(t.failures, &p.Failures[i])
		}
	}
	t.before, t.parted = t.done.Load(), t.done.Load()
	return nil
}

// merge adds failures of one reason.
func merge(to map[reason]*failure, f *failure) {
	why := reason{f.Reason, f.Detail}
	have := to[why]
	if have == nil && len(to) >= mostReasons {
		why.detail = "other"
		have = to[why]
	}
	if have == nil {
		one := *f
		one.Detail, one.Examples = why.detail, slices.Clone(f.Examples)
		to[why] = &one
		return
	}
	have.Count += f.Count
	have.Examples = append(have.Examples, f.Examples[:min(len(f.Examples), mostExamples-len(have.Examples))]...)
}

func (t *tally) add(r *imgvec.Result) {
	t.done.Add(1)
	if r.Err == nil {
		return
	}
	t.failed.Add(1)
	f := &failure{Reason: kindOf(r.Err), Detail: detailOf(r.Err), Count: 1, ID: r.ID, Error: firstError(r.Err), Examples: []string{r.ID}}
	t.mu.Lock()
	defer t.mu.Unlock()
	merge(t.failures, f)
	merge(t.fresh, f)
}

// kinds are the reasons that failures are grouped by; the errors themselves differ from image to image.
var kinds = []struct {
	err  error
	name string
}{
	{imgvec.ErrTooLarge, "too large"},
	{imgvec.ErrDecode, "not decodable"},
	{fs.ErrNotExist, "no such file"},
	{fs.ErrPermission, "no permission to read"},
	{syscall.EISDIR, "a folder, not a file"},
	{dataset.ErrNotRegular, "not a regular file"},
}

func kindOf(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "other"
}

// oneKind are the kinds whose errors differ by nothing but the image's name.
var oneKind = []string{"no such file", "no permission to read", "a folder, not a file", "not a regular file"}

var (
	inQuotes = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	numbers  = regexp.MustCompile(`\b[0-9a-f]{2}( [0-9a-f]{2})+\b|0x[0-9a-f]+|[0-9][0-9,.]*`) // bytes, hexadecimal, decimal
)

// detailOf is an image's error without what is this image's alone: names in quotes and numbers. What stands behind the last colon
// and is a path is a name too.
func detailOf(err error) string {
	if slices.Contains(oneKind, kindOf(err)) {
		return ""
	}
	text := oneLine(firstError(err))
	if i := strings.LastIndex(text, ": "); i >= 0 && strings.Contains(text[i:], "/") {
		text = text[:i]
	}
	return shorten(numbers.ReplaceAllString(inQuotes.ReplaceAllString(text, `"…"`), "N"), 200)
}

// imageError is an image's error without the image's name and the words of the library.
func imageError(err error) string {
	var one *imgvec.ImageError
	if errors.As(err, &one) {
		err = one.Err
	}
	return strings.TrimPrefix(err.Error(), "imgvec: ")
}

// firstError is what a group of failures says of its first: without what the group's name says.
func firstError(err error) string {
	text := imageError(err)
	for _, k := range kinds {
		text = strings.TrimPrefix(text, k.err.Error()+": ")
	}
	return text
}

// line tells a person of the failures: what the reason and the name say is not said again.
func (f *failure) line() string {
	text := fmt.Sprintf("%s %s: ", count(f.Count), f.Reason)
	if f.Count > 1 {
		text += "first "
	}
	text += quote(f.ID)
	why := strings.TrimPrefix(strings.TrimPrefix(f.Error, f.Reason+": "), f.ID+": ")
	if why = oneLine(strings.TrimSuffix(why, ": "+f.ID)); why != f.ID {
		text += ": " + why
	}
	return text
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// reasons are the groups of failures, the largest first.
func (t *tally) reasons() []failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	return sorted(t.failures)
}

func sorted(failures map[reason]*failure) []failure {
	out := []failure{}
	for _, f := range failures {
		one := *f
		one.Examples = slices.Clone(f.Examples)
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
	return out
}
