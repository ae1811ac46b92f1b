package imgvec_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/imgvec/imgvec/internal/fetch"
)

// TestVersionsAgree holds versions.mk, which people and the Makefile read, and the pins, which the program has in it.
func TestVersionsAgree(t *testing.T) {
	text, err := os.ReadFile("versions.mk")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":="); ok {
			vars[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	pieces, err := fetch.Pieces()
	if err != nil {
		t.Skip(err)
	}
	gpu, err := fetch.GPUPieces()
	if err != nil {
		t.Skip(err)
	}
	pins := map[string]fetch.Pin{
		"EFFICIENTNET_LITE0": fetch.EfficientNetLite0, "EFFICIENTNET_LITE1": fetch.EfficientNetLite1, "EFFICIENTNET_LITE2": fetch.EfficientNetLite2,
	}
	names := map[string]string{
		"onnxruntime": "ONNXRUNTIME", "onnxruntime-ep-openvino": "OPENVINO_EP", "pillow": "PILLOW",
		"onnxruntime-gpu": "ONNXRUNTIME_GPU", "nvidia-cuda-runtime": "CUDA_RUNTIME", "nvidia-cublas": "CUBLAS", "nvidia-curand": "CURAND",
		"nvidia-cuda-nvrtc": "NVRTC", "nvidia-cudnn-cu13": "CUDNN",
	}
	for _, piece := range append(pieces[:len(pieces):len(pieces)], gpu...) {
		if names[piece.Name] == "" {
			t.Errorf("versions.mk does not know %s", piece.Name)
		}
		pins[names[piece.Name]] = piece.Pin
	}
	for name, pin := range pins {
		if got := vars[name+"_VERSION"]; got != pin.Version {
			t.Errorf("%s_VERSION is %q in versions.mk and %q in internal/fetch", name, got, pin.Version)
		}
		if got := vars[name+"_SHA256"]; got != pin.SHA256 {
			t.Errorf("%s_SHA256 is %q in versions.mk and %q in internal/fetch", name, got, pin.SHA256)
		}
	}
}

func TestChangelogHasUnreleased(t *testing.T) {
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n## [Unreleased]\n") {
		t.Error("CHANGELOG.md has no section [Unreleased]: every change that a user notices goes there first (keepachangelog.com)")
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeBlock    = regexp.MustCompile("(?s)```.*?```")
	notSlug      = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestLinksInDocumentsLead(t *testing.T) {
	for _, name := range repoFiles(t) {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range markdownLink.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(text), ""), -1) {
			checkLink(t, name, match[1])
		}
	}
}

func checkLink(t *testing.T, from, link string) {
	t.Helper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	info, err := os.Stat(filepath.FromSlash(target))
	if err != nil {
		t.Errorf("%s links to %s, which is not there", from, link)
		return
	}
	if anchor == "" || info.IsDir() || path.Ext(target) != ".md" {
		return
	}
	text, err := os.ReadFile(filepath.FromSlash(target))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(codeBlock.ReplaceAllString(string(text), ""), "\n") {
		if strings.HasPrefix(line, "#") && slug(strings.TrimLeft(line, "# ")) == anchor {
			return
		}
	}
	t.Errorf("%s links to %s, but %s has no such heading", from, link, target)
}

// slug is the anchor that a heading gets.
func slug(heading string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// TestFilesNameNoMachine keeps out what is true on one machine only. Package indexes and mirrors are for pip and go to
// know: who uses a mirror has set it there.
func TestFilesNameNoMachine(t *testing.T) {
	words := []string{"/wo" + "rk/", "/ro" + "ot/", "/home/" + "user", "/Us" + "ers/", "py" + "pi.org", "python" + "hosted", "proxy.go" + "lang.org", "registry.np" + "mjs"}
	for _, name := range repoFiles(t) {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1<<20 || !utf8.Valid(text) {
			continue
		}
		for _, word := range words {
			if strings.Contains(string(text), word) {
				t.Errorf("%s contains %q, which is one machine's or one network's matter", name, word)
			}
		}
	}
}

// TestDecisionsHaveTheirParts keeps the pages of docs/decisions comparable.
func TestDecisionsHaveTheirParts(t *testing.T) {
	pages, err := filepath.Glob("docs/decisions/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no decisions found: %v", err)
	}
	numbered := regexp.MustCompile(`^\d{4}-[a-z0-9-]+\.md$`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !numbered.MatchString(filepath.Base(page)) {
			t.Errorf("%s is not named NNNN-title.md", page)
		}
		for _, part := range []string{"## Context", "## Options", "## Choice", "## Cost"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s has no %q", page, part)
			}
		}
	}
}
