package dataset

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plant makes files (with their own path as content), folders (a trailing slash) and links (name -> target) in a fresh
// folder and goes there.
func plant(t *testing.T, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(name, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		if isLink {
			must(t, os.Symlink(target, name))
		} else {
			must(t, os.WriteFile(name, []byte(name), 0o644))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read gives the ids of a source of the inputs, after it has checked what Count and Any say.
func read(t *testing.T, opts SourceOptions, inputs ...string) (ids []string, ignored int64) {
	t.Helper()
	src, err := Open(inputs, opts)
	must(t, err)
	ctx := context.Background()
	n, known, err := src.Count(ctx)
	must(t, err)
	found, err := src.Any(ctx)
	must(t, err)
	for item := range src.Items(ctx) {
		ids = append(ids, item.ID)
	}
	must(t, src.Err())
	if known && n != int64(len(ids)) {
		t.Errorf("Count says %d, Items gives %d", n, len(ids))
	}
	if found != (len(ids) > 0) {
		t.Errorf("Any says %v, Items gives %d", found, len(ids))
	}
	return ids, src.Ignored()
}

func TestSourceOrderAndChoice(t *testing.T) {
	cases := []struct {
		name    string
		files   []string
		inputs  []string
		want    []string
		ignored int64
	}{
		{
			name: "folder in the order of full paths, hidden files passed by, others counted",
			files: []string{
				"d/b.jpg", "d/a/x.png", "d/a.jpg", "d/a-b.jpg", "d/a/.hidden.jpg", "d/.git/y.jpg", "d/notes.txt", "d/README",
				"d/B.JPEG", "d/z.webp", "d/a0.gif", "d/t.tiff", "d/q.bmp",
			},
			inputs:  []string{"d"},
			want:    []string{"d/B.JPEG", "d/a-b.jpg", "d/a.jpg", "d/a/x.png", "d/a0.gif", "d/b.jpg", "d/q.bmp", "d/t.tiff", "d/z.webp"},
			ignored: 2,
		},
		{
			name:   "the folder as it was written",
			files:  []string{"d/a.jpg"},
			inputs: []string{"d/", "./d", ".", "d/../d//"},
			want:   []string{"d/a.jpg", "./d/a.jpg", "./d/a.jpg", "d/../d//a.jpg"},
		},
		{
			name:   "a hidden folder given by name, and a file that is no image",
			files:  []string{".d/a.jpg", "notes.txt"},
			inputs: []string{".d", "notes.txt", "missing.jpg"},
			want:   []string{".d/a.jpg", "notes.txt", "missing.jpg"},
		},
		{
			name:    "patterns",
			files:   []string{"d/a.jpg", "d/b.png", "d/c.txt", "d/e/a.jpg", "d/e/f/a.jpg", "d/.h/a.jpg", "d/.a.jpg"},
			inputs:  []string{"d/*", "d/?.jpg", "d/[ab].*", "d/*/a.jpg", "d/**/a.jpg", "d/**", "d/.h/*"},
			ignored: 2,
			want: []string{
				"d/a.jpg", "d/b.png", "d/a.jpg", "d/a.jpg", "d/b.png", "d/e/a.jpg",
				"d/a.jpg", "d/e/a.jpg", "d/e/f/a.jpg", "d/a.jpg", "d/b.png", "d/e/a.jpg", "d/e/f/a.jpg", "d/.h/a.jpg",
			},
		},
		{
			name:   "patterns from the working folder",
			files:  []string{"a.jpg", "d/b.jpg"},
			inputs: []string{"*.jpg", "**/*.jpg", "*/*"},
			want:   []string{"a.jpg", "a.jpg", "d/b.jpg", "d/b.jpg"},
		},
		{
			name:   "a file whose name looks like a pattern",
			files:  []string{"photo[1].jpg", "photo1.jpg"},
			inputs: []string{"photo[1].jpg", "photo?.jpg"},
			want:   []string{"photo[1].jpg", "photo1.jpg"},
		},
		{
			name:   "a name that is no UTF-8",
			files:  []string{"d/caf\xe9 100%.jpg", "d/caf\u00e9 100%.jpg"},
			inputs: []string{"d"},
			want:   []string{"d/caf\u00e9 100%.jpg", "d/caf%E9 100%25.jpg"},
		},
		{
			name:   "links to files and to nowhere",
			files:  []string{"d/a.jpg -> ../x.dat", "d/b.jpg -> nowhere", "d/c -> nowhere", "x.dat"},
			inputs: []string{"d"},
			want:   []string{"d/a.jpg", "d/b.jpg"}, ignored: 1,
		},
		{
			name: "links to folders: in circles, twice, to the parent, into a hidden folder",
			files: []string{
				"d/loop -> .", "d/e/up -> ../..", "d/e/a.jpg", "d/one -> ../x", "d/two -> ../x", "d/sub -> ../x/y",
				"x/b.jpg", "x/y/c.jpg", "d/h -> .hid", "d/.hid/h.jpg", "p.jpg",
			},
			inputs: []string{"d"},
			want:   []string{"d/e/a.jpg", "d/e/up/p.jpg", "d/e/up/x/b.jpg", "d/e/up/x/y/c.jpg", "d/h/h.jpg"},
		},
		{
			name:   "a link as the folder",
			files:  []string{"d -> e", "e/a.jpg"},
			inputs: []string{"d", "e"},
			want:   []string{"d/a.jpg", "e/a.jpg"},
		},
		{
			name:   "a list",
			files:  []string{"a.jpg"},
			inputs: []string{"@../list.txt", "a.jpg"},
			want:   []string{"a.jpg", " b.jpg ", "d", "a.jpg"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plant(t, append(c.files, "work/")...)
			if slices.Contains(c.inputs, "@../list.txt") {
				must(t, os.WriteFile("list.txt", []byte("\xEF\xBB\xBFa.jpg\r\n\n b.jpg \n\r\nd"), 0o644))
				t.Chdir("work")
			}
			ids, ignored := read(t, SourceOptions{}, c.inputs...)
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if ignored != c.ignored {
				t.Errorf("%d ignored, want %d", ignored, c.ignored)
			}
		})
	}
}

func TestFolderIsInTheOrderOfSort(t *testing.T) {
	plant(t, "d/a/b.jpg", "d/a.jpg", "d/a b.jpg", "d/a-/c.jpg", "d/a0/d.jpg", "d/A/e.jpg", "d/\u00e4.jpg", "d/a/b/c.jpg", "d/a/b-.jpg")
	ids, _ := read(t, SourceOptions{}, "d")
	if sorted := slices.Sorted(slices.Values(ids)); !slices.Equal(ids, sorted) {
		t.Errorf("order %q, want %q", ids, sorted)
	}
}

func TestStandardInput(t *testing.T) {
	plant(t, "x.jpg")
	ids, _ := read(t, SourceOptions{Stdin: strings.NewReader("\n\na.jpg\nb.jpg\n")}, "x.jpg", "-")
	if diff := cmp.Diff([]string{"x.jpg", "a.jpg", "b.jpg"}, ids); diff != "" {
		t.Error(diff)
	}
	ids, _ = read(t, SourceOptions{Stdin: strings.NewReader("\n\r\n")}, "-")
	if len(ids) != 0 {
		t.Errorf("empty lines became %q", ids)
	}
	src, err := Open([]string{"-"}, SourceOptions{Stdin: strings.NewReader("a.jpg\n")})
	must(t, err)
	if _, known, _ := src.Count(context.Background()); known {
		t.Error("standard input was counted")
	}
}

func TestStandardInputThatKeepsUsWaiting(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close() //nolint:errcheck // never fails
	src, err := Open([]string{"-"}, SourceOptions{Stdin: r})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.WriteString(w, "a.jpg\n")
	}()
	n := 0
	for range src.Items(ctx) {
		n++
		cancel()
	}
	if cancel(); n != 1 || !errors.Is(src.Err(), context.Canceled) {
		t.Errorf("%d items, then %v", n, src.Err())
	}
}

func TestItemsOpenTheirFiles(t *testing.T) {
	plant(t, "d/a.jpg", "d/caf\xe9.jpg")
	src, err := Open([]string{"d"}, SourceOptions{})
	must(t, err)
	for item := range src.Items(context.Background()) {
		r, err := item.Open()
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		if EscapeName(string(data)) != item.ID {
			t.Errorf("%s opened %q", item.ID, data)
		}
	}
}

func TestUnreadableFolderIsARow(t *testing.T) {
	plant(t, "d/a.jpg", "d/z.jpg")
	top, err := os.Getwd()
	must(t, err)
	// Permissions do not stop the superuser; paths of more than 4096 bytes stop everybody.
	t.Chdir("d")
	for range 18 {
		name := strings.Repeat("n", 250)
		must(t, os.Mkdir(name, 0o755))
		t.Chdir(name)
	}
	t.Chdir(top)
	src, err := Open([]string{"d"}, SourceOptions{})
	must(t, err)
	var failed []string
	n := 0
	for item := range src.Items(context.Background()) {
		n++
		if _, err := item.Open(); err != nil {
			failed = append(failed, err.Error())
		}
	}
	must(t, src.Err())
	if n != 3 || len(failed) != 1 || !strings.Contains(failed[0], "read folder") {
		t.Errorf("%d items, failed: %.300q", n, failed)
	}
}

func TestSourceRefuses(t *testing.T) {
	plant(t, "d/a.jpg", "shard.tar", "x.parquet", "d2/")
	for input, want := range map[string]string{
		"":              "empty",
		"nosuch":        `"nosuch": no such file or folder`,
		"nosuch/a":      "no such file or folder",
		"@nosuch":       `no list "nosuch"`,
		"@d":            "is a folder",
		"y.tar.gz":      "no such file",
		"y.parquet":     "no such file",
		"d/*.tar":       "no file has such a name",
		"s-{0..2}.tar":  `"s-0.tar": no such file`,
		"nosuch/*.jpg":  `no folder "nosuch"`,
		"d/[.jpg":       "the bracket of \"[.jpg\" is not closed",
		"s3://b/a.jpg":  "is a URL",
		"https://a/b.c": "is a URL",
	} {
		_, err := Open([]string{input}, SourceOptions{})
		if err == nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want wrong usage with %q", input, err, want)
		}
	}
	if _, err := Open(nil, SourceOptions{}); !errors.Is(err, ErrUsage) {
		t.Errorf("Open of nothing: %v", err)
	}
	if _, err := Open([]string{"-", "-"}, SourceOptions{}); !errors.Is(err, ErrUsage) {
		t.Errorf("standard input twice: %v", err)
	}
	if ids, _ := read(t, SourceOptions{}, "d2", "d/*.png"); len(ids) != 0 {
		t.Errorf("nothing became %q", ids)
	}
}

func TestItemsStopEarly(t *testing.T) {
	plant(t, "d/a.jpg", "d/b.jpg", "d/e/c.jpg")
	src, err := Open([]string{"d", "d"}, SourceOptions{})
	must(t, err)
	n := 0
	for range src.Items(context.Background()) {
		if n++; n == 3 {
			break
		}
	}
	must(t, src.Err())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range src.Items(ctx) {
		cancel()
	}
	if !errors.Is(src.Err(), context.Canceled) {
		t.Errorf("after cancelling: %v", src.Err())
	}
}

func TestLongLineIsNoPath(t *testing.T) {
	src, err := Open([]string{"-"}, SourceOptions{Stdin: strings.NewReader(strings.Repeat("x", 100<<10))})
	must(t, err)
	for range src.Items(context.Background()) {
		t.Error("an item came")
	}
	if src.Err() == nil || !strings.Contains(src.Err().Error(), "line 1") {
		t.Errorf("error %v", src.Err())
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"**/a*", "a/**/b/**", "*", "[a-z]?/**", "/**/x", "a/./b*"} {
		f.Add(seed, "a/b/c.jpg")
	}
	f.Fuzz(func(t *testing.T, arg, path string) {
		if !isPattern(arg) {
			return
		}
		_, p := splitPattern(arg)
		if p.check() != nil {
			return
		}
		s := p.start()
		for name := range strings.SplitSeq(path, "/") {
			s = p.next(s, name)
		}
		p.matched(s)
	})
}
