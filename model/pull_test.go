package model

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// hub is a server of one file that can misbehave.
type hub struct {
	*httptest.Server
	data     []byte
	requests atomic.Int32
	ranges   []string // the Range headers it got
	handle   func(n int32, w http.ResponseWriter, r *http.Request) bool
}

func newHub(t *testing.T, size int) *hub {
	h := &hub{data: bytes.Repeat([]byte("0123456789abcdef"), size/16)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := h.requests.Add(1)
		h.ranges = append(h.ranges, r.Header.Get("Range"))
		if h.handle != nil && h.handle(n, w, r) {
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.data))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hub) download(t *testing.T) download {
	sum := sha256.Sum256(h.data)
	return download{url: h.URL, path: filepath.Join(t.TempDir(), "w.pth"), sha256: hex.EncodeToString(sum[:4])}
}

func run(d download) error {
	_, err := d.run(context.Background())
	return err
}

func fast(t *testing.T) {
	delay, stall := retryDelay, stallTimeout
	retryDelay = time.Millisecond
	t.Cleanup(func() { retryDelay, stallTimeout = delay, stall })
}

func wantFile(t *testing.T, d download, data []byte) {
	t.Helper()
	got, err := os.ReadFile(d.path)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v, expected %d", len(got), err, len(data))
	}
	if _, err := os.Stat(d.path + ".part"); err == nil {
		t.Error("the partial file was left")
	}
}

func TestDownload(t *testing.T) {
	h := newHub(t, 1<<20)
	d := h.download(t)
	var last, whole int64
	d.opts.Progress = func(done, total int64) {
		if done < last {
			t.Errorf("progress went from %d back to %d", last, done)
		}
		last, whole = done, total
	}
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
	if last != 1<<20 || whole != 1<<20 {
		t.Errorf("progress ended at %d of %d", last, whole)
	}
	if err := run(d); err != nil || h.requests.Load() != 1 {
		t.Errorf("a complete file was asked for again: %d requests, %v", h.requests.Load(), err)
	}
}

