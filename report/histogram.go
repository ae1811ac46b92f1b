package report

import (
	"fmt"
	"slices"
	"strconv"
)

// Histogram is how some values are distributed.
type Histogram struct {
	Bars    []Bar
	Summary string // in words
}

// Bar is the values between two.
type Bar struct {
	Label   string
	Count   int64
	Percent int // of the longest bar
}

func (h *Histogram) scale() *Histogram {
	var most int64
	for _, b := range h.Bars {
		most = max(most, b.Count)
	}
	for i, b := range h.Bars {
		if most > 0 && b.Count > 0 {
			h.Bars[i].Percent = max(1, int(b.Count*100/most))
		}
	}
	return h
}

// lengths is the histogram of the vectors' lengths; nil where there are none.
func lengths(norms []float32) *Histogram {
	if len(norms) == 0 {
		return nil
	}
	sorted := slices.Clone(norms)
	slices.Sort(sorted)
	least, most := float64(sorted[0]), float64(sorted[len(sorted)-1])
	h := &Histogram{Summary: fmt.Sprintf("from %.4g to %.4g, half of them under %.4g", least, most, sorted[len(sorted)/2])}
	bars := 24
	if most-least <= 1e-4*most {
		bars = 1
	}
	step := (most - least) / float64(bars)
	for i := range bars {
		from := least + float64(i)*step
		h.Bars = append(h.Bars, Bar{Label: fmt.Sprintf("%.4g to %.4g", from, from+step)})
	}
	for _, v := range sorted {
		at := 0
		if bars > 1 {
			at = min(int((float64(v)-least)/step), bars-1)
		}
		h.Bars[at].Count++
	}
	return h.scale()
}

// sizes is the histogram of the pictures' sizes in megapixels.
func sizes(megapixels []float32) *Histogram {
	if len(megapixels) == 0 {
		return nil
	}
	edges := []float32{0, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32}
	text := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
	h := &Histogram{}
	for i, from := range edges {
		label := text(from) + " and more"
		if i+1 < len(edges) {
			label = text(from) + " to " + text(edges[i+1])
		}
		h.Bars = append(h.Bars, Bar{Label: label + " megapixels"})
	}
	for _, v := range megapixels {
		at := len(edges) - 1
		for v < edges[at] {
			at--
		}
		h.Bars[at].Count++
	}
	sorted := slices.Clone(megapixels)
	slices.Sort(sorted)
	h.Summary = fmt.Sprintf("from %.3g to %.3g megapixels, half of them under %.3g", sorted[0], sorted[len(sorted)-1], sorted[len(sorted)/2])
	return h.scale()
}
