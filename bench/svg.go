package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plots are SVG written by hand: two kinds are all that the bench needs, and the same results give the same bytes.

const (
	plotWidth, plotHeight = 760, 400
	plotLeft, plotTop     = 70, 50
	plotRight, plotBottom = 210, 50 // on the right stands the legend
)

var plotColours = []string{"#1b6ca8", "#d1495b", "#3a7d44", "#edae49", "#6a4c93", "#5c5c5c", "#00798c"}

// series is one line of a plot.
type series struct {
	name string
	x, y []float64
}

// plot collects the pieces of an SVG.
type plot struct{ strings.Builder }

func newPlot(title, what string, height int) *plot {
	p := &plot{}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(p, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	p.text(plotLeft, 20, "start", 14, title)
	p.text(plotLeft, 38, "start", 11, what)
	return p
}

func (p *plot) text(x, y float64, anchor string, size int, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="#222">%s</text>`+"\n", x, y, anchor, size, html.EscapeString(text))
}

func (p *plot) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func (p *plot) done() string {
	p.WriteString("</svg>\n")
	return p.String()
}

// lines plots rates over sizes of batch, which grow by doubling.
func lines(title, what, unit string, all []series) string {
	p := newPlot(title, what+"; "+unit+" over images a batch", plotHeight)
	minX, maxX, top := math.Inf(1), 0.0, 0.0
	for _, s := range all {
		for i := range s.x {
			minX, maxX, top = min(minX, s.x[i]), max(maxX, s.x[i]), max(top, s.y[i])
		}
	}
	top = roundUp(top)
	span := max(math.Log2(maxX/minX), 1)
	x := func(v float64) float64 { return plotLeft + math.Log2(v/minX)/span*(plotWidth-plotLeft-plotRight) }
	y := func(v float64) float64 {
		return plotHeight - plotBottom - v/top*(plotHeight-plotTop-plotBottom)
	}
	for i := range 6 {
		v := top * float64(i) / 5
		p.line(plotLeft, y(v), plotWidth-plotRight, y(v), "#ddd")
		p.text(plotLeft-6, y(v)+4, "end", 11, fmt.Sprintf("%g", v))
	}
	ticks := map[float64]bool{}
	for i, s := range all {
		colour := plotColours[i%len(plotColours)]
		var points []string
		for j := range s.x {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(s.x[j]), y(s.y[j])))
			fmt.Fprintf(p, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(s.x[j]), y(s.y[j]), colour)
			if !ticks[s.x[j]] {
				ticks[s.x[j]] = true
				p.text(x(s.x[j]), plotHeight-plotBottom+18, "middle", 11, fmt.Sprint(s.x[j]))
			}
		}
		fmt.Fprintf(p, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
		p.key(i, colour, s.name)
	}
	return p.done()
}

func (p *plot) key(i int, colour, name string) {
	y := float64(plotTop + 18*i)
	fmt.Fprintf(p, `<rect x="%d" y="%.1f" width="12" height="12" fill="%s"/>`+"\n", plotWidth-plotRight+14, y, colour)
	p.text(plotWidth-plotRight+32, y+10, "start", 11, name)
}

// bar is one bar of a plot: how long it is, and what stands beside it.
type bar struct {
	name, label string
	value       float64
}

// bars plots values side by side, the largest as long as the plot is wide.
func bars(title, what string, all []bar) string {
	const height, gap, left = 22, 8, 190
	p := newPlot(title, what, plotTop+len(all)*(height+gap)+10)
	most := 0.0
	for _, b := range all {
		most = max(most, b.value)
	}
	for i, b := range all {
		y := float64(plotTop + i*(height+gap))
		width := 0.0
		if most > 0 {
			width = b.value / most * (plotWidth - left - 190)
		}
		p.text(left-8, y+15, "end", 12, b.name)
		fmt.Fprintf(p, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y, width, height, plotColours[0])
		p.text(left+width+6, y+15, "start", 11, b.label)
	}
	return p.done()
}

// roundUp gives the next of 1, 2, 2.5, 5 times a power of ten.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if v <= f*power {
			return f * power
		}
	}
	return 10 * power
}
