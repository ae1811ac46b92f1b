package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const page = "# Page\n\nwords\n\n<!-- bench:cpu -->\nold\n<!-- bench:cpu end -->\n\nmore words\n\n<!-- bench:gpu -->\n<!-- bench:gpu end -->\n\n<!-- bench:spark -->\n<!-- bench:spark end -->\n"

// renderDir renders the files of dir into a fresh page.
func renderDir(t *testing.T, dir string) (text string, err error) {
	t.Helper()
	doc := filepath.Join(dir, "page.md")
	if err := os.WriteFile(doc, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	err = render([]string{"-results", dir, "-doc", doc})
	got, readErr := os.ReadFile(doc)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(got), err
}

func TestRender(t *testing.T) {
	dir := t.TempDir()
	if err := fakeRun(t, false).append(filepath.Join(dir, "2026-11-22-fake-gpu-1.jsonl")); err != nil {
		t.Fatal(err)
	}
	all := []*contender{fakePeer(t, library, "0.5"), fakePeer(t, torchScript, "5")}
	for _, c := range all {
		c.rounds = []result{{Images: 10, Seconds: map[string]float64{library: 0.5, torchScript: 5}[c.name]}}
	}
	for range 2 { // two runs of one model
		if err := report(io.Discard, options{images: 10, rounds: 1, results: dir, model: "m"}, all); err != nil {
			t.Fatal(err)
		}
	}
	text, err := renderDir(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"words", "more words", "10.00x (10.00 - 10.00)", "### m on Fake GPU 1", "| session | 8000.00 | 125 | 1.00 of 40.0 TFLOP/s, 2 % |",
		"2.00x (2.00x - 2.00x)", "fake-gpu-1-m-offline-u8.svg", "commit abc, `bench gpu`", "left out: ort-python",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "old") || strings.Count(text, "10.00x (") != 2 {
		t.Errorf("old text is left, or not two runs:\n%s", text)
	}
	again, err := renderDir(t, dir)
	if err != nil || again != text {
		t.Errorf("a second time: %v, other text", err)
	}
	plots, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(plots) != 4 {
		t.Errorf("plots %v, %v", plots, err)
	}
	for _, path := range plots {
		wellFormed(t, path)
	}
}

func wellFormed(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := xml.NewDecoder(f); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
	}
}

func TestRenderWithoutGPUResultsSaysSo(t *testing.T) {
	if text, err := renderDir(t, t.TempDir()); err != nil || !strings.Contains(text, "Nothing has been measured on a GPU") {
		t.Errorf("%v:\n%s", err, text)
	}
}

func TestRenderRefusesAPageWithoutMarkers(t *testing.T) {
	for _, text := range []string{"", "<!-- bench:cpu end -->\n<!-- bench:cpu -->\n", "<!-- bench:cpu -->\n", page + page} {
		if _, err := replaceBetween([]byte(text), "cpu", "x"); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestTheProjectsPageIsRendered(t *testing.T) {
	doc := filepath.Join("..", "docs", "performance.md")
	was, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dir, docs := filepath.Join(root, "bench", "results"), filepath.Join(root, "docs", "performance.md")
	if err := errors.Join(os.MkdirAll(filepath.Dir(docs), 0o755), os.CopyFS(dir, os.DirFS("results")), os.WriteFile(docs, was, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := render([]string{"-results", dir, "-doc", docs}); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(docs)
	if err != nil || string(now) != string(was) {
		t.Errorf("docs/performance.md is not what bench/results says: make -C bench render (%v)", err)
	}
	plots, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	for _, path := range plots {
		want, _ := os.ReadFile(path)
		if got, err := os.ReadFile(filepath.Join("results", filepath.Base(path))); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the results say: make -C bench render", filepath.Base(path))
		}
	}
}
