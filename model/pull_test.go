package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// hubServer serves one file and counts.
type hubServer struct {
	*httptest.Server
	data     []byte
	requests atomic.Int32
	ranges   []string // the Range headers it got
	handle   func(n int32, w http.ResponseWriter, r *http.Request) bool
}

func newHub(t *testing.T, size int) *hubServer {
	h := &hubServer{data: bytes.Repeat([]byte("0123456789abcdef"), size/16)}
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
			e := e
			file, err := e.open(context.Background(), opts)
			if err != nil {
				t.Error(err)
				return
			}
			if e.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("hash %s", e.SHA256)
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
	home := t.TempDir()
	_, err := Pull(context.Background(), "resnet50", PullOptions{Home: home, URL: "http://127.0.0.1:1/resnet50-0676ba61.pth"})
	errorWith(t, err, "connection refused", "on a machine that can reach it get "+torchHub+"resnet50-0676ba61.pth",
		"put it here as "+filepath.Join(home, "downloads", "resnet50-0676ba61.pth"), "IMGVEC_MIRROR")
	_, err = Pull(context.Background(), "resnet50", PullOptions{Home: t.TempDir(), URL: "http://no-such-host.invalid/w.pth"})
	errorWith(t, err, "no-such-host.invalid", "on a machine that can reach it")
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
		if whole := len(e.SHA256) == 64; !e.Random && !whole && e.SHA256Note == "" {
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
