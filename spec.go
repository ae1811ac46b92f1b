package imgvec

import "fmt"

// Spec says what one model expects and what it returns.
type Spec struct {
	Model    string `json:"model"`              // name for people: a registry name or a file name
	Input    string `json:"input"`              // name of the image input in the ONNX graph
	Layout   Layout `json:"layout"`             // order of the input's axes
	DType    DType  `json:"dtype"`              // element type of the input
	Feature  string `json:"feature"`            // name of the output that holds the features
	Dim      int    `json:"dim"`                // features an image
	MaxBatch int    `json:"max_batch,omitzero"` // largest batch one Run takes; 0: no limit of the model's own
	Preset   Preset `json:"preset"`             // from picture to input
}

// ImageLen is the size of one image in a batch in bytes: Height * Width * 3.
func (s Spec) ImageLen() int { return s.Preset.InputSize.Height * s.Preset.InputSize.Width * 3 }

// Layout is the order of an image tensor's axes.
type Layout string

// The layouts: batch, channels, rows, columns.
const (
	NCHW Layout = "NCHW"
	NHWC Layout = "NHWC"
)

// DType is a tensor's element type.
type DType string

// The element types an image input can have.
const (
	Float32 DType = "float32"
	Float16 DType = "float16"
	Uint8   DType = "uint8" // the model normalises by itself; Mean, Std and Scale are not applied
)

// Size is a picture's size in pixels.
type Size struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// CropMode says how a picture gets the model's shape (timm's crop_mode).
type CropMode string

const (
	// CropCenter resizes the short side to ResizeSize and cuts InputSize from the centre; the long side is
	// truncated to whole pixels, as torchvision does. Where the picture is smaller than InputSize it is padded with 0.
	CropCenter CropMode = "center"
	// CropSquash resizes both sides to InputSize, whatever the picture's shape.
	CropSquash CropMode = "squash"
)

// CropRound says to which pixel a centre crop of an odd margin moves.
type CropRound string

// The roundings of an odd margin.
const (
	CropHalfEven CropRound = "half_even" // torchvision: Python's round
	CropFloor    CropRound = "floor"     // Hugging Face: //
)

// Interpolation is a resize filter as Pillow defines it (with antialiasing: its support grows with the reduction).
type Interpolation string

// The filters that Pillow knows.
const (
	Nearest  Interpolation = "nearest"
	Box      Interpolation = "box"
	Bilinear Interpolation = "bilinear"
	Hamming  Interpolation = "hamming"
	Bicubic  Interpolation = "bicubic"
	Lanczos  Interpolation = "lanczos"
)

// ChannelOrder is the order of the colours in the model's input; a Batch is always RGB.
type ChannelOrder string

// The channel orders.
const (
	RGB ChannelOrder = "RGB"
	BGR ChannelOrder = "BGR"
)

// Preset is a model's preprocessing: what happens to a picture on its way to the input tensor. The same architecture
// has different presets with different weights; the preset belongs to the weights.
type Preset struct {
	InputSize     Size          `json:"input_size"`
	CropMode      CropMode      `json:"crop_mode"`
	ResizeSize    int           `json:"resize_size,omitzero"` // short side in pixels, for CropCenter
	CropRound     CropRound     `json:"crop_round"`
	Interpolation Interpolation `json:"interpolation"`
	Scale         float32       `json:"scale"` // divisor of the pixel, 255 for ToTensor
	Mean          [3]float32    `json:"mean"`  // R, G, B
	Std           [3]float32    `json:"std"`   // R, G, B
	ChannelOrder  ChannelOrder  `json:"channel_order"`
}

// Table is the normalisation as a look-up: Table()[c][v] is the value of channel c (R, G, B) of a pixel v, that is
// (v/Scale - Mean[c]) / Std[c] with every step rounded to float32, which is what ToTensor and Normalize compute.
func (p Preset) Table() [3][256]float32 {
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			scaled := float32(float32(v) / p.Scale)
			centred := float32(scaled - p.Mean[c])
			table[c][v] = float32(centred / p.Std[c])
		}
	}
	return table
}

// Check tells whether the preset can be applied, and what is wrong where it can't.
func (p Preset) Check() error {
	switch {
	case p.InputSize.Height <= 0 || p.InputSize.Width <= 0 || p.InputSize.Height > 1<<14 || p.InputSize.Width > 1<<14:
		return fmt.Errorf("input size %dx%d is out of range", p.InputSize.Height, p.InputSize.Width)
	case p.CropMode != CropCenter && p.CropMode != CropSquash:
		return fmt.Errorf("crop mode %q is unknown (center, squash)", p.CropMode)
	case p.CropMode == CropCenter && (p.ResizeSize <= 0 || p.ResizeSize > 1<<14):
		return fmt.Errorf("resize size %d is out of range", p.ResizeSize)
	case p.CropRound != CropHalfEven && p.CropRound != CropFloor:
		return fmt.Errorf("crop rounding %q is unknown (half_even, floor)", p.CropRound)
	case !p.Interpolation.known():
		return fmt.Errorf("interpolation %q is unknown (nearest, box, bilinear, hamming, bicubic, lanczos)", p.Interpolation)
	case p.ChannelOrder != RGB && p.ChannelOrder != BGR:
		return fmt.Errorf("channel order %q is unknown (RGB, BGR)", p.ChannelOrder)
	case p.Scale == 0 || p.Std[0] == 0 || p.Std[1] == 0 || p.Std[2] == 0:
		return fmt.Errorf("scale %v and std %v must not be zero", p.Scale, p.Std)
	}
	return nil
}

func (i Interpolation) known() bool {
	switch i {
	case Nearest, Box, Bilinear, Hamming, Bicubic, Lanczos:
		return true
	}
	return false
}

// Mean and standard deviation of the common normalisations, R, G, B.
var (
	ImageNetMean = [3]float32{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float32{0.229, 0.224, 0.225}
)
