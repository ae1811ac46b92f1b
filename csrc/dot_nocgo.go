//go:build !cgo

package csrc

func dot(_ Level, out, rows, queries []float32, n, m, dim int) {
	dotGo(out, rows, queries, n, m, dim)
}

func distance(_ Level, out, rows, queries []float32, n, m, dim int) {
	distanceGo(out, rows, queries, n, m, dim)
}

func widen(_ Level, dst []float32, src []uint16) { widenGo(dst, src) }
