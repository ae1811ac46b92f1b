package preprocess

import (
	"fmt"

	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// ExifMode says what becomes of a picture's orientation tag.
type ExifMode string

const (
	// ExifApply turns the picture upright, as ImageOps.exif_transpose does: by EXIF, else by XMP. "" means the same.
	ExifApply ExifMode = "apply"
	// ExifIgnore leaves the picture as it is stored, as torchvision's loader does. TIFF is turned all the same: Pillow
	// does that when it loads.
	ExifIgnore ExifMode = "ignore"
)

// Gray16Mode says how 16-bit gray becomes 8-bit.
type Gray16Mode string

// The ways with 16-bit gray.
const (
	Gray16Pillow Gray16Mode = "pillow" // values over 255 become 255, which is what Pillow does. "" means the same.
	Gray16Scale  Gray16Mode = "scale"  // the high byte
)

// Options change what New makes. The zero value is the default.
type Options struct {
	Exif         ExifMode
	MaxPixels    int64      // most pixels of a picture; 0: DefaultMaxPixels
	MaxBytes     int64      // most bytes of a file; 0: DefaultMaxBytes
	DecodeMemory int64      // bytes of pixels and of work memory for all decodes in flight together; 0: DefaultDecodeMemory
	Gray16       Gray16Mode // 16-bit gray
	Codecs       string     // native codecs: "" or "auto", "pillow" (the wheel's), "system", "go" (none)
}

// The limits that a zero field of Options means. Flags and other packages that show or apply them must use these.
const (
	// DefaultMaxPixels is Options.MaxPixels: width times height, before any crop. Pillow begins to warn of a
	// decompression bomb there.
	DefaultMaxPixels = 89_478_485
	// DefaultMaxBytes is Options.MaxBytes: 64 MiB of encoded file.
	DefaultMaxBytes = 64 << 20
	// DefaultDecodeMemory is Options.DecodeMemory: 1 GiB of decoded pixels and work memory, of all workers together.
	DefaultDecodeMemory = 1 << 30
)

func (o Options) withDefaults() (Options, error) {
	for _, n := range []struct {
		value *int64
		byDef int64
		name  string
	}{
		{&o.MaxPixels, DefaultMaxPixels, "max pixels"},
		{&o.MaxBytes, DefaultMaxBytes, "max bytes"},
		{&o.DecodeMemory, DefaultDecodeMemory, "decode memory"},
	} {
		if *n.value < 0 {
			return o, fmt.Errorf("imgvec: preprocess options: %s of %d: must not be negative", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.byDef
		}
	}
	switch {
	case o.Exif != "" && o.Exif != ExifApply && o.Exif != ExifIgnore:
		return o, fmt.Errorf("imgvec: preprocess options: exif mode %q is unknown (apply, ignore)", o.Exif)
	case o.Gray16 != "" && o.Gray16 != Gray16Pillow && o.Gray16 != Gray16Scale:
		return o, fmt.Errorf("imgvec: preprocess options: gray16 mode %q is unknown (pillow, scale)", o.Gray16)
	}
	switch o.Codecs {
	case "":
		o.Codecs = codecsAuto
	case codecsAuto, codecsPillow, codecsSystem, codecsGo:
	default:
		return o, fmt.Errorf("imgvec: preprocess options: codecs %q are unknown (auto, pillow, system, go)", o.Codecs)
	}
	return o, nil
}

// The choices of Options.Codecs.
const (
	codecsAuto   = "auto"
	codecsPillow = "pillow"
	codecsSystem = "system"
	codecsGo     = "go"
)

func (o Options) limits() codec.Limits {
	return codec.Limits{MaxPixels: o.MaxPixels, Gray16Scale: o.Gray16 == Gray16Scale, Codecs: o.Codecs}
}
