package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// server serves one file, and can misbehave. handle sees a request first; true means that it answered.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	data     []byte
	etag     string
	requests []http.Header
	handle   func(n int, w http.ResponseWriter, r *http.Request) bool
}

func newServer(t *testing.T, size int) *server {
	t.Helper()
	s := &server{data: make([]byte, size)}
	for i := range s.data {
		s.data[i] = byte(i * 7 >> 3)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Header.Clone())
		n, data, etag := len(s.requests), s.data, s.etag
		s.mu.Unlock()
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		if s.handle != nil && s.handle(n, w, r) {
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s
}

// half sends the first half and hangs up.
func (s *server) half(w http.ResponseWriter) {
	w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
	_, _ = w.Write(s.data[:len(s.data)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// asked is a header of every request, in order.
func (s *server) asked(header string) []string {
	var values []string
	for _, h := range s.requests {
		values = append(values, h.Get(header))
	}
	return values
}

func (s *server) request(t *testing.T) *Request {
	t.Helper()
	return &Request{Places: []string{s.URL + "/w.pth"}, Path: filepath.Join(t.TempDir(), "w.pth"), SHA256: sum(s.data)}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func get(r *Request) error {
	_, err := Get(context.Background(), *r)
	return err
}

// fast makes the waits short.
func fast(t *testing.T) {
	t.Helper()
	delay, stall, longest := retryDelay, stallTimeout, longestWait
	retryDelay, longestWait = time.Millisecond, 5*time.Millisecond
	t.Cleanup(func() { retryDelay, stallTimeout, longestWait = delay, stall, longest })
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantFile fails unless the file is there, whole, and nothing else is.
func wantFile(t *testing.T, r *Request, data []byte) {
	t.Helper()
	got, err := os.ReadFile(r.Path)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v, expected %d", len(got), err, len(data))
	}
	wantOnly(t, r, filepath.Base(r.Path))
}

func wantOnly(t *testing.T, r *Request, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.Path))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder has %q, expected %q", got, names)
	}
}

func errorWith(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not say %q", err, word)
		}
	}
}

func TestGet(t *testing.T) {
	s := newServer(t, 1<<20)
	r := s.request(t)
	var last, whole int64
	r.Progress = func(done, total int64) {
		if done < last {
			t.Errorf("progress went from %d back to %d", last, done)
		}
		last, whole = done, total
	}
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if last != 1<<20 || whole != 1<<20 {
		t.Errorf("progress ended at %d of %d", last, whole)
	}
	if err := get(r); err != nil || len(s.requests) != 1 {
		t.Errorf("a complete file was asked for again: %d requests, %v", len(s.requests), err)
	}
}

func TestABrokenDownloadIsGoneOnWith(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<20)
	s.etag = `"one"`
	s.handle = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			s.half(w)
		}
		return n == 1
	}
	r := s.request(t)
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if got := s.asked("Range"); len(got) != 2 || got[1] != fmt.Sprintf("bytes=%d-", 1<<19) {
		t.Errorf("asked for %q, expected the second half at the second time", got)
	}
	if got := s.asked("If-Range"); got[1] != `"one"` {
		t.Errorf("If-Range was %q", got)
	}
}

// breakOff leaves what a download has that was cancelled in the middle.
func breakOff(t *testing.T, s *server, r *Request) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	saved := s.handle
	s.handle = func(_ int, w http.ResponseWriter, q *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
		_, _ = w.Write(s.data[:len(s.data)/2])
		w.(http.Flusher).Flush()
		<-q.Context().Done()
		return true
	}
	first := *r
	first.Progress = func(done, _ int64) {
		if done == int64(len(s.data)/2) {
			cancel()
		}
	}
	if _, err := Get(ctx, first); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	s.handle, s.requests = saved, nil
}

func TestACancelledDownloadIsGoneOnWithByTheNext(t *testing.T) {
	s := newServer(t, 1<<20)
	r := s.request(t)
	breakOff(t, s, r)
	wantOnly(t, r, "w.pth.part", "w.pth.part.json")
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if got := s.asked("Range"); got[0] != fmt.Sprintf("bytes=%d-", 1<<19) {
		t.Errorf("asked for %q", got)
	}
}

// A file that was changed in between is taken whole, whether or not the server knows If-Range, and whether or not its
// hash is known beforehand.
func TestAChangedFileIsDownloadedAnew(t *testing.T) {
	for name, knowsIfRange := range map[string]bool{"the server knows If-Range": true, "it does not": false} {
		for _, pinned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, pinned %v", name, pinned), func(t *testing.T) {
				fast(t)
				s := newServer(t, 1<<18)
				s.etag = `"one"`
				r := s.request(t)
				breakOff(t, s, r)
				s.data, s.etag = bytes.Repeat([]byte{1, 2, 3, 4}, 1<<16), `"two"`
				r.SHA256 = ""
				if pinned {
					r.SHA256 = sum(s.data)
				}
				s.handle = func(_ int, _ http.ResponseWriter, q *http.Request) bool {
					if !knowsIfRange {
						q.Header.Del("If-Range")
					}
					return false
				}
				if err := get(r); err != nil {
					t.Fatal(err)
				}
				wantFile(t, r, s.data)
			})
		}
	}
}

// Without an ETag only the hash can tell that the beginning is of another file.
func TestPartsThatDoNotFitAreDownloadedAnewOnce(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<16)
	r := s.request(t)
	write(t, r.Path+".part", make([]byte, 1000))
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if got := s.asked("Range"); strings.Join(got, ",") != "bytes=1000-," {
		t.Errorf("asked for %q", got)
	}
}

