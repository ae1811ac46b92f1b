package gpu

import (
	"slices"
	"testing"
)

func TestBucketsHoldEveryBatch(t *testing.T) {
	for _, c := range []struct {
		batch, fixed, shrink int
		want                 []int
	}{
		{64, 0, 4, []int{1, 4, 16, 64}},
		{64, 0, 8, []int{1, 8, 64}},
		{1, 0, 4, []int{1}},
		{2, 0, 4, []int{1, 2}},
		{100, 0, 4, []int{1, 6, 25, 100}},
		{64, 8, 4, []int{8}},
	} {
		sizes := buckets(c.batch, c.fixed, c.shrink)
		if !slices.Equal(sizes, c.want) {
			t.Errorf("buckets of %d, fixed %d: %v, want %v", c.batch, c.fixed, sizes, c.want)
		}
		for n := 1; n <= sizes[len(sizes)-1]; n++ {
			i := bucket(sizes, n)
			if sizes[i] < n || i > 0 && sizes[i-1] >= n {
				t.Errorf("%d images go into bucket %d of %v", n, sizes[i], sizes)
			}
		}
	}
}
