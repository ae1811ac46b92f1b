package dataset

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entry is a member of an archive: a file with its name as content, unless body or kind say otherwise.
type tarEntry struct {
	name, body, link string
	kind             byte
}

func archive(t *testing.T, entries ...tarEntry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
			if e.body == "" {
				e.body = e.name
			}
			h.Size = int64(len(e.body))
		}
		must(t, w.WriteHeader(h))
		if e.kind == 0 {
			_, err := w.Write([]byte(e.body))
			must(t, err)
		}
	}
	must(t, w.Close())
	return buf.Bytes()
}

func files(names ...string) (entries []tarEntry) {
	for _, name := range names {
		entries = append(entries, tarEntry{name: name})
	}
	return entries
}

func TestTarSamples(t *testing.T) {
	long := strings.Repeat("folder/", 40) + "x.jpg" // longer than the old format's names
	cases := []struct {
		name    string
		members []tarEntry
		image   string
		want    []row
		ignored int64
	}{
		{
			name:    "several files a key, the image anywhere among them",
			members: files("a/1.jpg", "a/1.json", "a/1.cls", "a/2.cls", "a/2.PNG", "3.json", "3.txt", "b/4.webp"),
			want:    []row{{ID: "a/1", Data: "a/1.jpg"}, {ID: "a/2", Data: "a/2.PNG"}, {ID: "b/4", Data: "b/4.webp"}},
			ignored: 5,
		},
		{
			name:    "the key ends at the first dot of the last part",
			members: files("a.b/x.y.jpg", "./z.jpg", long),
			want:    []row{{ID: "a.b/x", Data: "a.b/x.y.jpg"}, {ID: "./z", Data: "./z.jpg"}, {ID: strings.TrimSuffix(long, ".jpg"), Data: long}},
		},
		{
			name:    "several images of one key are rows of their own",
			members: files("p.left.jpg", "p.right.jpg", "q.jpg"),
			want:    []row{{ID: "p.left.jpg", Data: "p.left.jpg"}, {ID: "p.right.jpg", Data: "p.right.jpg"}, {ID: "q", Data: "q.jpg"}},
		},
		{
			name:    "the image is chosen, the best extension first",
			members: files("p.mask.png", "p.jpg", "q.png", "q.mask.png", "r.png", "r.jpg", "s.bin"),
			image:   "jpg;png",
			want:    []row{{ID: "p", Data: "p.jpg"}, {ID: "q", Data: "q.png"}, {ID: "r", Data: "r.jpg"}},
			ignored: 3, // the masks and s.bin
		},
		{
			name:    "an extension that is no image's",
			members: files("p.bin", "p.jpg", "q.bin"),
			image:   ".bin",
			want:    []row{{ID: "p", Data: "p.bin"}, {ID: "q", Data: "q.bin"}},
			ignored: 1,
		},
		{
			name: "what is no file",
			members: []tarEntry{
				{name: "d/", kind: tar.TypeDir}, {name: "d/a.jpg"}, {name: "d/link.jpg", kind: tar.TypeSymlink, link: "/etc/passwd"},
				{name: "d/hard.jpg", kind: tar.TypeLink, link: "d/a.jpg"}, {name: "d/._b.jpg"}, {name: ".c/x.jpg"},
				{name: "fifo.jpg", kind: tar.TypeFifo}, {name: "noext"}, {name: "d/e.jpg"},
			},
			want:    []row{{ID: "d/a", Data: "d/a.jpg"}, {ID: "d/e", Data: "d/e.jpg"}},
			ignored: 4, // the links, the fifo, and the name without an extension
		},
		{
			name:    "no UTF-8, and no bytes",
			members: []tarEntry{{name: "caf\xe9.jpg", body: "x"}, {name: "empty.jpg", body: ""}},
			want:    []row{{ID: "caf%E9", Data: "x"}, {ID: "empty", Data: "empty.jpg"}},
		},
		{name: "nothing", members: nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			data := archive(t, c.members...)
			write(t, "x.tar", data)
			write(t, "x.tgz", gzipped(t, data))
			write(t, "x.tar.zst", zstdBytes(t, data))
			write(t, "named-wrong.tar", gzipped(t, data))
			for _, name := range []string{"x.tar", "x.tgz", "x.tar.zst", "named-wrong.tar"} {
				got, ignored := rowsIn(t, SourceOptions{ImageColumn: c.image}, name)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if ignored != c.ignored {
					t.Errorf("%s: %d ignored, want %d", name, ignored, c.ignored)
				}
			}
		})
	}
}

