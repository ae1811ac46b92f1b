package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/dataset"
)

// features extracts pictures with a model that is cheap, in a folder that holds both; it returns the folder, the ids and
// the model.
func features(t *testing.T, format string) (dir string, ids []string, model string) {
	t.Helper()
	needModel(t)
	dir, model = pictures(t, 5), tinyModel(t)
	ids = left(t, dir)
	must(t, os.WriteFile(filepath.Join(dir, "broken.jpg"), []byte("no image"), 0o644))
	args := append([]string{"extract", "-o", "features" + format, "--model", model, "--progress", "none"}, append(ids, "broken.jpg")...)
	call{args: args, dir: dir}.run(t).want(t, 0)
	return dir, ids, model
}

func lines(t *testing.T, text string) (out []neighbourLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l neighbourLine
		must(t, json.Unmarshal([]byte(line), &l))
		out = append(out, l)
	}
	return out
}

func TestSimilarByID(t *testing.T) {
	for _, format := range []string{".parquet", ".arrow", ".npy", ".jsonl"} {
		dir, ids, _ := features(t, format)
		o := call{args: []string{"similar", ids[2], "--in", "features" + format, "--json", "-k", "50"}, dir: dir}.run(t)
		o.want(t, 0, "is an id of features"+format+" and a file", "5 of 6 rows compared; left out: 1 without features")
		got := lines(t, o.stdout)
		if len(got) != 4 {
			t.Fatalf("%s: %d neighbours of 5 images, want 4: %s", format, len(got), o.stdout)
		}
		for i, l := range got {
			if l.ID == ids[2] || l.Rank != i+1 || l.Query != ids[2] || ids[l.Row] != l.ID || i > 0 && l.Score > got[i-1].Score {
				t.Errorf("%s: line %d: %+v", format, i, l)
			}
		}
		o = call{args: []string{"similar", ids[2], "--in", "features" + format, "--json", "-k", "1", "--include-self"}, dir: dir}.run(t)
		if got := lines(t, o.stdout); len(got) != 1 || got[0].ID != ids[2] || got[0].Score != 1 {
			t.Errorf("%s: the nearest with itself: %s", format, o.stdout)
		}
	}
}

func TestSimilarByImage(t *testing.T) {
	dir, ids, model := features(t, ".parquet")
	data, err := os.ReadFile(filepath.Join(dir, ids[1]))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "copy of it"), data, 0o644))
	o := call{args: []string{"similar", "copy of it", ids[0], "--in", "features.parquet", "--model", model, "-k", "2"}, dir: dir}.run(t)
	o.want(t, 0)
	if blocks := strings.Split(o.stdout, "\n\n"); len(blocks) != 2 || !strings.HasPrefix(blocks[0], "copy of it\n   1.0000  "+ids[1]+"\n") {
		t.Errorf("neighbours of a copy:\n%s", o.stdout)
	}
	call{args: []string{"similar", "copy of it", "--in", "features.parquet"}, dir: dir}.run(t).
		want(t, 1, `features.parquet was made by model "tiny", which is needed for the features of an image`)
	call{args: []string{"similar", "copy of it", "--in", "features.parquet", "--model", "efficientnet-lite0"}, dir: dir}.run(t).
		want(t, 1, "vectors of different models can't be compared")
	call{args: []string{"similar", "broken.jpg", "--as", "image", "--in", "features.parquet", "--model", model}, dir: dir}.run(t).
		want(t, 1, `query "broken.jpg"`)
}

