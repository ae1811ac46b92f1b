package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
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
	start        time.Time

	mu       sync.Mutex
	failures map[string]*failure
}

// failure is the images that failed for one kind of reason.
type failure struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
	ID     string `json:"first_id"`
	Error  string `json:"first_error"`
}

func newTally() *tally { return &tally{start: time.Now(), failures: map[string]*failure{}} }

func (t *tally) add(r *imgvec.Result) {
	t.done.Add(1)
	if r.Err == nil {
		return
	}
	t.failed.Add(1)
	kind := kindOf(r.Err)
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.failures[kind]
	if f == nil {
		f = &failure{Reason: kind, ID: r.ID, Error: firstError(r.Err)}
		t.failures[kind] = f
	}
	f.Count++
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
	if why := oneLine(strings.TrimPrefix(f.Error, f.Reason+": ")); why != f.ID {
		text += ": " + why
	}
	return text
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// reasons are the groups of failures, the largest first.
func (t *tally) reasons() []failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []failure{}
	for _, f := range t.failures {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b failure) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason)) })
	return out
}
