package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/internal/testdata"
)

// opened is what open.mjs found.
type opened struct {
	Browser string
	Views   []struct {
		Name                                string
		Console, Requests, Headings, Broken []string
		Title, Hacked, Background           string
		Scripts, Images, Loaded, WithoutAlt int
		Overflow, Text                      int
		OpenMilliseconds                    int
		Map                                 struct {
			Dot                         string
			Drawn                       int
			Hover, Held, Released, Next struct {
				Text    string
				Picture bool
			}
			Zoomed, Back, Pictures bool
		}
	}
}

// openPage opens a page in a real browser: the folder with the packages of testdata/browser stands in IMGVEC_BROWSER
// (make test-report makes it). Screenshots go to the folder IMGVEC_SCREENSHOTS.
func openPage(t *testing.T, page string) opened {
	t.Helper()
	dir := os.Getenv("IMGVEC_BROWSER")
	if dir == "" {
		testdata.Require(t, "browser", "IMGVEC_BROWSER must name the folder of the browser: make test-report makes it")
	}
	args := []string{"testdata/browser/open.mjs", page}
	if shots := os.Getenv("IMGVEC_SCREENSHOTS"); shots != "" {
		shots = filepath.Join(shots, t.Name())
		must(t, os.MkdirAll(shots, 0o777))
		args = append(args, shots)
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(t, err)
	var o opened
	must(t, json.Unmarshal(out, &o))
	if len(o.Views) != 3 {
		t.Fatalf("%d views: %s", len(o.Views), out)
	}
	return o
}

func writePage(t testing.TB, v *dataset.Vectors, opts Options) string {
	t.Helper()
	page, err := Build(t.Context(), v, opts)
	must(t, err)
	path := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(path)
	must(t, err)
	must(t, page.Write(f))
	must(t, f.Close())
	return path
}

func TestPageInABrowser(t *testing.T) {
	output := filepath.Join(t.TempDir(), "features.parquet")
	made(t, output, 3000, 64, dataset.Meta{Model: "efficientnet-lite0", Precision: imgvec.FP32})
	v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
	must(t, err)
	o := openPage(t, writePage(t, v, Options{Near: 0.99, Title: "Photos, made up"}))
	backgrounds := map[string]string{}
	for _, view := range o.Views {
		backgrounds[view.Name] = view.Background
		if len(view.Console) > 0 || len(view.Requests) != 1 || !strings.HasPrefix(view.Requests[0], "file:") {
			t.Errorf("%s: console %q, requests %q", view.Name, view.Console, view.Requests)
		}
		if want := "Map,Nearest neighbours,Near-duplicates,Failures,Distributions,File"; strings.Join(view.Headings, ",") != want || view.Title != "Photos, made up" {
			t.Errorf("%s: title %q, headings %q", view.Name, view.Title, view.Headings)
		}
		if view.Images < 24*9 || view.Loaded != view.Images || view.WithoutAlt > 0 {
			t.Errorf("%s: %d images, %d with a picture, %d without a text", view.Name, view.Images, view.Loaded, view.WithoutAlt)
		}
		if view.Overflow > 0 {
			t.Errorf("%s: the page is %d pixels too wide", view.Name, view.Overflow)
		}
		m := view.Map
		if m.Dot == "" || m.Drawn == 0 || m.Hover.Text != m.Dot || !m.Hover.Picture || m.Held != m.Hover {
			t.Errorf("%s: pointing at %q shows %+v, held %+v", view.Name, m.Dot, m.Hover, m.Held)
		}
		if m.Released.Picture || !m.Zoomed || !m.Back || !m.Next.Picture || !m.Pictures {
			t.Errorf("%s: keys: %+v", view.Name, m)
		}
		t.Logf("%s, Chromium %s: open in %d ms", view.Name, o.Browser, view.OpenMilliseconds)
	}
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark have the same background: %v", backgrounds)
	}
}

// hostile are ids that try to leave their place on a page.
var hostile = []string{
	`</script><script>window.hacked=1</script>`, `"><img src=x onerror=window.hacked=1>`, `' onmouseover='window.hacked=1`, `<!--`,
	`]]></bdi><h1>`, "\u202egpj.exe\u2066", "a\x00b\x1b[31m\r\n", "\xff\xfe broken \xc3", `{{.Title}}`, `javascript:window.hacked=1`,
	strings.Repeat("very long/", 3000), `\u003cscript\u003e`, "\u2028\u2029`${window.hacked=1}`", "", " ", "файл/图像.jpg",
	`C:\photos\"x".jpg`, `&lt;b&gt;`, `<svg onload=window.hacked=1>`, `__proto__`,
}

func hostileOutput(t *testing.T) *dataset.Vectors {
	t.Helper()
	output := filepath.Join(t.TempDir(), "hostile.parquet")
	text := strings.Join(hostile[:5], " ")
	w, err := dataset.Create(output, dataset.Meta{Model: text, Device: text, Dim: 16, RandomWeights: true}, dataset.WriterOptions{})
	must(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	for i, id := range hostile {
		res := imgvec.Result{ID: id, Features: vector(r, nil, 16, 1)}
		if i%4 == 3 {
			res.Err = fmt.Errorf("%w: %s", imgvec.ErrDecode, id)
		}
		must(t, w.Write(dataset.Row{Result: res}))
		must(t, w.Write(dataset.Row{Result: imgvec.Result{ID: id, Features: vector(r, nil, 16, 1)}}))
	}
	must(t, w.Finish())
	v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
	must(t, err)
	return v
}

func TestHostileIDsInABrowser(t *testing.T) {
	o := openPage(t, writePage(t, hostileOutput(t), Options{Title: hostile[0] + hostile[5], Near: 0.6}))
	for _, view := range o.Views {
		if len(view.Console) > 0 || len(view.Requests) != 1 {
			t.Errorf("%s: console %q, requests %q", view.Name, view.Console, view.Requests)
		}
		if view.Hacked != "undefined" || view.Scripts != 2 || len(view.Headings) != 6 {
			t.Errorf("%s: an id has run: hacked is %s, %d scripts, headings %q", view.Name, view.Hacked, view.Scripts, view.Headings)
		}
		if view.Overflow > 0 || view.Text > 60_000 {
			t.Errorf("%s: %d pixels too wide, a text of %d letters", view.Name, view.Overflow, view.Text)
		}
		if len(view.Broken) == 0 {
			t.Errorf("%s: images that are not there are not marked", view.Name)
		}
	}
}
