package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ImageInput is the input of a graph that takes pictures.
type ImageInput struct {
	Name          string
	Elem          Elem
	NHWC          bool
	Batch         int64 // fixed; 0: free
	Height, Width int64 // fixed; 0: free
	Others        []string
}

// ImageInput finds the one input that takes pictures: 4 axes, 3 channels, float32, float16 or uint8.
func (x *Index) ImageInput() (ImageInput, error) {
	var found []ImageInput
	var others []string
	for _, v := range x.g.Inputs {
		if in, ok := x.imageInput(v); ok {
			found = append(found, in)
			continue
		}
		others = append(others, fmt.Sprintf("%q %s", v.Name, v.String()))
	}
	switch {
	case len(found) == 0 && len(others) == 0:
		return ImageInput{}, errors.New("it has no input")
	case len(found) == 0:
		return ImageInput{}, fmt.Errorf("it has no image input ([N,3,H,W] or [N,H,W,3] of float32, float16 or uint8); its inputs are %s", strings.Join(others, ", "))
	case len(found) > 1:
		return ImageInput{}, fmt.Errorf("it has %d image inputs, where one is expected", len(found))
	}
	found[0].Others = others
	return found[0], nil
}

func (x *Index) imageInput(v Value) (ImageInput, bool) {
	in := ImageInput{Name: v.Name, Elem: v.Elem}
	if len(v.Shape) != 4 || !slices.Contains([]Elem{Float, Float16, Uint8}, v.Elem) {
		return in, false
	}
	s := v.Shape
	switch {
	case s[1].Size == 3:
	case s[3].Size == 3:
		in.NHWC = true
	case s[1].Size == 0 && x.convolved(v.Name): // Hugging Face's exporter leaves every axis free
	default:
		return in, false
	}
	in.Batch, in.Height, in.Width = fixed(s[0]), fixed(s[2]), fixed(s[3])
	if in.NHWC {
		in.Height, in.Width = fixed(s[1]), fixed(s[2])
	}
	return in, true
}

func fixed(d Dim) int64 {
	if d.Name != "" || d.Size < 0 {
		return 0
	}
	return d.Size
}

// convolved tells whether a value goes into a convolution over 3 channels, which in ONNX are the second axis.
func (x *Index) convolved(value string) bool {
	for range 4 {
		next := ""
		for _, n := range x.Consumers(value) {
			if n.Op == "Conv" && len(n.Inputs) > 1 {
				dims, ok := x.Dims(n.Inputs[1])
				return ok && len(dims) == 4 && dims[1] == 3
			}
			if (n.Op == "Cast" || n.Op == "Identity") && len(n.Outputs) > 0 {
				next = n.Outputs[0]
			}
		}
		if next == "" {
			return false
		}
		value = next
	}
	return false
}
