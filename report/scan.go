package report

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/dataset"
)

// scan is what one pass over an output counts.
type scan struct {
	rows, failed, unusable int64
	norms                  []float32 // of the usable vectors, in their order
	megapixels             []float32 // of the pictures whose size is known
	reasons                map[string]*reason
	cov                    *covariance
	row                    []float32 // a vector at length 1
}

// reason is why images failed.
type reason struct {
	text  string
	count int64
	rows  []int64 // the first of them
}

func (s *scan) usable() int64 { return int64(len(s.norms)) }

// scanAll reads the rows in order, so that sums come out the same each time.
func scanAll(ctx context.Context, v *dataset.Vectors, level csrc.Level) (*scan, error) {
	dim := v.Meta().Dim
	s := &scan{reasons: map[string]*reason{}, row: make([]float32, dim)}
	if dim > 0 {
		s.cov = newCovariance(dim, level)
	}
	stride, err := covarianceStride(ctx, v)
	if err != nil {
		return nil, err
	}
	err = v.Each(ctx, dataset.Columns{Features: true, Outcomes: true}, 1, func(_ int, b *dataset.Batch) error {
		s.outcomes(b)
		for i := range b.Index {
			row := b.Vector(i)
			norm := unit(row)
			if norm == 0 {
				s.unusable++
				continue
			}
			if len(s.norms)%stride == 0 {
				s.cov.add(row)
			}
			s.norms = append(s.norms, norm)
		}
		return nil
	})
	if s.cov != nil {
		s.cov.flush()
	}
	return s, err
}

// covarianceStride says of how many vectors one goes into the covariance, to keep its cost within bounds.
func covarianceStride(ctx context.Context, v *dataset.Vectors) (int, error) {
	rows, known := v.Rows()
	if !known {
		err := v.Each(ctx, dataset.Columns{}, 1, func(_ int, b *dataset.Batch) error { rows += int64(b.Len); return nil })
		if err != nil {
			return 1, err
		}
	}
	const products = 2e11 // some seconds a core
	dim := float64(v.Meta().Dim)
	return max(1, int(math.Ceil(float64(rows)*dim*dim/products))), nil
}

// unit scales a vector to length 1 and returns the length it had; 0 where it has no direction.
func unit(v []float32) float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	norm := math.Sqrt(sum)
	if !(norm > 0) || math.IsInf(norm, 0) {
		return 0
	}
	for i, x := range v {
		v[i] = float32(float64(x) / norm)
	}
	return float32(norm)
}

// outcomes counts what became of the rows.
func (s *scan) outcomes(b *dataset.Batch) {
	s.rows += int64(b.Len)
	next := 0
	for i := range b.Len {
		if b.Width != nil && b.Height != nil && b.Width[i] > 0 && b.Height[i] > 0 {
			s.megapixels = append(s.megapixels, float32(float64(b.Width[i])*float64(b.Height[i])/1e6))
		}
		if next < len(b.Index) && int(b.Index[next]) == i {
			next++
			continue
		}
		s.failed++
		text := "the reason is not known"
		if b.Errors != nil && b.Errors[i] != "" {
			text = kind(b.Errors[i])
		}
		r := s.reasons[text]
		if r == nil {
			if len(s.reasons) >= 1000 { // reasons of which each is its own, and no kinds
				text = "other reasons"
				if r = s.reasons[text]; r == nil {
					r = &reason{text: text}
				}
			} else {
				r = &reason{text: text}
			}
			s.reasons[text] = r
		}
		r.count++
		if len(r.rows) < examplesShown {
			r.rows = append(r.rows, b.Row+int64(i))
		}
	}
}

var (
	quotes  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	numbers = regexp.MustCompile(`\d+`)
)

// kind is a reason without what is of one image only: names in quotes, numbers.
func kind(text string) string {
	text = numbers.ReplaceAllString(quotes.ReplaceAllString(text, "…"), "N")
	return display(strings.TrimSpace(text))
}

// commonest are the reasons, the commonest first.
func (s *scan) commonest() []*reason {
	out := make([]*reason, 0, len(s.reasons))
	for _, r := range s.reasons {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *reason) int {
		if a.count != b.count {
			return int(b.count - a.count)
		}
		return strings.Compare(a.text, b.text)
	})
	return out
}
