package serve

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// images are n of them, different for each seed, batch and row.
func images(n int, size int, name string, more ...any) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = []byte(fmt.Sprint(name, more, i))
		all[i] = append(all[i], make([]byte, max(0, size-len(all[i])))...)
	}
	return all
}

func TestExtract(t *testing.T) {
	s := start(t, newFake(t), Config{})
	for _, typ := range []arrow.DataType{arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary} {
		t.Run(typ.Name(), func(t *testing.T) {
			c := s.dial(t).open(hello())
			c.typ = typ
			batches := [][][]byte{
				images(5, 10, "a"), {}, {[]byte("x"), nil, {}, []byte("bad one"), []byte("y")}, images(100, 1000, "b"), {nil}, {},
			}
			for _, b := range batches {
				c.batch(b...)
			}
			c.finish()
			for _, b := range batches {
				c.check(b...)
			}
			if got, want := c.trailer(), (Trailer{OK: true, Rows: 111, Failed: 4}); got != want {
				t.Errorf("trailer %+v, want %+v", got, want)
			}
			if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("after the trailer: %v", err)
			}
		})
	}
}

func TestSchemaComesBeforeTheFirstBatch(t *testing.T) {
	s := start(t, newFake(t), Config{})
	c := s.dial(t).open(hello())
	if _, err := c.in.Peek(100); err != nil { // nothing was sent
		t.Fatal(err)
	}
	c.finish()
	if got, want := c.trailer(), (Trailer{OK: true}); got != want {
		t.Errorf("an empty stream: trailer %+v", got)
	}
}

// TestWholeWindowFirst has clients that read nothing before they have sent all that they may.
func TestWholeWindowFirst(t *testing.T) {
	f := newFake(t)
	f.dim = 2048 // an answer is more than a socket holds
	s := start(t, f, Config{About: About{Dim: 2048}})
	for _, window := range []int{1, 2, 4, 40, 256} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			h := hello()
			h.Window = Window{window, 1 << 30}
			c := s.dial(t).open(h)
			rounds := 2
			if window > 4 {
				rounds = 1
			}
			for round := range rounds {
				for i := range window {
					c.batch(images(16, 20_000, "w", round, i)...)
				}
				for i := range window {
					c.check(images(16, 20_000, "w", round, i)...)
				}
			}
			c.finish()
			if got := c.trailer(); !got.OK || got.Rows != int64(rounds*16*window) {
				t.Errorf("trailer %+v", got)
			}
		})
	}
}

// TestSlidingWindow has clients that always have exactly their window unanswered, by their own count: the server's must
// never be the stricter one.
func TestSlidingWindow(t *testing.T) {
	s := start(t, newFake(t), Config{})
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			h := hello()
			h.Window = Window{1 + k%3, int64(1+k%3) * 160}
			c := s.dial(t).open(h)
			const total = 300
			batch := func(i int) [][]byte { return images(8, 20, "s", k, i)[:8] }
			for i := range total {
				if i >= h.Window.Batches {
					c.check(batch(i - h.Window.Batches)...)
				}
				c.batch(batch(i)...)
			}
			for i := total - h.Window.Batches; i < total; i++ {
				c.check(batch(i)...)
			}
			c.finish()
			if got := c.trailer(); !got.OK {
				t.Errorf("trailer %+v", got)
			}
		})
	}
	all.Wait()
}

func TestWindowExceeded(t *testing.T) {
	for name, h := range map[string]Window{"batches": {2, 1 << 20}, "bytes": {8, 100}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, newFake(t), Config{})
			hold := hello()
			hold.Window = h
			c := s.dial(t).open(hold)
			c.batch([]byte("hang"), make([]byte, 60)) // so that nothing is answered meanwhile
			c.batch(make([]byte, 30))
			c.batch(make([]byte, 30))
			c.batch([]byte("never looked at"))
			eventually(t, "the server has read too much", func() bool { return s.refuses() })
			s.ex.(*fake).release()
			c.check([]byte("hang"), make([]byte, 60))
			c.check(make([]byte, 30))
			if got := c.trailer(); got.OK || got.Code != CodeWindow || got.Rows != 3 {
				t.Errorf("trailer %+v", got)
			}
		})
	}
}

func TestOneLargerBatchAlone(t *testing.T) {
	s := start(t, newFake(t), Config{Window: Window{8, 10 << 20}})
	h := hello()
	h.Window = Window{8, 1000}
	c := s.dial(t).open(h)
	for range 3 {
		large := make([]byte, 5<<20)
		c.batch(large)
		c.check(large)
	}
	c.finish()
	if got := c.trailer(); !got.OK {
		t.Errorf("trailer %+v", got)
	}
	c = s.dial(t).open(h)
	_ = c.tryBatch(make([]byte, 12<<20)) // it fails where the server has closed before
	if got := c.trailer(); got.Code != CodeBatch || !strings.Contains(got.Error, "limit") {
		t.Errorf("trailer %+v", got)
	}
}

// TestClientThatNeverReads sends more than the sockets and the window of answers hold: its rows are not computed without
// end, and the others go on.
func TestClientThatNeverReads(t *testing.T) {
	f := newFake(t)
	f.dim = 4096
	s := start(t, f, Config{About: About{Dim: 4096}})
	h := hello()
	h.Window = Window{256, 1 << 20}
	lazy := s.dial(t).open(h)
	for range 250 {
		lazy.batch(images(16, 0, "l")...)
	}
	other := s.dial(t).open(hello())
	other.batch(images(3, 0, "o")...)
	other.check(images(3, 0, "o")...)
	eventually(t, "no more is computed for the one", func() bool {
		before := f.seen.Load()
		other.batch(images(30, 0, "o")...)
		other.check(images(30, 0, "o")...)
		return f.seen.Load() == before+30
	})
	if n := f.seen.Load(); n > 4000/2 {
		t.Errorf("%d rows were computed for a client that reads none", n)
	}
	for range 250 {
		lazy.check(images(16, 0, "l")...)
	}
}