// TestTarCutShort cuts an archive at every place. The images before the cut come, and a row that says so, but for cuts
// behind the content of a member, which look like an end.
func TestTarCutShort(t *testing.T) {
	t.Chdir(t.TempDir())
	names := []string{"1.jpg", "1.json", "2.jpg", "3.jpg"}
	whole := tarBytes(t, names)
	write(t, "after.tar", tarBytes(t, []string{"after.jpg"}))
	const member = 1024 // a header and a block of content
	for _, packed := range []bool{false, true} {
		data := whole
		if packed {
			data = gzipped(t, whole)
		}
		for cut := 1; cut < len(data); cut += 1 + len(data)/700 {
			write(t, "x.tar", data[:cut])
			src, err := Open([]string{"x.tar", "after.tar"}, SourceOptions{})
			must(t, err)
			rows := rowsOf(t, src, 0)
			n := len(rows)
			if last := rows[n-1]; last != (row{ID: "after", Data: "content of after.jpg"}) {
				t.Fatalf("cut at %d: the next archive gives %+v", cut, last)
			}
			rows = rows[:n-1]
			if packed && n == 4 && rows[2].Err == "" {
				continue // all images came; what is missing is the mark at the end
			}
			between := !packed && (cut > len(names)*member && cut%512 == 0 || cut%member == 0)
			for i, name := range names {
				from := i*member + 512 + len("content of ") + len(name)
				between = between || !packed && cut >= from && cut <= (i+1)*member
			}
			if !between {
				last := rows[len(rows)-1]
				if last.ID != "x.tar" || !strings.Contains(last.Err, "x.tar: can't be read on after") {
					t.Fatalf("cut at %d of %d: the last row is %+v", cut, len(data), last)
				}
				rows = rows[:len(rows)-1]
			}
			for i, want := range []string{"1", "2", "3"}[:len(rows)] {
				if rows[i].ID != want || rows[i].Err != "" || !strings.HasPrefix(rows[i].Data, "content of ") {
					t.Fatalf("cut at %d: row %d is %+v", cut, i, rows[i])
				}
			}
			if !packed {
				images := 0
				for i, name := range names {
					if strings.HasSuffix(name, ".jpg") && cut >= i*member+512+len("content of ")+len(name) {
						images++
					}
				}
				if len(rows) != images {
					t.Fatalf("cut at %d: %d images came, and %d are whole", cut, len(rows), images)
				}
			}
		}
	}
}

func TestTarMembersAreBounded(t *testing.T) {
	t.Chdir(t.TempDir())
	big := strings.Repeat("x", 5000)
	write(t, "x.tar.gz", gzipped(t, archive(t, tarEntry{name: "a.jpg"}, tarEntry{name: "b.jpg", body: big}, tarEntry{name: "c.jpg"})))
	rows, _ := rowsIn(t, SourceOptions{MaxBytes: 4096}, "x.tar.gz")
	if len(rows) != 3 || rows[0].Err != "" || rows[2].Data != "c.jpg" || rows[1].ID != "b" || !strings.Contains(rows[1].Err, "more than 4096 bytes") {
		t.Errorf("%+v", rows)
	}
}

func TestNoTar(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "x.tar", bytes.Repeat([]byte("no archive "), 200))
	write(t, "y.tar", nil)
	rows, _ := rowsIn(t, SourceOptions{}, "x.tar", "y.tar")
	if len(rows) != 1 || rows[0].ID != "x.tar" || !strings.Contains(rows[0].Err, "no tar archive") {
		t.Errorf("%+v", rows)
	}
}

func TestBraces(t *testing.T) {
	plant(t, "s-008.jpg", "s-009.jpg", "s-010.jpg", "s-11.jpg", "{a,b}.jpg", "x/a.jpg", "x/b.png", "y/a.jpg")
	for input, want := range map[string][]string{
		"s-{008..010}.jpg":    {"s-008.jpg", "s-009.jpg", "s-010.jpg"},
		"s-{10..11}.jpg":      {"s-10.jpg", "s-11.jpg"}, // a file given by name is always a row
		"s-{010..008}.jpg":    {"s-010.jpg", "s-009.jpg", "s-008.jpg"},
		"{a,b}.jpg":           {"{a,b}.jpg"}, // there is such a file
		"x/*.{jpg,png}":       {"x/a.jpg", "x/b.png"},
		"{y,x}/{a.jpg,*.png}": {"y/a.jpg", "x/a.jpg", "x/b.png"},
		"s-00{8,9}.jpg":       {"s-008.jpg", "s-009.jpg"},
		"q{1}.jpg":            {"q{1}.jpg"},
	} {
		src, err := Open([]string{input}, SourceOptions{})
		must(t, err)
		var ids []string
		for _, r := range rowsOf(t, src, 0) {
			ids = append(ids, r.ID)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: %s", input, diff)
		}
	}
	for _, input := range []string{"{0..9}{0..999}{0..99}.jpg", "{1..999999999999}.jpg"} {
		if _, err := Open([]string{input}, SourceOptions{}); err == nil || !strings.Contains(err.Error(), "more than 100000") {
			t.Errorf("%s: %v", input, err)
		}
	}
}
