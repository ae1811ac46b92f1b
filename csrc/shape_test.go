package csrc

import (
	"math/rand/v2"
	"testing"
)

// TestShape: what a shape promises beforehand is what axis and scratch take, at every level and in every order.
func TestShape(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	for _, size := range [][2]int{{1, 1}, {40, 30}, {3000, 2}, {2, 3000}, {1, 20000}, {20000, 1}, {301, 299}} {
		src := Pixels{Width: size[0], Height: size[1], Step: 4, Stride: size[0] * 4}
		src.Pix = make([]uint8, src.Stride*src.Height)
		for _, order := range []Order{{}, {RowsFirst: true}, {Deep: true}} {
			plan := Plan{RowsFirst: order.RowsFirst, Deep: order.Deep, X: randomAxis(r, src.Width, 9), Y: randomAxis(r, src.Height, 7), Stride: 27}
			x, y := shapeOf(plan.X), shapeOf(plan.Y)
			if got, want := plan.X.Bytes(), int64(len(plan.X.words)*8+9*(x.Taps*4+32)); got != want || x.Bytes() != want {
				t.Errorf("%v: an axis of %d bytes says %d, its shape %d", size, want, got, x.Bytes())
			}
			for _, level := range Levels() {
				w, err := NewWorker()
				if err != nil {
					t.Fatal(err)
				}
				plan.Level = level
				if err := w.Resample(plan, src, make([]uint8, 7*27)); err != nil {
					t.Fatal(err)
				}
				held, promised := w.Bytes(), ScratchBytes(level, order, x, y, src.Width)
				if held == 0 || held > roundUp(promised) || promised > 2*held+1024 {
					t.Errorf("%v, %s, %+v: %d bytes of scratch, %d were promised", size, level, order, held, promised)
				}
				w.Close()
			}
		}
	}
}

func shapeOf(a *Axis) Shape {
	first, last := a.Source()
	return Shape{Count: a.Count(), Taps: a.taps, Used: last - first}
}
