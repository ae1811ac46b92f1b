package imgvec

import "fmt"

// Preset is a model's preprocessing: what happens to a picture on its way to the input tensor. The same architecture
// has different presets with different weights; the preset belongs to the weights.
//
// A picture is resized as CropMode says; of the result InputSize is cut out of the centre, padded with Fill where the
// result is smaller. Table then makes numbers of the pixels.
type Preset struct {
	InputSize     Size          `json:"input_size"`
	CropMode      CropMode      `json:"crop_mode"`
	ResizeSize    int           `json:"resize_size,omitzero"` // short side in pixels, for CropCenter
	ResizeTo      Size          `json:"resize_to,omitzero"`   // the box that CropMode speaks of; zero: InputSize, for CropCenter none
	CropRound     CropRound     `json:"crop_round"`
	Fill          [3]uint8      `json:"fill,omitzero"` // R, G, B of the padding
	Interpolation Interpolation `json:"interpolation"`
	Domain        Domain        `json:"domain,omitzero"`
	Scale         float32       `json:"scale"`              // divisor of the pixel, 255 for ToTensor; 0 where Factor stands for it
	Factor        float64       `json:"factor,omitzero"`    // instead of Scale: the pixel is multiplied by it, in float64
	Offset        float32       `json:"offset,omitzero"`    // added to the scaled pixel
	Mean          [3]float32    `json:"mean"`               // R, G, B
	Std           [3]float32    `json:"std"`                // R, G, B
	StdAgain      [3]float32    `json:"std_again,omitzero"` // a second divisor; zero: none
	ChannelOrder  ChannelOrder  `json:"channel_order"`
}

// CropMode says how a picture is resized before its centre is cut out.
type CropMode string

const (
	// CropCenter resizes the short side to ResizeSize; the long side is truncated to whole pixels, as torchvision does.
	// With ResizeTo in place of ResizeSize the picture keeps its shape and just covers that box, both sides rounded
	// half to even: timm's "center" for an input that is not square.
	CropCenter CropMode = "center"
	// CropSquash resizes both sides to ResizeTo, whatever the picture's shape.
	CropSquash CropMode = "squash"
	// CropBorder keeps the picture's shape and fits it into ResizeTo, both sides rounded half to even: timm's "border",
	// open_clip's "longest".
	CropBorder CropMode = "border"
	// CropOnly does not resize.
	CropOnly CropMode = "crop"
)

// CropRound says to which pixel a centre crop of an odd margin moves.
type CropRound string

// The roundings of an odd margin. Where the picture is smaller than the crop, the odd pixel of padding comes behind it
// with CropHalfEven and before it with CropFloor.
const (
	CropHalfEven CropRound = "half_even" // torchvision, timm, open_clip: Python's round
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

// Domain is what the resize computes in.
type Domain string

const (
	// DomainUint8 is Pillow's resize: each of its two passes is rounded to 8 bits. "" means the same.
	DomainUint8 Domain = "uint8"
	// DomainFloat stands for a reference that resizes floating-point pixels. The batch stays uint8, so the result is
	// rounded once, at the end: at most half a level, and 1/128 of one for the arithmetic, from the reference.
	DomainFloat Domain = "float"
)

// Table is the normalisation as a look-up: Table()[c][v] is the value of channel c (R, G, B) of a pixel v, that is
// (v/Scale + Offset - Mean[c]) / Std[c] with every step rounded to float32, which is what ToTensor and Normalize compute;
// with Factor v*Factor is rounded to float32 once, as transformers' PIL backend does.
func (p Preset) Table() [3][256]float32 {
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			scaled := float32(float32(v) / p.Scale)
			if p.Factor != 0 {
				scaled = float32(float64(v) * p.Factor)
			}
			if p.Offset != 0 {
				scaled = float32(scaled + p.Offset)
			}
			centred := float32(scaled - p.Mean[c])
			table[c][v] = float32(centred / p.Std[c])
			if p.StdAgain != ([3]float32{}) {
				table[c][v] = float32(table[c][v] / p.StdAgain[c])
			}
		}
	}
	return table
}

