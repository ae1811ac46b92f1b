package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// Endings of the names of files with many images in them, lower case.
var (
	tarEndings     = []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2"}
	parquetEndings = []string{".parquet", ".pq"}
	arrowEndings   = []string{".arrow", ".arrows", ".feather", ".ipc"}
)

func endsLike(name string, endings []string) bool {
	name = strings.ToLower(name)
	for _, end := range endings {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// isTable tells whether a name is that of an input with many images in it.
func isTable(name string) bool {
	return isTar(name) || isParquet(name) || endsLike(name, arrowEndings)
}

func isTar(name string) bool     { return endsLike(urlPath(name), tarEndings) }
func isParquet(name string) bool { return endsLike(urlPath(name), parquetEndings) }

// openTable makes an input of a file with many images. It is not looked into yet.
func (s *Source) openTable(b blob) input {
	in := s.newTable(b)
	s.know(in)
	return in
}

func (s *Source) newTable(b blob) input {
	if isTar(b.name) {
		return &shard{blob: b, members: chooseMembers(s.opts.ImageColumn, s.opts.KeepColumns), maxBytes: s.opts.MaxBytes, ignored: &s.ignored}
	}
	return &table{blob: b, choice: columnChoice{s.opts.ImageColumn, s.opts.IDColumn, s.opts.Objects}}
}

func (s *Source) know(in input) {
	switch in := in.(type) {
	case *shard:
		s.shards = append(s.shards, in)
	case *table:
		s.tables = append(s.tables, in)
	}
}

// settle looks into tables: into the first one, so that a wrong column is told before a model is loaded, and into all of
// them where columns are kept, whose types the output needs. A file that can't be read is left to its row.
func (s *Source) settle(ctx context.Context) error {
	keep := &keeping{names: s.opts.KeepColumns}
	for i, t := range s.tables {
		t.numbers = len(s.tables) == 1
		if i > 0 && len(keep.names) == 0 {
			continue
		}
		plan, err := t.prepare(ctx)
		if errors.Is(err, ErrUsage) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if err == nil {
			keep.columns = describeSchema(plan.schema)
			err = keep.add(t.id(), plan.schema, plan.own())
		}
		if errors.Is(err, ErrUsage) {
			return err
		}
	}
	if len(keep.names) == 0 {
		return nil
	}
	if len(s.shards) > 0 && keep.all() && len(s.tables) == 0 {
		return usagef(`imgvec: all columns ("*") can be kept of tables only: name the extensions of the archives' members, such as json,txt`)
	}
	if len(s.shards) > 0 {
		if err := keep.members(s.shards[0].id()); err != nil {
			return err
		}
	}
	kept, err := keep.finish()
	if err != nil {
		return err
	}
	s.kept = kept
	for _, t := range s.tables {
		t.kept = kept
	}
	for _, a := range s.shards {
		a.members.keep = kept.Names()
		a.kept = kept
	}
	return nil
}

// Kept is the columns that the outputs of this source's rows have beside their own; nil where none was asked for.
func (s *Source) Kept() *Kept { return s.kept }

func (s *Source) openFolder(ctx context.Context, dir string) ([]input, error) {
	t, err := s.openTree(tree{given: dir, root: dir, pattern: pattern{"**", "*"}})
	if err != nil {
		return nil, err
	}
	return s.imagesOrTables(ctx, t)
}

// imagesOrTables is a folder's images, or, where it has none, its tables and archives.
func (s *Source) imagesOrTables(ctx context.Context, t *tree) ([]input, error) {
	if some, err := t.any(ctx); some || err != nil {
		return []input{t}, err
	}
	tables, err := s.openTables(ctx, *t)
	if err != nil || len(tables) == 0 {
		return []input{t}, err
	}
	return tables, nil
}

func (s *Source) openPattern(ctx context.Context, arg string) ([]input, error) {
	root, rest := splitPattern(arg)
	if err := rest.check(); err != nil {
		return nil, usagef("imgvec: pattern %q: %v", arg, err)
	}
	if info, err := os.Stat(orDot(root)); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, usagef("imgvec: pattern %q: no folder %q", arg, root)
	}
	t, err := s.openTree(tree{given: arg, root: root, pattern: rest})
	if err != nil {
		return nil, err
	}
	if !isTable(rest[len(rest)-1]) {
		return s.imagesOrTables(ctx, t)
	}
	tables, err := s.openTables(ctx, *t)
	if err == nil && len(tables) == 0 {
		err = usagef("imgvec: pattern %q: no file has such a name", arg)
	}
	return tables, err
}

// openTables makes an input of each table and archive below a folder.
func (s *Source) openTables(ctx context.Context, t tree) (inputs []input, err error) {
	t.tables, t.ignored = true, new(atomic.Int64)
	w := walk{
		tree: &t, ctx: ctx, ignored: t.ignored,
		paths: func(path string) bool { inputs = append(inputs, s.openTable(blob{name: path})); return true },
		yield: func(item imgvec.Item) bool { inputs = append(inputs, broken{item}); return true }, // a folder that can't be read
	}
	_, err = w.start()
	return inputs, err
}

// broken is an input that is one failed row.
type broken struct{ item imgvec.Item }

func (b broken) each(_ context.Context, yield func(imgvec.Item) bool) (bool, error) {
	return yield(b.item), nil
}
func (b broken) count(context.Context) (int64, bool, error)  { return 1, true, nil }
func (b broken) any(context.Context) (bool, error)           { return true, nil }
func (b broken) sign(ctx context.Context, w io.Writer) error { return signItems(ctx, b, w) }

// maxBraces bounds what an argument with braces stands for.
const maxBraces = 100_000

// openBraces makes inputs of a shell's choice, {a,b}, and of a range as WebDataset's users write it, {000..099}.
func (s *Source) openBraces(ctx context.Context, arg string) ([]input, error) {
	names, err := expandBraces(arg)
	if err != nil {
		return nil, err
	}
	var inputs []input
	for _, name := range names {
		more, err := s.open(ctx, name)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, more...)
	}
	return inputs, nil
}

