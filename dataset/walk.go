package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// tree is a folder that is walked, or the part of it that a pattern names. Its files come in the byte-wise order of
// their full paths, as `LC_ALL=C sort` has them. Hidden files and folders are passed by, other files that are no images are counted as
// ignored.
type tree struct {
	given   string // as the caller wrote it, for errors
	root    string // "" is the working folder
	pattern pattern
	ignored *atomic.Int64
	tables  bool // files with many images are looked for, and not images
}

func (t *tree) takes(name string) bool {
	if t.tables {
		return isTable(name)
	}
	return isImage(name)
}

// openTree looks whether the folder can be listed at all: later that would only be one failed row.
func (s *Source) openTree(t tree) (*tree, error) {
	f, err := os.Open(orDot(t.root))
	if err == nil {
		_, err = f.ReadDir(1)
		_ = f.Close()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("imgvec: read folder: %w", err)
	}
	t.ignored = &s.ignored
	return &t, nil
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

func (t *tree) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	w := walk{tree: t, ctx: ctx, ignored: t.ignored, yield: yield}
	return w.start()
}

func (t *tree) count(ctx context.Context) (int64, bool, error) {
	w := walk{tree: t, ctx: ctx, ignored: new(atomic.Int64), counting: true}
	_, err := w.start()
	return w.n, err == nil, err
}

func (t *tree) sign(ctx context.Context, w io.Writer) error {
	twin := *t
	twin.ignored = new(atomic.Int64)
	return signItems(ctx, &twin, w)
}

func (t *tree) any(ctx context.Context) (found bool, err error) {
	w := walk{tree: t, ctx: ctx, ignored: new(atomic.Int64), counting: true, probing: true}
	_, err = w.start()
	return w.n > 0, err
}

// walk is one pass over a tree.
type walk struct {
	*tree
	ctx      context.Context
	ignored  *atomic.Int64
	yield    func(imgvec.Item) bool
	counting bool                   // only count: nothing is sorted, kept or yielded
	probing  bool                   // count no further than one
	paths    func(path string) bool // instead of yield, where not nil
	n        int64
	entered  []string // real paths of the root and of the folders that links led to
}

// entry is a name in a folder that the walk has to do with. A folder's key ends in "/", which is what makes the order
// of keys that of full paths.
type entry struct {
	key    string
	link   bool // a link to a folder
	states states
}

func (w *walk) start() (bool, error) {
	real, err := realPath(orDot(w.root))
	if err != nil {
		return false, fmt.Errorf("imgvec: read folder: %w", err)
	}
	w.entered = append(w.entered, real)
	return w.folder(w.root, real, w.pattern.start())
}

// folder walks one folder: path is its name for people, real its name without links.
func (w *walk) folder(path, real string, s states) (more bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	entries, err := w.list(path, s)
	if err != nil {
		return w.give(func() imgvec.Item { return brokenItem(path, fmt.Errorf("read folder: %w", err)) }), nil
	}
	if w.probing && w.n > 0 {
		return false, nil
	}
	for _, e := range entries {
		name, isDir := strings.CutSuffix(e.key, "/")
		full := join(path, name)
		if !isDir && w.paths != nil {
			more = w.paths(full)
		} else if !isDir {
			more = w.give(func() imgvec.Item { return fileItem(full) })
		} else if target, ok := w.enter(full, join(real, name), e); ok {
			more, err = w.folder(full, target, e.states)
		} else {
			continue
		}
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (w *walk) give(item func() imgvec.Item) (more bool) {
	w.n++
	return w.counting || w.yield(item())
}

// enter tells whether the walk goes into a folder, and the folder's real path. A link is followed unless the walk
// comes, or came, to its target anyway; so links that lead in circles end, and no picture is taken twice.
func (w *walk) enter(path, real string, e entry) (target string, ok bool) {
	if !e.link {
		return real, len(w.entered) == 1 || !slices.Contains(w.entered, real)
	}
	target, err := realPath(path)
	if err != nil {
		return "", false
	}
	if w.pattern.deep(e.states) {
		if slices.ContainsFunc(w.entered, func(root string) bool { return reaches(root, target) }) {
			return "", false
		}
		w.entered = append(w.entered, target)
	}
	return target, true
}

// reaches tells whether a walk from root comes to target by itself: it lies below and no folder on the way is hidden.
func reaches(root, target string) bool {
	below, ok := strings.CutPrefix(target, strings.TrimSuffix(root, "/"))
	return ok && (below == "" || below[0] == '/') && !strings.Contains(below, "/.")
}

// list reads a folder in parts, so that only names that matter are held.
func (w *walk) list(path string, s states) ([]entry, error) {
	f, err := os.Open(orDot(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries []entry
	for {
		part, err := f.ReadDir(1024)
		for _, d := range part {
			if e, ok := w.look(path, d, s); ok {
				entries = append(entries, e)
			}
		}
		if err == io.EOF || w.probing && w.n > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if !w.counting {
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	}
	return entries, nil
}

// look tells what the walk does with one directory entry.
func (w *walk) look(path string, d fs.DirEntry, s states) (e entry, ok bool) {
	name := d.Name()
	next := w.pattern.next(s, name)
	if len(next) == 0 {
		return entry{}, false
	}
	mode, link := d.Type(), false
	if mode&fs.ModeSymlink != 0 {
		mode, link = linkedMode(join(path, name))
	}
	switch {
	case mode.IsDir():
		return entry{key: name + "/", link: link, states: next}, w.pattern.open(next)
	case !w.pattern.matched(next):
		return entry{}, false
	case !w.takes(name) || !mode.IsRegular():
		w.ignored.Add(1)
		return entry{}, false
	case w.counting:
		w.n++
		return entry{}, false
	}
	return entry{key: name}, true
}

// linkedMode is the type of what a link leads to. A link to nowhere counts as a file: it becomes a row that says so.
func linkedMode(path string) (mode fs.FileMode, link bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, true
	}
	return info.Mode().Type(), true
}

func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// join puts a name behind a folder as the caller wrote it: "." stays in front, which filepath.Join would drop.
func join(dir, name string) string {
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}
