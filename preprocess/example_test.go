package preprocess_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/preprocess"
)

func Example() {
	preset := imgvec.Preset{
		InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256, CropRound: imgvec.CropHalfEven,
		Interpolation: imgvec.Bilinear, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
	}
	p, err := preprocess.New(preset, preprocess.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker := p.NewWorker() // one a goroutine
	defer worker.Close()

	orange := image.NewUniform(color.RGBA{255, 128, 0, 255})
	picture := image.NewRGBA(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			picture.Set(x, y, orange.At(x, y))
		}
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		fmt.Println(err)
		return
	}

	dst := make([]uint8, 224*224*3) // in an executor: batch.Image(i)
	found, err := worker.Into(context.Background(), dst, encoded.Bytes())
	fmt.Println(found.Format, found.Width, found.Height, dst[0], dst[1], dst[2], err)
	// Output: png 400 300 255 128 0 <nil>
}