// hasBraces tells whether a name has a choice or a range in it.
func hasBraces(arg string) bool {
	_, _, _, ok := cutBraces(arg)
	return ok
}

// cutBraces finds the first braces that hold a choice or a range.
func cutBraces(arg string) (before string, choices []string, after string, ok bool) {
	for from := 0; ; {
		open := strings.IndexByte(arg[from:], '{')
		if open < 0 {
			return "", nil, "", false
		}
		open += from
		end := strings.IndexByte(arg[open:], '}')
		if end < 0 {
			return "", nil, "", false
		}
		inside := arg[open+1 : open+end]
		choices = numberRange(inside)
		if choices == nil && strings.Contains(inside, ",") {
			choices = strings.Split(inside, ",")
		}
		if choices != nil {
			return arg[:open], choices, arg[open+end+1:], true
		}
		from = open + 1
	}
}

// numberRange is the numbers of "000..099", with as many digits as the longer end has; nil for what is no range.
func numberRange(text string) []string {
	from, to, found := strings.Cut(text, "..")
	if !found {
		return nil
	}
	a, err := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || a < 0 || b < 0 {
		return nil
	}
	width := 0
	if len(from) > 1 && from[0] == '0' || len(to) > 1 && to[0] == '0' {
		width = max(len(from), len(to))
	}
	step := 1
	if b < a {
		step = -1
	}
	var out []string
	for n := a; len(out) <= maxBraces; n += step {
		out = append(out, fmt.Sprintf("%0*d", width, n))
		if n == b {
			break
		}
	}
	return out
}

func expandBraces(arg string) ([]string, error) {
	before, choices, after, ok := cutBraces(arg)
	if !ok {
		return []string{arg}, nil
	}
	rest, err := expandBraces(after)
	if err != nil {
		return nil, err
	}
	if len(choices)*len(rest) > maxBraces {
		return nil, usagef("imgvec: %q stands for more than %d inputs", arg, maxBraces)
	}
	var out []string
	for _, c := range choices {
		for _, r := range rest {
			out = append(out, before+c+r)
		}
	}
	return out, nil
}
