package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// An unpacker turns a row of n packed pixels into RGB. It is Pillow's unpacker (Unpack.c) and its conversion to RGB
// (Convert.c) in one.
type unpacker struct {
	bits int // of a pixel
	row  func(dst, src []uint8, n int)
}

// unpacker finds the one for the layout.
func (t *tiffFile) unpacker(scale bool) (unpacker, error) {
	l := t.layout
	name, flags, _ := strings.Cut(l.raw, ";")
	var u unpacker
	switch l.mode {
	case "1", "L":
		u = grayUnpacker(name, flags)
	case "I;16", "I;16B":
		u = gray16Unpacker(flags, scale)
	case "I", "F":
		u = numberUnpacker(l.raw)
	case "LA":
		u = unpacker{16, func(dst, src []uint8, n int) { everySecond(dst, src, n) }}
	case "P", "PA":
		u = t.indexUnpacker(name, flags)
	case "RGB", "RGBA":
		u = rgbUnpacker(name, flags)
	case "CMYK":
		u = cmykUnpacker(name, flags)
	case "YCbCr":
		u = unpacker{24, ycbcrRow}
	}
	if u.row == nil {
		return u, fmt.Errorf("pixels of layout %q as %q are not supported", l.raw, l.mode)
	}
	return u, nil
}

func everySecond(dst, src []uint8, n int) {
	for i := range n {
		setGray(dst[3*i:], src[2*i])
	}
}

// grayUnpacker: flags are the bits a sample (none means 1 or 8), I for inverted, R for low bits first.
func grayUnpacker(name, flags string) unpacker {
	if name == "LX" {
		return unpacker{16, everySecond}
	}
	depth := 8
	if name == "1" {
		depth = 1
	}
	if strings.HasPrefix(flags, "2") || strings.HasPrefix(flags, "4") {
		depth = int(flags[0] - '0')
	}
	var invert uint8
	if strings.Contains(flags, "I") {
		invert = 255
	}
	turn := strings.Contains(flags, "R")
	scale := uint8(255 / (1<<depth - 1))
	return unpacker{depth, func(dst, src []uint8, n int) {
		src = turned(src, turn)
		for i := range n {
			setGray(dst[3*i:], sample(src, i, depth)*scale^invert)
		}
	}}
}

// turned reverses the bits of each byte.
func turned(src []uint8, turn bool) []uint8 {
	if !turn {
		return src
	}
	out := make([]uint8, len(src))
	for i, v := range src {
		out[i] = bits.Reverse8(v)
	}
	return out
}

func gray16Unpacker(flags string, scale bool) unpacker {
	switch flags {
	case "12":
		return unpacker{12, func(dst, src []uint8, n int) {
			for i := range n {
				v := sample12(src, i)
				if scale {
					setGray(dst[3*i:], uint8(v>>4))
				} else {
					setGray(dst[3*i:], uint8(min(v, 255)))
				}
			}
		}}
	case "16B":
		return unpacker{16, func(dst, src []uint8, n int) {
			for i := range n {
				setGray(dst[3*i:], gray16(src[2*i], src[2*i+1], scale))
			}
		}}
	}
	turn := flags == "16R"
	return unpacker{16, func(dst, src []uint8, n int) {
		src = turned(src, turn)
		for i := range n {
			setGray(dst[3*i:], gray16(src[2*i+1], src[2*i], scale))
		}
	}}
}

// sample12 is the i-th of samples of 12 bits in a row, high bits first.
func sample12(src []uint8, i int) int {
	at := i * 3 / 2
	if i%2 == 0 {
		return int(src[at])<<4 | int(src[at+1])>>4
	}
	return int(src[at]&15)<<8 | int(src[at+1])
}

