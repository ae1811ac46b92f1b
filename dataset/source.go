package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	// For inputs with many images each: tables and archives.
	ImageColumn string   // of tables, or the extensions of archives' members ("jpg;png"); "" is found by name and type
	IDColumn    string   // of tables; "" numbers the rows
	KeepColumns []string // that go on to the output, of archives by their members' extension; "*" alone is all of tables
	MaxBytes    int64    // of a member of an archive; 0: 64 MiB
	ReadAhead   int64    // encoded bytes that are read before they are asked for; 0: 64 MiB, negative: none
}

const (
	defaultMaxBytes  = 64 << 20
	defaultReadAhead = 64 << 20
)

// Source is the inputs of a run, in order. Its methods may be called at the same time, but Items only once.
type Source struct {
	opts    SourceOptions
	inputs  []input
	tables  []*table // of inputs
	shards  []*shard // of inputs
	kept    *Kept
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

// Open is OpenContext without a context.
func Open(inputs []string, opts SourceOptions) (*Source, error) {
	return OpenContext(context.Background(), inputs, opts)
}

// OpenContext makes a source of inputs, each a file, a folder (walked), a pattern with *, ?, [...], ** (the whole path) or
// {a,b} and {000..099}, a tar archive, a Parquet or Arrow file, a URL, @FILE (one path a line) or - (the same from
// standard input). Nothing is read yet but what tells them apart, and the columns of tables. Errors that are the
// caller's to mend are ErrUsage.
func OpenContext(ctx context.Context, inputs []string, opts SourceOptions) (*Source, error) {
	if len(inputs) == 0 {
		return nil, usagef("imgvec: no INPUT given (a file, a folder, a pattern, @LIST or -)")
	}
	if err := checkKeep(opts.KeepColumns); err != nil {
		return nil, err
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = defaultMaxBytes
	}
	if opts.ReadAhead == 0 {
		opts.ReadAhead = defaultReadAhead
	}
	s := &Source{opts: opts}
	for _, arg := range inputs {
		more, err := s.open(ctx, arg)
		if err != nil {
			return nil, err
		}
		s.inputs = append(s.inputs, more...)
	}
	return s, s.settle(ctx)
}

// open makes inputs of an argument: one, or those that a pattern or a folder of tables stands for.
func (s *Source) open(ctx context.Context, arg string) ([]input, error) {
	switch {
	case arg == "":
		return nil, usagef("imgvec: an INPUT is empty")
	case arg == "-":
		return only(s.openStdin())
	case strings.HasPrefix(arg, "@"):
		return only(openList(arg[1:], s.opts.Objects))
	case hasBraces(arg) && !exists(arg):
		return s.openBraces(ctx, arg)
	case IsURL(arg):
		return s.openRemote(ctx, arg)
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return s.openFolder(ctx, arg)
	case err == nil && isTable(arg):
		return []input{s.openTable(blob{name: arg})}, nil
	case err == nil:
		return only(file(arg), nil)
	case isPattern(arg) && !exists(arg):
		return s.openPattern(ctx, arg)
	case errors.Is(err, fs.ErrNotExist) && !isImage(arg):
		return nil, usagef("imgvec: %q: no such file or folder", arg)
	case isTable(arg):
		return []input{s.openTable(blob{name: arg})}, nil
	}
	return only(file(arg), nil)
}

func only(in input, err error) ([]input, error) {
	if err != nil {
		return nil, err
	}
	return []input{in}, nil
}

func (s *Source) openStdin() (input, error) {
	for _, in := range s.inputs {
		if l, ok := in.(*list); ok && l.stdin != nil {
			return nil, usagef(`imgvec: INPUT "-" is given twice`)
		}
	}
	r := s.opts.Stdin
	if r == nil {
		r = os.Stdin
	}
	return newStdinList(r, s.opts.Objects), nil
}

// exists is true for a dangling link too: what stands in a folder under that very name is no pattern.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
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
