//go:build !cgo

package csrc

func normalize32(dst []float32, src []uint8, n, pixels int, table *[3][256]float32, planar, bgr bool) {
	normalizeGo(dst, src, n, pixels, table, planar, bgr)
}

func normalize16(dst []uint16, src []uint8, n, pixels int, table *[3][256]uint16, planar, bgr bool) {
	normalizeGo(dst, src, n, pixels, table, planar, bgr)
}