func TestWithoutAHashAndAValidatorNothingIsGoneOnWith(t *testing.T) {
	s := newServer(t, 1<<16)
	r := s.request(t)
	r.SHA256 = ""
	write(t, r.Path+".part", make([]byte, 1000))
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
}

func TestAPartThatIsWholeOrTooLong(t *testing.T) {
	fast(t)
	for name, extra := range map[string]int{"whole": 0, "too long": 100} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, 1<<16)
			r := s.request(t)
			write(t, r.Path+".part", append(bytes.Clone(s.data), make([]byte, extra)...))
			if err := get(r); err != nil {
				t.Fatal(err)
			}
			wantFile(t, r, s.data)
		})
	}
}

func TestAServerWithoutRanges(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<16)
	s.handle = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			s.half(w)
		}
		_, _ = w.Write(s.data)
		return true
	}
	r := s.request(t)
	var log []string
	r.Log = func(line string) { log = append(log, line) }
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if text := strings.Join(log, "\n"); !strings.Contains(text, "starting anew") {
		t.Errorf("log: %s", text)
	}
}

// A server that breaks off at the same place each time, and can't go on in the middle, must not be asked for ever.
func TestAServerThatNeverGetsAnyFurther(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<16)
	s.handle = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		s.half(w)
		return true
	}
	errorWith(t, get(s.request(t)), "EOF")
	if n := len(s.requests); n > maxTries+1 {
		t.Errorf("asked %d times", n)
	}
}

// One that breaks off often, but each time further on, is worth any number of tries.
func TestABadLineGetsThereInTheEnd(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<18)
	s.handle = func(n int, w http.ResponseWriter, q *http.Request) bool {
		var from int
		_, _ = fmt.Sscanf(q.Header.Get("Range"), "bytes=%d-", &from)
		to := min(from+1<<14, len(s.data))
		w.Header().Set("Content-Length", fmt.Sprint(len(s.data)-from))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.data)-1, len(s.data)))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(s.data[from:to])
		if to < len(s.data) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	}
	r := s.request(t)
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if n := len(s.requests); n != 16 {
		t.Errorf("asked %d times", n)
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	s := newServer(t, 1<<16)
	r := s.request(t)
	r.SHA256 = "00000000"
	errorWith(t, get(r), "SHA-256 is "+sum(s.data), "expected 00000000…")
	wantOnly(t, r)
	if len(s.requests) != 1 {
		t.Errorf("asked %d times", len(s.requests))
	}
}

func TestStatuses(t *testing.T) {
	fast(t)
	for status, tries := range map[int]int{404: 1, 403: 1, 401: 1, 410: 1, 501: 1, 502: maxTries, 503: maxTries, 429: maxTries, 408: maxTries} {
		s := newServer(t, 16)
		s.handle = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			return true
		}
		err := get(s.request(t))
		errorWith(t, err, fmt.Sprint(status), s.URL)
		var said *StatusError
		if !errors.As(err, &said) || said.Code != status {
			t.Errorf("%v is no StatusError of %d", err, status)
		}
		if len(s.requests) != tries {
			t.Errorf("%d: asked %d times, expected %d", status, len(s.requests), tries)
		}
	}
}

func TestAStalledServer(t *testing.T) {
	for name, sent := range map[string]int{"in the middle": 1000, "before it answers": 0} {
		t.Run(name, func(t *testing.T) {
			fast(t)
			stallTimeout = 100 * time.Millisecond
			s := newServer(t, 1<<16)
			s.handle = func(n int, w http.ResponseWriter, q *http.Request) bool {
				if n > 1 {
					return false
				}
				if sent > 0 {
					w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
					_, _ = w.Write(s.data[:sent])
					w.(http.Flusher).Flush()
				}
				<-q.Context().Done()
				return true
			}
			r := s.request(t)
			var log []string
			r.Log = func(line string) { log = append(log, line) }
			if err := get(r); err != nil {
				t.Fatal(err)
			}
			wantFile(t, r, s.data)
			if !strings.Contains(strings.Join(log, "\n"), "no data for too long") {
				t.Errorf("log: %q", log)
			}
		})
	}
}

// A server that gives no ETag still says how long its file is.
func TestAFileOfAnotherLengthIsDownloadedAnewAtOnce(t *testing.T) {
	fast(t)
	s := newServer(t, 1<<18)
	r := s.request(t)
	breakOff(t, s, r)
	s.data = append(s.data, 1, 2, 3)
	r.SHA256 = sum(s.data)
	var log []string
	r.Log = func(line string) { log = append(log, line) }
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if text := strings.Join(log, "\n"); !strings.Contains(text, "the file was changed on the server") || strings.Contains(text, "do not fit together") {
		t.Errorf("log: %s", text)
	}
}

// Whoever is offline is not kept waiting.
func TestWhereNobodyAnswersFewTriesAreMade(t *testing.T) {
	fast(t)
	interrupted := 0
	r := Request{Places: []string{"http://127.0.0.1:1/w.pth"}, Path: filepath.Join(t.TempDir(), "w.pth"), SHA256: "00", Log: func(line string) {
		if strings.HasPrefix(line, "interrupted") {
			interrupted++
		}
	}}
	errorWith(t, get(&r), "connection refused")
	if interrupted != dialTries-1 {
		t.Errorf("tried %d times", interrupted+1)
	}
}

// A server that is slow but never silent for long is none that stalls.
func TestASlowServerIsWaitedFor(t *testing.T) {
	fast(t)
	stallTimeout = time.Second
	s := newServer(t, 1<<14)
	s.handle = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
		for rest := s.data; len(rest) > 0; rest = rest[1<<10:] {
			_, _ = w.Write(rest[:1<<10])
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		return true
	}
	r := s.request(t)
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 1 {
		t.Errorf("asked %d times", len(s.requests))
	}
}