// Box is the size that ResizeTo means: InputSize where it is zero.
func (p Preset) Box() Size {
	if p.ResizeTo == (Size{}) {
		return p.InputSize
	}
	return p.ResizeTo
}

// Check tells whether the preset can be applied, and what is wrong where it can't.
func (p Preset) Check() error {
	if err := p.checkGeometry(); err != nil {
		return err
	}
	switch {
	case !p.Interpolation.known():
		return fmt.Errorf("interpolation %q is unknown (nearest, box, bilinear, hamming, bicubic, lanczos)", p.Interpolation)
	case p.Domain != "" && p.Domain != DomainUint8 && p.Domain != DomainFloat:
		return fmt.Errorf("domain %q is unknown (uint8, float)", p.Domain)
	case p.Domain == DomainFloat && (p.Interpolation == Bicubic || p.Interpolation == Lanczos):
		return fmt.Errorf("interpolation %s in domain float is not supported: it overshoots, and 8-bit pixels can't keep that", p.Interpolation)
	case p.ChannelOrder != RGB && p.ChannelOrder != BGR:
		return fmt.Errorf("channel order %q is unknown (RGB, BGR)", p.ChannelOrder)
	}
	return p.checkNumbers()
}

func (p Preset) checkGeometry() error {
	switch {
	case !p.InputSize.possible():
		return fmt.Errorf("input size %dx%d is out of range", p.InputSize.Height, p.InputSize.Width)
	case p.CropMode != CropCenter && p.CropMode != CropSquash && p.CropMode != CropBorder && p.CropMode != CropOnly:
		return fmt.Errorf("crop mode %q is unknown (center, squash, border, crop)", p.CropMode)
	case p.ResizeTo != (Size{}) && (!p.ResizeTo.possible() || p.CropMode == CropOnly || p.CropMode == CropCenter && p.ResizeSize != 0):
		return fmt.Errorf("resize to %dx%d is out of range, or has no meaning with crop mode %s and resize size %d", p.ResizeTo.Height, p.ResizeTo.Width, p.CropMode, p.ResizeSize)
	case p.CropMode == CropCenter && p.ResizeTo == (Size{}) && (p.ResizeSize <= 0 || p.ResizeSize > maxSide):
		return fmt.Errorf("resize size %d is out of range", p.ResizeSize)
	case p.CropRound != CropHalfEven && p.CropRound != CropFloor:
		return fmt.Errorf("crop rounding %q is unknown (half_even, floor)", p.CropRound)
	}
	return nil
}

func (p Preset) checkNumbers() error {
	switch {
	case p.Scale == 0 && p.Factor == 0, !usable(p.Std):
		return fmt.Errorf("scale %v (or factor %v) and std %v must be finite and not zero", p.Scale, p.Factor, p.Std)
	case p.Scale != 0 && p.Factor != 0:
		return fmt.Errorf("scale %v and factor %v: one stands for the other", p.Scale, p.Factor)
	case p.StdAgain != ([3]float32{}) && !usable(p.StdAgain):
		return fmt.Errorf("second std %v must be finite and not zero", p.StdAgain)
	}
	for _, channel := range p.Table() {
		for _, v := range channel {
			if v-v != 0 { // an infinity, or not a number
				return fmt.Errorf("scale %v, factor %v, offset %v, mean %v, std %v, second std %v: they give no finite numbers",
					p.Scale, p.Factor, p.Offset, p.Mean, p.Std, p.StdAgain)
			}
		}
	}
	return nil
}

// maxSide is the longest side of an input, and of what is resized to.
const maxSide = 1 << 14

func (s Size) possible() bool {
	return s.Height > 0 && s.Width > 0 && s.Height <= maxSide && s.Width <= maxSide
}

func usable(std [3]float32) bool { return std[0] != 0 && std[1] != 0 && std[2] != 0 }

func (i Interpolation) known() bool {
	switch i {
	case Nearest, Box, Bilinear, Hamming, Bicubic, Lanczos:
		return true
	}
	return false
}