// TestNullsBehindRows has answers that are ready, and large, before those of older batches whose rows wait their turn.
func TestNullsBehindRows(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	h := hello()
	h.Window = Window{20, 10_000}
	c := s.dial(t).open(h)
	rows := append([][]byte{[]byte("hang")}, images(200, 0, "r")...)
	c.batch(rows...)
	for range 10 {
		c.batch(make([][]byte, 1000)...)
	}
	eventually(t, "all is read", func() bool { return s.count(t, `imgvec_rows_total{outcome="failed"}`) == 10_000 })
	f.release()
	c.check(rows...)
	for range 10 {
		c.check(make([][]byte, 1000)...)
	}
}

// TestFair has a client with a large window beside one with a small one: the small one's rows come in between.
func TestFair(t *testing.T) {
	f := newFake(t)
	f.workers = 1
	s := start(t, f, Config{})
	large, small := s.dial(t).open(hello()), s.dial(t).open(hello())
	large.batch([]byte("hang")) // until both have sent all
	eventually(t, "the executor is busy", func() bool { n, _ := s.queue.progress(); return n > 0 })
	for range 7 {
		large.batch(images(100, 0, "L")...)
	}
	small.batch(images(10, 0, "S")...)
	eventually(t, "all rows are there", func() bool { return s.queue.unfinished() == 711 })
	f.release()
	small.check(images(10, 0, "S")...)
	large.check([]byte("hang"))
	large.check(images(100, 0, "L")...)
	opened := f.firsts()
	last := strings.LastIndex(opened, "S")
	// What the executor had taken before comes first; then they take turns.
	if ahead := strings.Count(opened[:last], "L"); last < 0 || ahead > 60 {
		t.Errorf("%d rows of the large client before the last of the small one's ten", ahead)
	}
}

func TestManyClients(t *testing.T) {
	s := start(t, newFake(t), Config{})
	var all sync.WaitGroup
	for k := range 30 {
		all.Go(func() {
			c := s.dial(t).open(hello())
			rnd := rand.New(rand.NewPCG(uint64(k), 1))
			for i := range 20 {
				b := images(rnd.IntN(40), rnd.IntN(3000), "m", k, i)
				c.batch(b...)
				c.check(b...)
			}
			c.finish()
			if got := c.trailer(); !got.OK {
				t.Errorf("trailer %+v", got)
			}
		})
	}
	all.Wait()
}

func TestPipeWithoutDeadlines(t *testing.T) {
	s := New(newFake(t), Config{About: About{Dim: fakeDim}})
	defer s.Close()
	ours, theirs := net.Pipe()
	result := make(chan error, 1)
	go func() { result <- s.ServeConn(t.Context(), struct{ io.ReadWriteCloser }{theirs}) }()
	c := newClient(t, ours).open(hello())
	c.batch([]byte("x"), nil)
	c.check([]byte("x"), nil)
	c.finish()
	if got := c.trailer(); !got.OK {
		t.Errorf("trailer %+v", got)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, spaced, percent := write("plain.jpg"), write("a b.jpg"), write("100%25.jpg")
	s := start(t, newFake(t), Config{})
	h := hello()
	h.Input = InputPath
	for _, typ := range []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString} {
		c := s.dial(t).open(h)
		c.typ = typ
		cases := []struct{ value, want string }{
			{plain, "plain.jpg"}, {"file:" + plain, "plain.jpg"}, {"file://" + plain, "plain.jpg"}, {"FILE://localhost" + plain, "plain.jpg"},
			{"file:" + spaced, "a b.jpg"}, {"file:" + filepath.Join(dir, "a%20b.jpg"), "a b.jpg"}, {"file:" + percent, "100%25.jpg"},
			{"s3://bucket/key", "error: local files"}, {"file://other/x.jpg", "error: another machine"}, {"relative.jpg", "error: not an absolute"},
			{filepath.Join(dir, "none.jpg"), "error: no such file"}, {dir, "error: a folder"}, {"/dev/zero", "error: not a regular file"},
			{"", "error: empty"}, {filepath.Join(dir, "a%20b.jpg"), "error: no such file"}, {"file:/\x00", "error: invalid"},
		}
		var values [][]byte
		for _, k := range cases {
			values = append(values, []byte(k.value))
		}
		c.batch(values...)
		rec, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range cases {
			checkPath(t, rec, i, k.value, k.want)
		}
	}
}

func checkPath(t *testing.T, rec arrow.RecordBatch, i int, value, want string) {
	t.Helper()
	text, features := rec.Column(1).(*array.String), rec.Column(0).(*array.List)
	if why, fails := strings.CutPrefix(want, "error: "); fails {
		if !strings.Contains(text.Value(i), why) || !features.IsNull(i) {
			t.Errorf("%q: %q, want %q", value, text.Value(i), why)
		}
		return
	}
	if text.IsValid(i) {
		t.Errorf("%q: %s", value, text.Value(i))
		return
	}
	from, _ := features.ValueOffsets(i)
	if got := features.ListValues().(*array.Float32).Value(int(from)); got != expected(fakeDim, []byte(want))[0] {
		t.Errorf("%q is not %s", value, want)
	}
}
