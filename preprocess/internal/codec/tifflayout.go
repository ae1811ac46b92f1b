package codec

import (
	"slices"
	"strings"
)

// tiffLayout is how pixels lie in a strip, in Pillow's words: the mode of the picture they become, and the raw mode that
// says which bits are what ("L;4IR": gray of four bits, inverted, low bits first).
type tiffLayout struct{ mode, raw string }

// native says that samples of 16 bits are in the machine's order, as libtiff hands them out.
func (l *tiffLayout) native() {
	if l.raw == "I;16" {
		l.raw = "I;16N"
	} else if strings.HasSuffix(l.raw, ";16B") || strings.HasSuffix(l.raw, ";16L") {
		l.raw = l.raw[:len(l.raw)-1] + "N"
	}
}

// tiffLayoutOf is Pillow's table OPEN_INFO.
func tiffLayoutOf(t *tiffFile, format, fillOrder int) (tiffLayout, bool) {
	if len(t.bits) == 0 || fillOrder != 1 && fillOrder != 2 {
		return tiffLayout{}, false
	}
	for _, b := range t.bits {
		if b != t.bits[0] {
			return tiffLayout{}, false
		}
	}
	k := tiffKey{
		little: t.order.Uint16([]byte{1, 0}) == 1, photo: t.photometric, format: format, reverse: fillOrder == 2,
		bits: t.bits[0], count: len(t.bits), extra: t.extra,
	}
	var l tiffLayout
	switch {
	case k.photo <= 1 && k.count == 1 && len(k.extra) == 0:
		l = k.gray()
	case format != 1:
	case k.photo == 1 && k.count == 2 && k.bits == 8 && !k.reverse:
		l = k.pick(map[int]tiffLayout{0: {"L", "LX"}, 2: {"LA", "LA"}})
	case k.photo == 2:
		l = k.rgb()
	case k.photo == 3:
		l = k.indexed()
	case k.photo == 5 && !k.reverse:
		l = k.cmyk()
	case k.photo == tiffYCbCr && !k.reverse && k.bits == 8 && len(k.extra) == 0:
		switch k.count {
		case 1:
			l = tiffLayout{"L", "L"}
		case 3:
			l = tiffLayout{"YCbCr", "YCbCr"}
		}
	}
	return l, l.mode != ""
}

type tiffKey struct {
	little              bool
	photo, format, bits int
	count               int
	extra               []int
	reverse             bool
}

// pick chooses by the single extra sample.
func (k tiffKey) pick(by map[int]tiffLayout) tiffLayout {
	if len(k.extra) != 1 {
		return tiffLayout{}
	}
	return by[k.extra[0]]
}

// end gives the byte order's letter.
func (k tiffKey) end() string {
	if k.little {
		return "L"
	}
	return "B"
}

func (k tiffKey) gray() tiffLayout {
	switch {
	case k.format == 1 && k.bits <= 8:
		return k.grayBits()
	case k.reverse && (k.format != 1 || k.bits != 16):
	case k.format == 1 && k.bits == 12 && k.photo == 1 && k.little:
		return tiffLayout{"I;16", "I;12"}
	case k.format == 1 && k.bits == 16 && k.little && k.reverse && k.photo == 1:
		return tiffLayout{"I;16", "I;16R"}
	case k.format == 1 && k.bits == 16 && k.little && !k.reverse:
		return tiffLayout{"I;16", "I;16"}
	case k.format == 1 && k.bits == 16 && !k.little && !k.reverse && k.photo == 1:
		return tiffLayout{"I;16B", "I;16B"}
	case k.format == 1 && k.bits == 32 && k.little && k.photo == 1:
		return tiffLayout{"I", "I;32N"}
	case k.format == 2 && k.bits == 8 && k.photo == 1:
		return tiffLayout{"L", "L"}
	case k.format == 2 && (k.bits == 16 || k.bits == 32) && k.photo == 1:
		raw := "I;16S"
		if k.bits == 32 {
			raw = "I;32S"
		}
		if !k.little {
			raw = raw[:4] + "BS"
		}
		return tiffLayout{"I", raw}
	case k.format == 3 && k.bits == 32:
		if k.little {
			return tiffLayout{"F", "F;32F"}
		}
		return tiffLayout{"F", "F;32BF"}
	}
	return tiffLayout{}
}

func (k tiffKey) grayBits() tiffLayout {
	flags := ""
	if k.photo == 0 {
		flags = "I"
	}
	if k.reverse {
		flags += "R"
	}
	switch k.bits {
	case 1:
		return tiffLayout{"1", strings.TrimSuffix("1;"+flags, ";")}
	case 2:
		return tiffLayout{"L", "L;2" + flags}
	case 4:
		return tiffLayout{"L", "L;4" + flags}
	case 8:
		return tiffLayout{"L", strings.TrimSuffix("L;"+flags, ";")}
	}
	return tiffLayout{}
}

func (k tiffKey) rgb() tiffLayout {
	if k.reverse {
		if k.bits == 8 && k.count == 3 && len(k.extra) == 0 {
			return tiffLayout{"RGB", "RGB;R"}
		}
		return tiffLayout{}
	}
	wide := ""
	switch {
	case k.bits == 16 && k.count <= 4:
		wide = ";16" + k.end()
	case k.bits != 8:
		return tiffLayout{}
	}
	switch {
	case k.count == 3 && len(k.extra) == 0:
		return tiffLayout{"RGB", "RGB" + wide}
	case k.count == 4 && len(k.extra) == 0:
		return tiffLayout{"RGBA", "RGBA" + wide}
	case len(k.extra) != k.count-3 || len(k.extra) == 0 || !allZero(k.extra[1:]):
		return tiffLayout{}
	}
	skip := strings.Repeat("X", k.count-4)
	switch {
	case k.extra[0] == 0:
		return tiffLayout{"RGB", "RGBX" + skip + wide}
	case k.extra[0] == 1:
		return tiffLayout{"RGBA", "RGBa" + skip + wide}
	case k.extra[0] == 2, k.extra[0] == 999 && k.bits == 8 && k.count == 4: // 999: Corel Draw 10
		return tiffLayout{"RGBA", "RGBA" + skip + wide}
	}
	return tiffLayout{}
}

func (k tiffKey) indexed() tiffLayout {
	if k.count == 2 && k.bits == 8 && !k.reverse {
		return k.pick(map[int]tiffLayout{0: {"P", "PX"}, 2: {"PA", "PA"}})
	}
	if k.count != 1 || len(k.extra) != 0 {
		return tiffLayout{}
	}
	raw := map[int]string{1: "P;1", 2: "P;2", 4: "P;4", 8: "P"}[k.bits]
	if raw == "" {
		return tiffLayout{}
	}
	if k.reverse {
		if k.bits == 8 {
			raw += ";"
		}
		raw += "R"
	}
	return tiffLayout{"P", raw}
}

func (k tiffKey) cmyk() tiffLayout {
	switch {
	case len(k.extra) != k.count-4 || !allZero(k.extra):
	case k.bits == 8 && slices.Contains([]int{4, 5, 6}, k.count):
		return tiffLayout{"CMYK", "CMYK" + strings.Repeat("X", k.count-4)}
	case k.bits == 16 && k.count == 4:
		return tiffLayout{"CMYK", "CMYK;16" + k.end()}
	}
	return tiffLayout{}
}
