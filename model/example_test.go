package model_test

import (
	"fmt"

	"github.com/imgvec/imgvec/model"
)

// What the default model expects and returns, whether or not it is installed.
func ExampleFind() {
	e, _ := model.Find(model.Default)
	fmt.Println(e.Name, e.Preset.ResizeSize, e.Preset.Interpolation, e.Preset.InputSize, e.Dim, e.License)
	// Output: efficientnet-lite0 256 bicubic 224x224 1280 Apache-2.0
}
