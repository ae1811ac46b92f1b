package imgvec_test

import (
	"errors"
	"fmt"

	"github.com/imgvec/imgvec"
)

// A batch is flat memory; whoever makes it lays it out by the model's spec.
func ExampleNewBatch() {
	spec := imgvec.Spec{Dim: 1280, Preset: imgvec.Preset{InputSize: imgvec.Size{Height: 224, Width: 224}}}
	const images = 8
	b, err := imgvec.NewBatch(spec, make([]uint8, images*spec.ImageLen()), make([]float32, images*spec.Dim))
	if err != nil {
		fmt.Println(err)
		return
	}
	b.SetLen(3)
	fmt.Println(b.Len(), "of", b.Cap(), "images;", len(b.Image(0)), "bytes and", len(b.Feature(0)), "features each")
	// Output: 3 of 8 images; 150528 bytes and 1280 features each
}

func ExampleParseDevices() {
	d, err := imgvec.ParseDevices("cuda:0,2")
	fmt.Println(d.Kind, d.IDs, err)
	_, err = imgvec.ParseDevices("gpu")
	fmt.Println(err)
	// Output:
	// cuda [0 2] <nil>
	// imgvec: device "gpu" is unknown (auto, cpu, cuda, cuda:0,2)
}

// One image's failure stands in its Result and says what it was.
func ExampleImageError() {
	var err error = &imgvec.ImageError{ID: "cat.jpg", Err: fmt.Errorf("%w: empty file", imgvec.ErrDecode)}
	fmt.Println(err)
	fmt.Println(errors.Is(err, imgvec.ErrDecode))
	// Output:
	// image "cat.jpg": image not decodable: empty file
	// true
}

func ExamplePreset_Table() {
	p := imgvec.Preset{Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd}
	table := p.Table()
	fmt.Printf("a red of 255 goes into the model as %.4f\n", table[0][255])
	// Output: a red of 255 goes into the model as 2.2489
}
