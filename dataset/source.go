package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// ErrUsage marks an error that the caller can mend by asking for something else: an input that does not exist, an
// output whose format is unknown, a file that is already there.
var ErrUsage = errors.New("wrong usage")

// usageError is words for a person; it is ErrUsage to errors.Is.
type usageError string

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

func (e usageError) Error() string        { return string(e) }
func (e usageError) Is(target error) bool { return target == ErrUsage }

// SourceOptions are the options of Open. The zero value is the default.
type SourceOptions struct {
	Stdin   io.Reader   // where the input "-" reads paths; nil is os.Stdin
	Objects ObjectStore // what reads inputs that are URLs; nil: they are refused
}

// Source is the inputs of a run, in order. Its methods may be called at the same time, but Items only once.
type Source struct {
	inputs  []input
	ignored atomic.Int64
	err     error
}

// input is one INPUT argument: a file, a folder, a pattern or a list of paths.
type input interface {
	// each yields the items of the input until yield returns false, which each then returns. The error is fatal: what
	// concerns one item alone is that item's, and shows when it is opened.
	each(ctx context.Context, yield func(imgvec.Item) bool) (more bool, err error)
	// count is the number of items that each will yield; known is false where only reading them tells.
	count(ctx context.Context) (n int64, known bool, err error)
	// sign writes what tells this input from another: it is the same for two runs that would get the same items. An input
	// that can't be read twice is ErrUsage.
	sign(ctx context.Context, w io.Writer) error
	// any tells whether each will yield anything.
	any(ctx context.Context) (bool, error)
}

// Open makes a source of inputs, each a file, a folder (walked), a pattern with *, ?, [...] or ** (the whole path),
// @FILE (one path a line) or - (the same from standard input). Nothing is read yet but what tells them apart. Errors
// that are the caller's to mend are ErrUsage.
func Open(inputs []string, opts SourceOptions) (*Source, error) {
	if len(inputs) == 0 {
		return nil, usagef("imgvec: no INPUT given (a file, a folder, a pattern, @LIST or -)")
	}
	s := &Source{}
	for _, arg := range inputs {
		in, err := s.open(arg, opts)
		if err != nil {
			return nil, err
		}
		s.inputs = append(s.inputs, in)
	}
	return s, nil
}

func (s *Source) open(arg string, opts SourceOptions) (input, error) {
	switch {
	case arg == "":
		return nil, usagef("imgvec: an INPUT is empty")
	case arg == "-":
		return s.openStdin(opts)
	case strings.HasPrefix(arg, "@"):
		return openList(arg[1:], opts.Objects)
	case IsURL(arg):
		return s.openURL(arg, opts.Objects)
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return s.openFolder(arg)
	case isTable(arg):
		return nil, usagef("imgvec: %q: reading tar shards and tables is not supported yet: give a folder, files or a list of paths", arg)
	case err == nil:
		return file(arg), nil
	case hasBraces(arg) && !exists(arg):
		return nil, usagef("imgvec: %q: braces are not understood in patterns: leave them to the shell (without the quotes), or give one pattern for each", arg)
	case isPattern(arg) && !exists(arg):
		return s.openPattern(arg)
	case errors.Is(err, fs.ErrNotExist) && !isImage(arg):
		return nil, usagef("imgvec: %q: no such file or folder", arg)
	}
	return file(arg), nil
}

func (s *Source) openStdin(opts SourceOptions) (input, error) {
	for _, in := range s.inputs {
		if l, ok := in.(*list); ok && l.stdin != nil {
			return nil, usagef(`imgvec: INPUT "-" is given twice`)
		}
	}
	r := opts.Stdin
	if r == nil {
		r = os.Stdin
	}
	return newStdinList(r, opts.Objects), nil
}

// exists is true for a dangling link too: what stands in a folder under that very name is no pattern.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Items yields every input in order. It ends early when ctx is done or the inputs can't be read on; Err tells which.
func (s *Source) Items(ctx context.Context) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for _, in := range s.inputs {
			more, err := in.each(ctx, yield)
			if err != nil {
				s.err = err
				return
			}
			if !more {
				return
			}
		}
	}
}

// Err is what ended Items before the end of the inputs; nil where it came to the end or was broken off by its caller.
// It may be asked when Items is done.
func (s *Source) Err() error { return s.err }

// Count looks through the inputs without opening an image. known is false where a part is read from standard input.
func (s *Source) Count(ctx context.Context) (n int64, known bool, err error) {
	known = true
	for _, in := range s.inputs {
		part, ok, err := in.count(ctx)
		if err != nil {
			return 0, false, err
		}
		n += part
		known = known && ok
	}
	return n, known, nil
}

// Any tells whether there is at least one input. It looks no further than the first, and waits for standard input
// where that comes first.
func (s *Source) Any(ctx context.Context) (bool, error) {
	for _, in := range s.inputs {
		if found, err := in.any(ctx); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// Ignored is how many files of folders and patterns Items has passed by so far because their names are no image's.
func (s *Source) Ignored() int64 { return s.ignored.Load() }
