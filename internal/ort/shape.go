package ort

// Elements is the number of elements of a shape without free dimensions.
func Elements(shape []int64) int {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	return n
}
