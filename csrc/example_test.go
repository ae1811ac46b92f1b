package csrc_test

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

func ExampleNormalize() {
	preset := imgvec.Preset{Scale: 255, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	table := preset.Table()
	pixels := []uint8{0, 255, 0, 255, 0, 255} // two pixels, RGB
	planes := make([]float32, len(pixels))
	csrc.Normalize(planes, pixels, 1, 1, 2, &table, imgvec.NCHW, imgvec.RGB)
	fmt.Println(planes)
	// Output: [-1 1 1 -1 -1 1]
}
