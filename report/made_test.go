package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/internal/testdata"
)

// made is an output that looks like one of a large folder: rows lie in clusters of uneven size, one in a hundred is nearly
// the same as an earlier one, one in two hundred failed for one of some reasons. The ids are links to the test data's
// photos, so that there are pictures to show, though not of what the vectors say. It returns the ids' folder.
func made(t testing.TB, output string, rows, dim int, meta dataset.Meta) string {
	t.Helper()
	photos, err := filepath.Glob(filepath.Join(testdata.Dir(t), "photos", "*"))
	must(t, err)
	dir := filepath.Join(filepath.Dir(output), "images")
	must(t, os.MkdirAll(dir, 0o777))
	meta.Dim = dim
	w, err := dataset.Create(output, meta, dataset.WriterOptions{})
	must(t, err)
	r := rand.New(rand.NewPCG(6, uint64(rows)))
	centres := make([][]float32, 60)
	for i := range centres {
		centres[i] = vector(r, nil, dim, 1)
	}
	var earlier [][]float32
	for i := range rows {
		id := filepath.Join(dir, fmt.Sprintf("%03d", i/1000), fmt.Sprintf("photo-%06d.jpg", i))
		must(t, os.MkdirAll(filepath.Dir(id), 0o777))
		must(t, os.Symlink(photos[i%len(photos)], id))
		res := imgvec.Result{ID: id, Width: 200 + r.IntN(1800), Height: 200 + r.IntN(1800)}
		switch {
		case i%200 == 199:
			res.Err = []error{imgvec.ErrDecode, fmt.Errorf("%w: 120000000 pixels, more than 89478485", imgvec.ErrTooLarge)}[r.IntN(2)]
		case i%100 == 50:
			res.Features = vector(r, earlier[r.IntN(len(earlier))], dim, 0.02)
		default:
			res.Features = vector(r, centres[int(60*math.Pow(r.Float64(), 2))], dim, 0.7)
		}
		if i%37 == 0 && res.Features != nil {
			earlier = append(earlier, res.Features)
		}
		must(t, w.Write(dataset.Row{Result: res}))
	}
	must(t, w.Finish())
	return dir
}

// vector is a centre (nil: the origin) with noise, none of it negative, as features after a network's last activation.
func vector(r *rand.Rand, centre []float32, dim int, noise float64) []float32 {
	v := make([]float32, dim)
	for j := range v {
		x := noise * r.NormFloat64()
		if centre != nil {
			x += float64(centre[j])
		}
		v[j] = float32(math.Max(x, 0))
	}
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
