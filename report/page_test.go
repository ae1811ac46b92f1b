package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

func pageOf(t testing.TB, v *dataset.Vectors, opts Options) string {
	t.Helper()
	page, err := Build(t.Context(), v, opts)
	must(t, err)
	var b bytes.Buffer
	must(t, page.Write(&b))
	return b.String()
}

func TestPageIsTheSameEachTime(t *testing.T) {
	output := filepath.Join(t.TempDir(), "features.parquet")
	made(t, output, 2500, 1280, dataset.Meta{}) // several row groups
	v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
	must(t, err)
	want := pageOf(t, v, Options{})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if pageOf(t, v, Options{}) != want {
		t.Error("on one core the page is another")
	}
}

func TestHostileIDsAreEscaped(t *testing.T) {
	text := pageOf(t, hostileOutput(t), Options{Title: hostile[0], Near: 0.6})
	if n := strings.Count(text, "<script"); n != 2 {
		t.Errorf("%d scripts, want the page's own two", n)
	}
	for _, bad := range []string{"<img src=x", "<svg onload", "\u202e", "\u2066", "\x1b", "\x00", "\u2028", "<h1>\n"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
	if len(text) > 400_000 {
		t.Errorf("%d bytes: very long ids are not cut", len(text))
	}
	if !strings.Contains(text, "random weights") {
		t.Error("the page does not say that the weights were random")
	}
}

func TestDisplay(t *testing.T) {
	for in, want := range map[string]string{
		"a b/ü.jpg": "a b/ü.jpg", "\u202egpj": `\u202egpj`, "a\nb": `a\u000ab`, "\xff": "\uFFFD", "a\u00a0b": `a\u00a0b`, "e\u0301": "e\u0301",
		strings.Repeat("0123456789", 30): strings.Repeat("0123456789", 9) + "012345678…" + strings.Repeat("0123456789", 10),
	} {
		if got := display(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		for _, r := range display(in) {
			if unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) {
				t.Errorf("%q: %q is left", in, r)
			}
		}
	}
}

// TestPageWithoutAnything: outputs without rows, without vectors, with one vector, with vectors that are all the same.
func TestPageWithoutAnything(t *testing.T) {
	for name, rows := range map[string][][]float32{
		"empty": nil, "failed": {nil, nil}, "one": {{1, 2, 3}}, "same": {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}},
		"zero": {{0, 0, 0}, {0, 0, 0}}, "nan": {{float32(math.NaN()), 0, 1}, {1, 0, 0}},
	} {
		output := filepath.Join(t.TempDir(), name+".parquet")
		w, err := dataset.Create(output, dataset.Meta{Dim: 3}, dataset.WriterOptions{})
		must(t, err)
		for i, v := range rows {
			r := imgvec.Result{ID: strconv.Itoa(i), Features: v}
			if v == nil {
				r.Err = imgvec.ErrDecode
			}
			must(t, w.Write(dataset.Row{Result: r}))
		}
		must(t, w.Finish())
		v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
		must(t, err)
		text := pageOf(t, v, Options{})
		for want, when := range map[string]bool{
			"There are no vectors to draw.": name == "empty" || name == "failed" || name == "zero",
			"No image failed.":              name != "failed",
			"3 images in 1 group:":          name == "same",
			"2 vectors that are zero":       name == "zero",
		} {
			if strings.Contains(text, want) != when {
				t.Errorf("%s: %q stands in the page: %v", name, want, !when)
			}
		}
	}
}

// TestComponents compares the directions that are found with those that the vectors were made along.
func TestComponents(t *testing.T) {
	const dim, rows = 30, 4000
	level, err := csrc.Choose()
	must(t, err)
	c := newCovariance(dim, level)
	x := uint64(1)
	random := func() float64 { // the sum of some uniform numbers, of variance 1
		sum := 0.0
		for range 12 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			sum += float64(x>>11) / (1 << 53)
		}
		return sum - 6
	}
	for range rows {
		v := make([]float32, dim)
		a, b := 3*random(), 2*random()
		for j := range v {
			v[j] = float32(0.3*random()) + 5
		}
		v[3] += float32(a * 0.6)
		v[7] += float32(a * 0.8)
		v[11] += float32(b)
		c.add(v)
	}
	c.flush()
	got := c.basis(level)
	at := func(i, j int) float64 { return float64(got.vectors[i*dim+j]) }
	if math.Abs(at(0, 3)-0.6) > 0.02 || math.Abs(at(0, 7)-0.8) > 0.02 || math.Abs(math.Abs(at(1, 11))-1) > 0.02 {
		t.Errorf("components %v and %v", got.vectors[:dim], got.vectors[dim:2*dim])
	}
	if math.Abs(got.variance[0]-9.09) > 0.6 || math.Abs(got.variance[1]-4.09) > 0.4 || math.Abs(got.total-(9+4+0.09*dim)) > 0.8 {
		t.Errorf("variances %v of %v", got.variance[:2], got.total)
	}
	for i := range got.n {
		for j := range i {
			dot := 0.0
			for k := range dim {
				dot += at(i, k) * at(j, k)
			}
			if math.Abs(dot) > 1e-5 {
				t.Errorf("directions %d and %d are not at right angles: %v", i, j, dot)
			}
		}
	}
}

// TestLargeOutput holds the page of 100,000 rows under 5 MB. IMGVEC_LONG=1 runs it; docs/similar.md has what it logs.
func TestLargeOutput(t *testing.T) {
	if os.Getenv("IMGVEC_LONG") != "1" {
		t.Skip("IMGVEC_LONG=1 runs it: it takes minutes and 1 GB of disk")
	}
	output := filepath.Join(t.TempDir(), "features.parquet")
	made(t, output, 100_000, 1280, dataset.Meta{Model: "efficientnet-lite0", Precision: imgvec.FP32})
	v, err := dataset.OpenVectors(output, dataset.VectorsOptions{})
	must(t, err)
	start := time.Now()
	path := writePage(t, v, Options{})
	info, err := os.Stat(path)
	must(t, err)
	t.Logf("%d bytes of features, page of %d bytes in %v", v.Size(), info.Size(), time.Since(start).Round(time.Second))
	if info.Size() >= 5_000_000 {
		t.Errorf("%d bytes, want under 5,000,000", info.Size())
	}
	if os.Getenv("IMGVEC_BROWSER") != "" {
		for _, view := range openPage(t, path).Views {
			t.Logf("%s: open in %d ms", view.Name, view.OpenMilliseconds)
		}
	}
}
