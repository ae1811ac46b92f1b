package model

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/imgvec/imgvec"
)

// sides is a size as the files write it: a number, [height, width], {"height", "width"} or {"shortest_edge"}.
type sides struct{ Height, Width, Short, Number int }

// UnmarshalJSON implements json.Unmarshaler.
func (s *sides) UnmarshalJSON(text []byte) error {
	*s = sides{}
	if json.Unmarshal(text, &s.Number) == nil {
		return nil
	}
	var pair []int
	if json.Unmarshal(text, &pair) == nil {
		if len(pair) != 2 {
			return fmt.Errorf("size %s: a height and a width are expected", text)
		}
		*s = sides{Height: pair[0], Width: pair[1]}
		return nil
	}
	var named map[string]*int
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	for name, v := range named {
		if v == nil {
			continue
		}
		switch name {
		case "height":
			s.Height = *v
		case "width":
			s.Width = *v
		case "shortest_edge":
			s.Short = *v
		default: // longest_edge, max_height, max_pixels: they lead to pictures of any shape
			return fmt.Errorf("a size by its %s (%d) is not supported", name, *v)
		}
	}
	if s.Short != 0 && (s.Height != 0 || s.Width != 0) {
		return fmt.Errorf("size %s: shortest_edge contradicts height and width", bytes.TrimSpace(text))
	}
	return nil
}

// of gives a number its meaning: the short side, or both.
func (s sides) of(shortSide bool) sides {
	switch {
	case s.Number == 0:
		return s
	case shortSide:
		return short(s.Number)
	}
	return both(s.Number)
}

func (s sides) complete() bool { return s.Height > 0 && s.Width > 0 }

func (s sides) String() string {
	switch {
	case s.Number != 0:
		return fmt.Sprint(s.Number)
	case s.Short != 0:
		return fmt.Sprintf("{shortest_edge: %d}", s.Short)
	}
	return fmt.Sprintf("{height: %d, width: %d}", s.Height, s.Width)
}

func (s sides) size() imgvec.Size { return imgvec.Size{Height: s.Height, Width: s.Width} }

// geometry is the class's way from "size" and "crop_size" to pictures of one size.
func (c hfConfig) geometry(class hfClass) (imgvec.Preset, error) {
	size := or(c.Size, class.size).of(!c.SquareNumber.or(!class.short))
	cropped := c.DoCenterCrop.or(class.cropped)
	crop := or(c.CropSize, class.crop).of(false)
	if cropped && !crop.complete() {
		return imgvec.Preset{}, fmt.Errorf("crop_size %v: a height and a width are expected", crop)
	}
	if !c.DoResize.or(true) {
		if !cropped || class.rule == hfConvNext {
			return imgvec.Preset{}, fmt.Errorf("do_resize is false and nothing is cropped: pictures of any size can't be a batch")
		}
		return imgvec.Preset{CropMode: imgvec.CropOnly, InputSize: crop.size()}, nil
	}
	if class.rule == hfConvNext {
		return c.convNext(class, size, cropped)
	}
	size, err := c.enlarge(class, size)
	if err != nil {
		return imgvec.Preset{}, err
	}
	switch {
	case size.Short > 0 && cropped:
		return imgvec.Preset{CropMode: imgvec.CropCenter, ResizeSize: size.Short, InputSize: crop.size()}, nil
	case size.Short == 0 && size.complete() && cropped && crop.size() != size.size():
		return imgvec.Preset{CropMode: imgvec.CropSquash, ResizeTo: size.size(), InputSize: crop.size()}, nil
	case size.Short == 0 && size.complete():
		return imgvec.Preset{CropMode: imgvec.CropSquash, InputSize: size.size()}, nil
	}
	return imgvec.Preset{}, fmt.Errorf("size %v and do_center_crop %v do not make pictures of one size", size, cropped)
}

// enlarge is the margin that a class leaves around the crop by itself.
func (c hfConfig) enlarge(class hfClass, size sides) (sides, error) {
	pct := or(c.CropPct, class.cropPct)
	if class.rule == hfPoolFormer && !(pct > 0 && pct <= 1) {
		return size, fmt.Errorf("crop_pct %v is out of range", pct)
	}
	switch {
	case class.rule == hfLevit && size.Short > 0:
		const mine, theirs = 256.0, 224.0
		ratio := mine / theirs
		return short(int(ratio * float64(size.Short))), nil
	case class.rule == hfPoolFormer && size.Short > 0:
		return short(int(float64(size.Short) / pct)), nil
	case class.rule == hfPoolFormer && size.Height == size.Width:
		return short(int(float64(size.Height) / pct)), nil
	case class.rule == hfPoolFormer:
		return sides{Height: int(float64(size.Height) / pct), Width: int(float64(size.Width) / pct)}, nil
	}
	return size, nil
}

func (c hfConfig) convNext(class hfClass, size sides, cropped bool) (imgvec.Preset, error) {
	pct := or(c.CropPct, class.cropPct)
	switch {
	case cropped:
		return imgvec.Preset{}, fmt.Errorf("do_center_crop is true, which is not supported for this class: it crops by crop_pct already")
	case size.Short <= 0:
		return imgvec.Preset{}, fmt.Errorf("size %v: this class expects a shortest_edge", size)
	case size.Short >= 384:
		return imgvec.Preset{CropMode: imgvec.CropSquash, InputSize: both(size.Short).size()}, nil
	case !(pct > 0 && pct <= 1):
		return imgvec.Preset{}, fmt.Errorf("crop_pct %v is out of range", pct)
	}
	return imgvec.Preset{CropMode: imgvec.CropCenter, ResizeSize: int(float64(size.Short) / pct), InputSize: both(size.Short).size()}, nil
}

// floats3 is a number for each colour; a file may write one for all. It is kept in float64, as Python does, and rounded
// to float32 once.
type floats3 [3]float64

// UnmarshalJSON implements json.Unmarshaler.
func (f *floats3) UnmarshalJSON(text []byte) error {
	var one float64
	if json.Unmarshal(text, &one) == nil {
		*f = floats3{one, one, one}
		return nil
	}
	var all []float64
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if len(all) != 3 {
		return fmt.Errorf("%s: three numbers are expected, for R, G and B", text)
	}
	*f = floats3(all)
	return nil
}

func (f floats3) float32() [3]float32 { return [3]float32{float32(f[0]), float32(f[1]), float32(f[2])} }
