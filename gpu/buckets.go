package gpu

import "slices"

// The ratio of a bucket to the next smaller one. Most batches are full; the last one of a run, and the calls of a
// service, are not. A smaller ratio would waste less on them and open slower: each bucket is warmed up and captured in
// every stream. With TensorRT each has an engine, which takes a minute to build and holds the weights once more.
const (
	shrink         = 4
	shrinkTensorRT = 8
)

// buckets are the sizes that batches run in, rising: batch, and smaller ones down to 1. A model of a fixed batch has
// just that.
func buckets(batch, fixed, shrink int) []int {
	if fixed > 0 {
		return []int{fixed}
	}
	var sizes []int
	for n := batch; n > 1; n /= shrink {
		sizes = append(sizes, n)
	}
	sizes = append(sizes, 1)
	slices.Reverse(sizes)
	return sizes
}

// bucket is the index of the smallest size that holds n images, which the largest does.
func bucket(sizes []int, n int) int {
	i, _ := slices.BinarySearch(sizes, n)
	return i
}