func TestSimilarRefuses(t *testing.T) {
	dir, ids, _ := features(t, ".parquet")
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"similar", ids[0]}, 2, "--in FEATURES is missing"},
		{[]string{"similar", "--in", "features.parquet"}, 2, "there is nothing to look for"},
		{[]string{"similar", "x", "--queries", "features.parquet", "--in", "features.parquet"}, 2, "not both"},
		{[]string{"similar", ids[0], "--in", "features.parquet", "--metric", "hamming"}, 2, `metric "hamming" is unknown (cosine, dot, l2)`},
		{[]string{"similar", ids[0], "--in", "features.parquet", "-o", "x.csv"}, 2, "neighbours are written as .jsonl or .parquet"},
		{[]string{"similar", ids[0], "--in", "features.parquet", "-o", "features.parquet"}, 2, "--force"},
		{[]string{"similar", "nothing", "--in", "features.parquet"}, 1, `"nothing" is neither an id of features.parquet (they look like "` + ids[0]},
		{[]string{"similar", "broken.jpg", "--in", "features.parquet"}, 1, `"broken.jpg" has no features in features.parquet: it failed there: `},
		{[]string{"similar", ids[0], "--in", "none.parquet"}, 1, "no such file: none.parquet"},
		{[]string{"similar", ids[0], "--in", ids[0]}, 2, "unknown format"},
		{[]string{"similar", ids[0], "--in", "features.parquet", "--features-column", "error"}, 2, `column "error" is utf8, no list of floats`},
	} {
		call{args: c.args, dir: dir}.run(t).want(t, c.code, c.text)
	}
}

func TestSimilarOfAWholeOutput(t *testing.T) {
	dir, ids, _ := features(t, ".parquet")
	for _, name := range []string{"n.jsonl", "n.parquet"} {
		args := []string{"similar", "--queries", "features.parquet", "--in", "features.parquet", "-o", name, "-k", "2"}
		call{args: args, dir: dir}.run(t).want(t, 0, name+": 10 neighbours of 5 queries", "1 row of features.parquet have no usable vector")
		call{args: args, dir: dir}.run(t).want(t, 2, "--force")
	}
	text, err := os.ReadFile(filepath.Join(dir, "n.jsonl"))
	must(t, err)
	got := lines(t, string(text))
	for i, l := range got {
		if l.Query != ids[i/2] || l.ID == l.Query || l.Rank != i%2+1 {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	// A list of neighbours is no output with features, and that is told with what it has.
	if _, err := dataset.OpenVectors(filepath.Join(dir, "n.parquet"), dataset.VectorsOptions{}); err == nil || !strings.Contains(err.Error(), "it has query, rank, id, score, row") {
		t.Errorf("the columns of n.parquet: %v", err)
	}
}

func TestReport(t *testing.T) {
	dir, ids, _ := features(t, ".parquet")
	args := []string{"report", "features.parquet", "-o", "report.html", "--title", "Five <pictures>"}
	call{args: args, dir: dir}.run(t).want(t, 0, "report.html: ")
	call{args: args, dir: dir}.run(t).want(t, 2, "--force")
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	must(t, err)
	for _, want := range append([]string{"<title>Five &lt;pictures&gt;</title>", "data-row=\"4\"", "broken.jpg"}, ids...) {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	must(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o777))
	call{args: []string{"report", "../features.parquet", "-o", "r.html"}, dir: filepath.Join(dir, "elsewhere")}.run(t).want(t, 0, "name the folder (--images)")
	call{args: []string{"report", "../features.parquet", "-o", "i.html", "--images", ".."}, dir: filepath.Join(dir, "elsewhere")}.run(t).want(t, 0)
	found, err := os.ReadFile(filepath.Join(dir, "elsewhere", "i.html"))
	must(t, err)
	if !strings.Contains(string(found), "data-row=\"4\"") {
		t.Error("--images finds no image")
	}
	call{args: []string{"report", "features.parquet", "-o", "r.pdf"}, dir: dir}.run(t).want(t, 2, "a report is written as .html")
	call{args: []string{"report", "features.parquet"}, dir: dir}.run(t).want(t, 2, "-o REPORT.html is missing")
	call{args: []string{"report", "features.parquet", "-o", "x.html", "--near", "2"}, dir: dir}.run(t).want(t, 2, "--near 2")
}