// numberUnpacker clips whole numbers and floats to 0..255. Nothing tells what range such samples mean.
func numberUnpacker(raw string) unpacker {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case strings.Contains(raw, "B"):
		order = binary.BigEndian
	case len(raw) == 1, strings.HasSuffix(raw, "N"):
		order = binary.NativeEndian
	}
	size := 4
	value := func(b []uint8) float64 { return float64(int32(order.Uint32(b))) }
	switch {
	case strings.HasPrefix(raw, "I;16"):
		size = 2
		value = func(b []uint8) float64 { return float64(int16(order.Uint16(b))) }
	case strings.HasPrefix(raw, "F"):
		value = func(b []uint8) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	}
	return unpacker{8 * size, func(dst, src []uint8, n int) {
		for i := range n {
			v := value(src[i*size:])
			switch {
			case v >= 255:
				v = 255
			case !(v > 0): // also what is no number
				v = 0
			}
			setGray(dst[3*i:], uint8(v))
		}
	}}
}

// indexUnpacker has no reversed bits, as Pillow has none for palettes of less than 8 bits.
func (t *tiffFile) indexUnpacker(name, flags string) unpacker {
	palette := &t.palette
	if name == "PX" || name == "PA" {
		return unpacker{16, func(dst, src []uint8, n int) {
			for i := range n {
				copy(dst[3*i:3*i+3], palette[3*int(src[2*i]):])
			}
		}}
	}
	depth := map[string]int{"": 8, "R": 8, "1": 1, "2": 2, "4": 4}[flags]
	if depth == 0 {
		return unpacker{}
	}
	return unpacker{depth, func(dst, src []uint8, n int) {
		expandIndices(dst, turned(src, flags == "R"), n, depth, palette)
	}}
}

// widths gives the bytes of a sample and where its high byte is.
func widths(flags string) (size, high int) {
	switch flags {
	case "16B":
		return 2, 0
	case "16L":
		return 2, 1
	case "16N":
		return 2, nativeHigh
	}
	return 1, 0
}

// nativeHigh is where the high byte of 16 bits lies in memory.
var nativeHigh = int(binary.NativeEndian.Uint16([]byte{0, 1}) >> 8)

func rgbUnpacker(name, flags string) unpacker {
	size, high := widths(flags)
	step := size * len(name)
	turn := flags == "R"
	associated := strings.Contains(name, "a")
	return unpacker{8 * step, func(dst, src []uint8, n int) {
		if step == 3 && !turn {
			copy(dst[:3*n], src)
			return
		}
		src = turned(src, turn)
		for i := range n {
			s, d := src[i*step:(i+1)*step], dst[3*i:3*i+3:3*i+3]
			d[0], d[1], d[2] = s[high], s[size+high], s[2*size+high]
			if associated {
				divideAlpha(d, s[3*size+high])
			}
		}
	}}
}

// divideAlpha undoes the multiplication with alpha.
func divideAlpha(rgb []uint8, alpha uint8) {
	for i, v := range rgb {
		switch alpha {
		case 0:
			rgb[i] = 0
		case 255:
		default:
			rgb[i] = uint8(min(int(v)*255/int(alpha), 255))
		}
	}
}

func cmykUnpacker(name, flags string) unpacker {
	size, high := widths(flags)
	step := size * len(name)
	return unpacker{8 * step, func(dst, src []uint8, n int) {
		var ink [4]uint8
		for i := range n {
			for c := range ink {
				ink[c] = src[i*step+c*size+high]
			}
			cmykToRGB(dst[3*i:3*i+3], ink[:])
		}
	}}
}

// ycbcrTables are Pillow's for YCbCr pictures (ConvertYCbCr.c): 6 fraction bits, truncated after adding a half.
var ycbcrTables = func() (t struct{ crR, cbB, crG, cbG [256]int32 }) {
	for i := range 256 {
		x := float64(i-128) * 64
		t.crR[i], t.crG[i] = int32(x*1.402+0.5), int32(x*-0.71414+0.5)
		t.cbB[i], t.cbG[i] = int32(x*1.772+0.5), int32(x*-0.34414+0.5)
	}
	return t
}()

func ycbcrRow(dst, src []uint8, n int) {
	for i := range n {
		y, cb, cr := int32(src[3*i]), src[3*i+1], src[3*i+2]
		dst[3*i] = clip8(y + ycbcrTables.crR[cr]>>6)
		dst[3*i+1] = clip8(y + (ycbcrTables.cbG[cb]+ycbcrTables.crG[cr])>>6)
		dst[3*i+2] = clip8(y + ycbcrTables.cbB[cb]>>6)
	}
}
