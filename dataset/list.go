package dataset

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/imgvec/imgvec"
)

// maxPath is the longest line of a list that is taken for a path; Linux itself takes 4096 bytes.
const maxPath = 64 << 10

// stdinName is what errors call the list of standard input.
const stdinName = "standard input"

// list is paths, one a line: of a file, or of standard input. Empty lines are skipped, a carriage return at the end of
// a line and a byte order mark are dropped. Relative paths start at the working folder, not at the list's.
type list struct {
	path    string
	stdin   *bufio.Reader // nil for a file
	objects ObjectStore   // what reads lines that are URLs
}

func openList(path string, objects ObjectStore) (*list, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("imgvec: no list %q (for a file whose name starts with @, write ./@...)", path)
	case err != nil:
		return nil, fmt.Errorf("imgvec: read list: %w", err)
	case info.IsDir():
		return nil, usagef("imgvec: list %q is a folder; without the @ it is walked", path)
	}
	return &list{path: path, objects: objects}, nil
}

func newStdinList(r io.Reader, objects ObjectStore) *list {
	return &list{path: stdinName, stdin: bufio.NewReaderSize(r, maxPath), objects: objects}
}

func (l *list) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	give := func(path string) bool { return yield(l.item(ctx, path)) }
	if l.stdin != nil {
		return l.wait(ctx, give)
	}
	return l.lines(ctx, give)
}

// item is the item of a line. Without a store a URL is a path like any other, and no such file.
func (l *list) item(ctx context.Context, line string) imgvec.Item {
	if l.objects != nil && IsURL(line) {
		return objectItem(ctx, l.objects, line)
	}
	return fileItem(line)
}

// wait is lines for an input that may keep us waiting: it ends when ctx does. The goroutine that reads ends with it, or
// with the next line; nothing can break off a read of standard input.
func (l *list) wait(ctx context.Context, yield func(path string) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	paths, failed := make(chan string), make(chan error, 1)
	go func() {
		_, err := l.lines(ctx, func(path string) bool {
			select {
			case paths <- path:
				return true
			case <-ctx.Done():
				return false
			}
		})
		failed <- err
	}()
	for {
		select {
		case path := <-paths:
			if !yield(path) {
				return false, nil
			}
		case err := <-failed:
			return err == nil, err
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (l *list) count(ctx context.Context) (int64, bool, error) {
	if l.stdin != nil {
		return 0, false, nil
	}
	if info, err := os.Stat(l.path); err == nil && !info.Mode().IsRegular() {
		return 0, false, nil // a pipe (<(find ...)) can be read once only
	}
	var n int64
	_, err := l.lines(ctx, func(string) bool { n++; return true })
	return n, err == nil, err
}

func (l *list) any(ctx context.Context) (found bool, err error) {
	if l.stdin != nil {
		return anyLine(l.stdin)
	}
	if info, err := os.Stat(l.path); err == nil && !info.Mode().IsRegular() {
		return true, nil
	}
	_, err = l.lines(ctx, func(string) bool { found = true; return false })
	return found, err
}

// anyLine drops empty lines from r and tells whether something is left.
func anyLine(r *bufio.Reader) (bool, error) {
	for {
		head, err := r.Peek(1)
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("imgvec: read standard input: %w", err)
		}
		if head[0] != '\n' && head[0] != '\r' {
			head, _ = r.Peek(r.Buffered())
			return true, checkPaths(stdinName, head, true)
		}
		_, _ = r.Discard(1)
	}
}

func (l *list) lines(ctx context.Context, yield func(path string) bool) (more bool, err error) {
	r := l.stdin
	if r == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return false, fmt.Errorf("imgvec: read list: %w", err)
		}
		defer f.Close()
		r = bufio.NewReaderSize(f, maxPath)
	}
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		line, err := r.ReadSlice('\n')
		if err := checkPaths(l.path, line, number == 1); err != nil {
			return false, err
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return false, fmt.Errorf("imgvec: read list: %s: line %d is longer than %d bytes: it must hold one path a line", l.path, number, maxPath)
		}
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("imgvec: read list: %s: %w", l.path, err)
		}
		if path := trimLine(line, number); len(path) > 0 && !yield(string(path)) {
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
	}
}

// checkPaths refuses what a list is never made of, which is most often an image where its name was meant.
func checkPaths(list string, text []byte, first bool) error {
	if first && holdsImage(text) {
		name := "@" + list
		if list == stdinName {
			name = "-"
		}
		return usagef("imgvec: %s holds image data; %s expects paths, one a line", list, name)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return usagef("imgvec: %s: names are separated by newlines, not NUL", list)
	}
	return nil
}

// holdsImage goes by the first bytes of the formats that are decoded.
func holdsImage(text []byte) bool {
	for _, magic := range []string{"\xff\xd8\xff", "\x89PNG\r\n", "GIF87a", "GIF89a", "II*\x00", "MM\x00*"} {
		if bytes.HasPrefix(text, []byte(magic)) {
			return true
		}
	}
	nul := bytes.IndexByte(text, 0) >= 0
	return nul && (bytes.HasPrefix(text, []byte("RIFF")) || bytes.HasPrefix(text, []byte("BM")))
}

func trimLine(line []byte, number int) []byte {
	if number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
