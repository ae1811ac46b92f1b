package csrc

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomAxis makes windows like a resize filter's, with weights of either sign that sum to about one.
func randomAxis(r *rand.Rand, in, out int) *Axis {
	windows := make([]Window, out)
	scale := float64(in) / float64(out)
	taps := 1 + r.IntN(7) + int(scale*2)
	for i := range windows {
		n := min(1+r.IntN(taps), in)
		lo := min(max(int(float64(i)*scale)-n/2, 0), in-n)
		weights := make([]int32, n)
		left := int32(1 << RoundBits)
		for j := range weights {
			weights[j] = left
			if j < n-1 {
				weights[j] = r.Int32N(1<<22)/int32(n)*3 - 1<<21/int32(n)
			}
			left -= weights[j]
		}
		windows[i] = Window{lo, weights}
	}
	for i := 1; i < out; i++ { // as a filter's, windows neither start nor end before their predecessors do
		prev, w := windows[i-1], &windows[i]
		w.Lo = max(w.Lo, prev.Lo)
		end := min(max(w.Lo+len(w.Weights), prev.Lo+len(prev.Weights)), in)
		for len(w.Weights) < end-w.Lo {
			w.Weights = append(w.Weights, r.Int32N(1<<10)-1<<9)
		}
		w.Weights = w.Weights[:end-w.Lo]
	}
	return NewAxis(windows)
}

// TestResampleTwins holds every variant against plain Go: random sizes, steps, orders and turns.
func TestResampleTwins(t *testing.T) {
	w, err := NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 150 {
		most := 1 << (1 + round%11)
		src := Pixels{Width: 1 + r.IntN(most), Height: 1 + r.IntN(most), Step: 3 + r.IntN(2)}
		if src.Width*src.Height > 1<<18 {
			continue
		}
		src.Stride = src.Width*src.Step + r.IntN(9)
		src.Pix = randomBytes(uint64(round), (src.Height-1)*src.Stride+src.Width*src.Step)
		plan := Plan{RowsFirst: r.IntN(2) == 0, Transpose: r.IntN(2) == 0, FlipY: r.IntN(2) == 0, Deep: round%5 == 0,
			X: randomAxis(r, src.Width, 1+r.IntN(150)), Y: randomAxis(r, src.Height, 1+r.IntN(60))}
		plan.RowsFirst = plan.RowsFirst && !plan.Deep
		rows, columns := plan.Y.Count(), plan.X.Count()
		if plan.Transpose {
			rows, columns = columns, rows
		}
		plan.Stride = columns*3 + r.IntN(20)
		size := (rows-1)*plan.Stride + columns*3
		want := bytes.Repeat([]byte{0xa5}, size+64)
		resampleGo(plan, src, want[:size], nil)
		for _, level := range Levels() {
			plan.Level = level
			got := bytes.Repeat([]byte{0xa5}, size+64)
			if err := w.Resample(plan, src, got[:size]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: %dx%d step %d -> %dx%d differs from plain Go at %d of %d (%+v)", level, src.Width, src.Height, src.Step,
					columns, rows, firstDifference(got, want), size, plan)
			}
		}
	}
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// TestExtremes drives the sums to their ends: weights over one, all pixels 0 or 255.
func TestExtremes(t *testing.T) {
	w, err := NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	windows := []Window{
		{0, []int32{1 << 22}}, {0, []int32{5 << 20, -1 << 20}}, {1, []int32{-1 << 20, 6 << 20, -1 << 20}}, {2, []int32{-1}},
		{2, []int32{1, 1 << 21, 127, 128, -128, -129, 1<<15 - 1, 1 << 15, -1 << 15, 1<<23 - 1<<16}},
	}
	axis := NewAxis(windows)
	for _, fill := range []uint8{0, 1, 127, 128, 254, 255} {
		src := Pixels{Pix: bytes.Repeat([]byte{fill}, 12*12*3), Width: 12, Height: 12, Stride: 36, Step: 3}
		plan := Plan{X: axis, Y: axis, Stride: 15}
		want := make([]byte, 75)
		resampleGo(plan, src, want, nil)
		if want[0] != fill {
			t.Fatalf("a weight of one turns %d into %d", fill, want[0])
		}
		for _, level := range Levels() {
			plan.Level = level
			got := make([]byte, 75)
			if err := w.Resample(plan, src, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %d: %v, %v; want %v", level, fill, got, err, want)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, level := range Levels() {
		t.Setenv(LevelVariable, string(level))
		if got, err := Choose(); got != level || err != nil {
			t.Errorf("%s: chose %s, %v", level, got, err)
		}
	}
	t.Setenv(LevelVariable, "mmx")
	if _, err := Choose(); err == nil {
		t.Error("a level that does not exist was accepted")
	}
}

func BenchmarkResample(b *testing.B) {
	w, err := NewWorker()
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	src := Pixels{Width: 500, Height: 375, Stride: 2000, Step: 4, Pix: randomBytes(1, 375*2000)}
	dst := make([]byte, 224*224*3)
	for _, level := range Levels() {
		b.Run(fmt.Sprint(level), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			plan := Plan{Level: level, X: randomAxis(r, 328, 224), Y: randomAxis(r, 328, 224), Stride: 672}
			for b.Loop() {
				if err := w.Resample(plan, src, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
