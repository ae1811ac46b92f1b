package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m, os.Stderr)) }

// content is n bytes that differ from each other.
func content(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// site is a web server with one file, and what ails it.
type site struct {
	data     []byte
	tag      string
	noRanges bool
	status   []int        // answers before the first file
	breakAt  func() int   // bytes after which an answer breaks off; negative: it does not
	requests atomic.Int64 // made
	hang     chan struct{}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.requests.Add(1))
	if n <= len(s.status) {
		w.WriteHeader(s.status[n-1])
		return
	}
	w.Header().Set("ETag", `"`+s.tag+`"`)
	if s.noRanges {
		r.Header.Del("Range")
	}
	out := w
	if s.breakAt != nil && r.Method == http.MethodGet {
		if left := s.breakAt(); left >= 0 {
			out = &breaking{w, left, s.hang}
		}
	}
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(s.data))
}

// breaking ends the connection after some bytes, or hangs.
type breaking struct {
	http.ResponseWriter
	left int
	hang chan struct{}
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) < b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:b.left])
	b.ResponseWriter.(http.Flusher).Flush()
	if b.hang != nil {
		<-b.hang
	}
	panic(http.ErrAbortHandler)
}

func (s *site) start(t *testing.T) (*Store, string) {
	server := httptest.NewServer(s)
	objects := New()
	t.Cleanup(func() {
		if s.hang != nil {
			close(s.hang)
		}
		if err := objects.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return objects, server.URL + "/x.jpg"
}

func readAll(t *testing.T, objects *Store, url string) ([]byte, error) {
	t.Helper()
	r, err := objects.Open(t.Context(), url)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestOpenGoesOnWhereTheConnectionBroke(t *testing.T) {
	for _, noRanges := range []bool{false, true} {
		s := &site{data: content(1 << 20), tag: "a", noRanges: noRanges}
		broken := 0
		s.breakAt = func() int {
			if broken++; broken > 2 {
				return -1
			}
			return 300_000 * broken
		}
		objects, url := s.start(t)
		got, err := readAll(t, objects, url)
		if err != nil || !bytes.Equal(got, s.data) {
			t.Errorf("without ranges %v: %d bytes, %v", noRanges, len(got), err)
		}
		if n := s.requests.Load(); n != 3 {
			t.Errorf("without ranges %v: %d requests, want the first and two more", noRanges, n)
		}
	}
}

func TestOpenGivesUp(t *testing.T) {
	s := &site{data: content(1 << 20), tag: "a", breakAt: func() int { return 0 }}
	objects, url := s.start(t)
	_, err := readAll(t, objects, url)
	var again interface{ Temporary() bool }
	if !errors.As(err, &again) || !again.Temporary() || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v: want one that names %s and is temporary", err, url)
	}
	if n := s.requests.Load(); n != 1+attempts {
		t.Errorf("%d requests, want one and %d more", n, attempts)
	}
}

func TestOpenDoesNotMixTwoContents(t *testing.T) {
	s := &site{data: content(1 << 20), tag: "a"}
	s.breakAt = func() int {
		s.tag += "a"
		return 300_000
	}
	objects, url := s.start(t)
	if got, err := readAll(t, objects, url); !errors.Is(err, errChanged) {
		t.Errorf("%d bytes, %v: want that the file was changed", len(got), err)
	}
}

func TestReadBreaksOffAStall(t *testing.T) {
	s := &site{data: content(1 << 20), tag: "a", hang: make(chan struct{}), breakAt: func() int { return 1000 }}
	objects, url := s.start(t)
	src, err := objects.source(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	body, _, _, err := watch(t.Context(), src, 0, -1, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if len(got) != 1000 || !errors.Is(err, errStalled) || !temporary(err) {
		t.Errorf("%d bytes and error %v, want 1000 and a stall, which is temporary", len(got), err)
	}
}

func TestErrorsOfWebServers(t *testing.T) {
	for _, c := range []struct {
		status    int
		is        error
		temporary bool
	}{
		{404, fs.ErrNotExist, false}, {410, fs.ErrNotExist, false}, {401, fs.ErrPermission, false}, {403, fs.ErrPermission, false},
		{429, nil, true}, {503, nil, true}, {500, nil, true}, {400, nil, false},
	} {
		s := &site{status: []int{c.status}}
		objects, url := s.start(t)
		_, err := readAll(t, objects, url)
		var again interface{ Temporary() bool }
		if !errors.As(err, &again) || again.Temporary() != c.temporary || !strings.Contains(err.Error(), url) {
			t.Errorf("%d: %v: want temporary %v, and the address", c.status, err, c.temporary)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%d: %v is not %v", c.status, err, c.is)
		}
	}
	objects, url := (&site{}).start(t)
	_, err := readAll(t, objects, strings.Replace(url, "127.0.0.1", "127.0.0.1.invalid", 1))
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		t.Errorf("a host that there is not: %v", err)
	}
}

func TestPasswordsStayOutOfErrors(t *testing.T) {
	objects, url := (&site{status: []int{404}}).start(t)
	_, err := readAll(t, objects, strings.Replace(url, "http://", "http://me:secret@", 1))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "me:xxxxx@") {
		t.Errorf("%v", err)
	}
}

// TestOpenAt reads at random places, from many goroutines, over connections that break.
func TestOpenAt(t *testing.T) {
	s := &site{data: content(3*blockSize + 12345), tag: "a"}
	var n atomic.Int64
	s.breakAt = func() int {
		if n.Add(1)%3 == 0 {
			return 100_000
		}
		return -1
	}
	objects, url := s.start(t)
	r, err := objects.OpenAt(t.Context(), url)
	if err != nil || r.Size() != int64(len(s.data)) {
		t.Fatalf("size %d, %v", r.Size(), err)
	}
	defer r.Close()
	failed := make(chan error, 8)
	for g := range cap(failed) {
		go func() {
			random := rand.New(rand.NewPCG(7, uint64(g)))
			for range 50 {
				from := random.IntN(len(s.data))
				p := make([]byte, random.IntN(100_000)+1)
				n, err := r.ReadAt(p, int64(from))
				want := s.data[from:min(from+len(p), len(s.data))]
				if !bytes.Equal(p[:n], want) || errors.Is(err, io.EOF) != (len(want) < len(p)) || err != nil && !errors.Is(err, io.EOF) {
					failed <- fmt.Errorf("%d bytes at %d: %d, %w", len(p), from, n, err)
					return
				}
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	large := make([]byte, 2*blockSize+1000)
	if n, err := r.ReadAt(large, 5); n != len(large) || err != nil || !bytes.Equal(large, s.data[5:5+len(large)]) {
		t.Errorf("a large read: %d, %v", n, err)
	}
}

// TestOpenAtAsksSeldom holds that small reads side by side are one request.
func TestOpenAtAsksSeldom(t *testing.T) {
	s := &site{data: content(2 * blockSize), tag: "a"}
	objects, url := s.start(t)
	r, err := objects.OpenAt(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1000)
	for at := int64(0); at+1000 < blockSize; at += 1000 {
		if _, err := r.ReadAt(p, at); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.requests.Load(); n != 2 {
		t.Errorf("%d requests for one block: want one for the size and one for the block", n)
	}
}

func TestOpenAtNeedsRanges(t *testing.T) {
	s := &site{data: content(3 * blockSize), tag: "a", noRanges: true}
	objects, url := s.start(t)
	r, err := objects.OpenAt(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 10), 2*blockSize); !errors.Is(err, errNoRanges) {
		t.Errorf("%v", err)
	}
}

func TestOpenAtSeesAChange(t *testing.T) {
	s := &site{data: content(3 * blockSize), tag: "a"}
	objects, url := s.start(t)
	r, err := objects.OpenAt(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	s.tag = "b"
	if _, err := r.ReadAt(make([]byte, 10), 2*blockSize); !errors.Is(err, errChanged) {
		t.Errorf("%v", err)
	}
}