// cutOff sends the first half of what was asked for and hangs up.
func (h *hub) cutOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", fmt.Sprint(len(h.data)))
	_, _ = w.Write(h.data[:len(h.data)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestDownloadGoesOnAfterAnInterruption(t *testing.T) {
	fast(t)
	h := newHub(t, 1<<20)
	h.handle = func(n int32, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			h.cutOff(w)
		}
		return n == 1
	}
	d := h.download(t)
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
	if len(h.ranges) != 2 || h.ranges[1] != fmt.Sprintf("bytes=%d-", 1<<19) {
		t.Errorf("asked for %q, expected the second half at the second time", h.ranges)
	}
}

func TestDownloadGoesOnInAnotherRun(t *testing.T) {
	h := newHub(t, 1<<20)
	d := h.download(t)
	write(t, d.path+".part", h.data[:100_000])
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
	if h.ranges[0] != "bytes=100000-" {
		t.Errorf("asked for %q", h.ranges)
	}
}

func TestDownloadOfAWholePart(t *testing.T) {
	fast(t)
	h := newHub(t, 1<<16)
	d := h.download(t)
	write(t, d.path+".part", h.data)
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
}

func TestDownloadOverAPartOfAnotherFile(t *testing.T) {
	fast(t)
	h := newHub(t, 1<<16)
	d := h.download(t)
	write(t, d.path+".part", make([]byte, 1<<17))
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
}

func TestDownloadFromAServerWithoutRanges(t *testing.T) {
	h := newHub(t, 1<<16)
	h.handle = func(_ int32, w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(h.data)
		return true
	}
	d := h.download(t)
	write(t, d.path+".part", []byte("the beginning of something"))
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
}

func TestDownloadRefusesOtherBytes(t *testing.T) {
	h := newHub(t, 1<<16)
	d := h.download(t)
	d.sha256 = "00000000"
	err := run(d)
	errorWith(t, err, "SHA-256", "expected 00000000")
	if left, _ := filepath.Glob(d.path + "*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestDownloadGivesUp(t *testing.T) {
	fast(t)
	for status, tries := range map[int]int32{http.StatusNotFound: 1, http.StatusForbidden: 1, http.StatusBadGateway: maxTries, http.StatusTooManyRequests: maxTries} {
		h := newHub(t, 16)
		h.handle = func(_ int32, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		}
		err := run(h.download(t))
		errorWith(t, err, fmt.Sprint(status), h.URL)
		if h.requests.Load() != tries {
			t.Errorf("%d: asked %d times, expected %d", status, h.requests.Load(), tries)
		}
	}
}

func TestDownloadThatStalls(t *testing.T) {
	fast(t)
	stallTimeout = 50 * time.Millisecond
	h := newHub(t, 1<<16)
	h.handle = func(n int32, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(h.data)))
		_, _ = w.Write(h.data[:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	d := h.download(t)
	var log []string
	d.opts.Log = func(s string) { log = append(log, s) }
	if err := run(d); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d, h.data)
	if !strings.Contains(strings.Join(log, "\n"), "no data for too long") {
		t.Errorf("log: %q", log)
	}
}

func TestDownloadCancelledKeepsWhatItHas(t *testing.T) {
	h := newHub(t, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	h.handle = func(_ int32, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(h.data)))
		_, _ = w.Write(h.data[:1<<19])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	d := h.download(t)
	d.opts.Progress = func(done, _ int64) {
		if done == 1<<19 {
			cancel()
		}
	}
	if _, err := d.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(d.path + ".part"); err != nil || info.Size() != 1<<19 {
		t.Errorf("%v, %v: what had come is not kept", info, err)
	}
}

func TestPullOfAHubModel(t *testing.T) {
	h := newHub(t, 0)
	h.data = safetensors(t, "resnet18", 2, same) // the reader looks at the content, not at the extension
	sum := sha256.Sum256(h.data)
	e := torchvision("resnet18", "resnet18", "V1", "resnet18-"+hex.EncodeToString(sum[:4])+".pth", 512, imageNet(256, 224, imgvec.Bilinear))
	var log []string
	opts := PullOptions{Home: t.TempDir(), URL: h.URL, Log: func(s string) { log = append(log, s) }}
	m, err := e.pull(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	random, err := Random("resnet18", 2, RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if m.SHA256 != random.SHA256 || m.Name != "resnet18" || m.Spec.Dim != 512 {
		t.Errorf("%+v", m)
	}
	if got := m.Manifest.Weights.SHA256; got != hex.EncodeToString(sum[:]) {
		t.Errorf("the manifest says %q of the weights, whose SHA-256 is %x", got, sum)
	}
	if text := strings.Join(log, "\n"); !contains(text, "licence: BSD-3-Clause") || !contains(text, "downloading "+h.URL) {
		t.Errorf("log: %s", text)
	}
}

// The second waits for the first and finds its file.
func TestTwoPullsAtOnceDownloadOnce(t *testing.T) {
	h := newHub(t, 0)
	h.data = safetensors(t, "resnet18", 2, same)
	sum := sha256.Sum256(h.data)
	e := torchvision("resnet18", "resnet18", "V1", "resnet18-"+hex.EncodeToString(sum[:4])+".pth", 512, imageNet(256, 224, imgvec.Bilinear))
	h.handle = func(_ int32, w http.ResponseWriter, _ *http.Request) bool { // in two parts, so that two would mix
		_, _ = w.Write(h.data[:1000])
		w.(http.Flusher).Flush()
		time.Sleep(200 * time.Millisecond)
		_, _ = w.Write(h.data[1000:])
		return true
	}
	opts := PullOptions{Home: t.TempDir(), URL: h.URL}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			file, got, err := openDownload(context.Background(), e, opts)
			if err != nil {
				t.Error(err)
				return
			}
			if got != hex.EncodeToString(sum[:]) {
				t.Errorf("hash %s", got)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := h.requests.Load(); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
}

func TestPullWithoutTheHub(t *testing.T) {
	fast(t)
	_, err := Pull(context.Background(), "resnet50", PullOptions{Home: t.TempDir(), URL: "http://127.0.0.1:1/resnet50-0676ba61.pth"})
	errorWith(t, err, "connection refused", "imgvec model import resnet50-0676ba61.pth")
	_, err = Pull(context.Background(), "resnet50", PullOptions{Home: t.TempDir(), URL: "http://no-such-host.invalid/w.pth"})
	errorWith(t, err, "no-such-host.invalid", "on another machine")
	_, err = Pull(context.Background(), "resnet05", PullOptions{Home: t.TempDir()})
	errorWith(t, err, "did you mean resnet50")
	if !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("%v is no ErrModel", err)
	}
}

func TestRegistryIsConsistent(t *testing.T) {
	seen := map[string]bool{}
	for i, e := range Registry() {
		if i == 0 && e.Name != Default {
			t.Errorf("the first entry is %s, not the default", e.Name)
		}
		if seen[e.Name] || checkName(e.Name) != nil {
			t.Errorf("name %q", e.Name)
		}
		seen[e.Name] = true
		if err := e.Preset.Check(); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if e.License == "" || e.Source == "" || e.Description == "" || e.Dim == 0 {
			t.Errorf("%+v", e)
		}
		if whole := len(e.SHA256) == 64; !e.Random && whole != (e.SHA256Note == "") {
			t.Errorf("%s: hash %q, note %q", e.Name, e.SHA256, e.SHA256Note)
		}
		if !e.Random && len(e.SHA256) < 8 {
			t.Errorf("%s: hash %q", e.Name, e.SHA256)
		}
		if want := hubHash(e.WeightsFile); !strings.HasPrefix(e.SHA256, want) {
			t.Errorf("%s: hash %s, file name %s", e.Name, e.SHA256, e.WeightsFile)
		}
	}
}
