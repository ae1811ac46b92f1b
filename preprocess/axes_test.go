package preprocess

import (
	"testing"

	"github.com/imgvec/imgvec"
)

// BenchmarkAxis is what the tables of a size cost that was not seen before.
func BenchmarkAxis(b *testing.B) {
	var cache axisCache
	for b.Loop() {
		cache.axes = nil
		cache.get(axisKey{side: center(500, 341, 224, imgvec.CropHalfEven), filter: imgvec.Bicubic})
	}
}

// TestAxisCache: the cache stays within its bound, whatever sizes come.
func TestAxisCache(t *testing.T) {
	var cache axisCache
	for in := 300; in < 5000; in += 3 {
		cache.get(axisKey{side: center(in, 256, 224, imgvec.CropHalfEven), filter: imgvec.Lanczos})
		if cache.bytes > axisCacheBytes {
			t.Fatalf("%d bytes, the bound is %d", cache.bytes, axisCacheBytes)
		}
	}
	key := axisKey{side: center(500, 256, 224, imgvec.CropHalfEven), filter: imgvec.Lanczos}
	if first, again := cache.get(key), cache.get(key); first != again {
		t.Error("the same axis was made twice")
	}
}
