package codec

import (
	"encoding/binary"
	"math"
	"sync"
)

// tagOrientation is EXIF's and TIFF's tag.
const tagOrientation = 0x112

// orientation finds how to turn a picture from its EXIF block (nil where it has none) and its XMP packet, as Pillow's
// getexif does: EXIF first; XMP only where EXIF does not speak of orientation, also not nonsensically.
func orientation(exif, xmp []byte) int {
	value, found := exifOrientation(exif)
	if !found {
		value = xmpOrientation(xmp)
	}
	if value < 1 || value > 8 {
		return 1
	}
	return value
}

// exifOrientation reads the tag of the first directory of an EXIF block, with or without its "Exif\0\0". found is also
// set where the block is damaged such that Pillow gives up on all metadata.
func exifOrientation(exif []byte) (value int, found bool) {
	for range 2 {
		if hasPrefix(exif, "Exif\x00\x00") {
			exif = exif[6:]
		}
	}
	if len(exif) == 0 {
		return 0, false
	}
	order, ok := byteOrder(exif)
	if !ok || len(exif) < 8 || exif[2] == 43 {
		return 1, true
	}
	fields := fieldMaps.Get().(map[uint16]field)
	readFields(fields, exif, order, uint64(order.Uint32(exif[4:])), false)
	f, ok := fields[tagOrientation]
	if len(fields) <= manyFields {
		clear(fields)
		fieldMaps.Put(fields)
	}
	if !ok {
		return 0, false
	}
	return f.number(order), true
}

// manyFields are more than a camera writes; a map that held more is not kept.
const manyFields = 256

// fieldMaps saves allocations for each photo; the maps in it are empty.
var fieldMaps = sync.Pool{New: func() any { return map[uint16]field{} }}

// byteOrder tells a TIFF header's.
func byteOrder(data []byte) (binary.ByteOrder, bool) {
	for _, magic := range tiffMagics {
		if hasPrefix(data, magic) {
			if data[0] == 'M' {
				return binary.BigEndian, true
			}
			return binary.LittleEndian, true
		}
	}
	return nil, false
}

// A field is one entry of a TIFF directory, its value still as bytes of the file.
type field struct {
	kind uint16
	data []byte
}

// The sizes of TIFF's types; 0 = none that Pillow reads.
var fieldSizes = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8}

type directory struct{ fields map[uint16]field }

// readDirectory reads the TIFF directory at offset, see readFields.
func readDirectory(data []byte, order binary.ByteOrder, offset uint64, big bool) directory {
	d := directory{fields: map[uint16]field{}}
	readFields(d.fields, data, order, offset, big)
	return d
}

// readFields reads the TIFF directory at offset into fields, which is empty. Like Pillow it keeps what it has where the
// file ends early, keeps the first of equal tags, and reads no more tag data than the file has bytes (a directory of
// overlapping values could claim any amount).
func readFields(fields map[uint16]field, data []byte, order binary.ByteOrder, offset uint64, big bool) {
	size := uint64(len(data))
	countSize, entrySize, inline := uint64(2), uint64(12), uint64(4)
	if big {
		countSize, entrySize, inline = 8, 20, 8
	}
	if offset > size || size-offset < countSize {
		return
	}
	count := word(data[offset:], order, countSize)
	at := offset + countSize
	total, ok := uint64(0), true
	for ; count > 0 && ok && size-at >= entrySize; count-- {
		total, ok = readField(fields, data, data[at:at+entrySize], order, inline, total)
		at += entrySize
	}
}

// readField adds one entry; inline is how many bytes of value it holds itself, total how many others hold elsewhere. It
// returns the new total, and false where the file ends.
func readField(fields map[uint16]field, data, e []byte, order binary.ByteOrder, inline, total uint64) (uint64, bool) {
	size := uint64(len(data))
	tag, kind := order.Uint16(e), order.Uint16(e[2:])
	if _, ok := fields[tag]; ok || int(kind) >= len(fieldSizes) || fieldSizes[kind] == 0 {
		return total, true
	}
	n := word(e[4:], order, inline)
	if n == 0 || n > math.MaxUint64/16 {
		return total, true
	}
	n *= fieldSizes[kind]
	value := e[4+inline:]
	if n > inline {
		total += min(n, size+1)
		start := word(value, order, inline)
		if total > size || start >= 1<<63 {
			return total, true
		}
		if start > size || size-start < n {
			return total, false
		}
		value = data[start:]
	}
	fields[tag] = field{kind, value[:n]}
	return total, true
}

// word reads an unsigned number of 2, 4 or 8 bytes.
func word(b []byte, order binary.ByteOrder, size uint64) uint64 {
	switch size {
	case 2:
		return uint64(order.Uint16(b))
	case 4:
		return uint64(order.Uint32(b))
	}
	return order.Uint64(b)
}

// number is the field's first value where it is a whole number, else 0. Bytes and text are none, as in Pillow.
func (f field) number(order binary.ByteOrder) int {
	v, ok := f.at(order, 0)
	if !ok || v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
		return 0
	}
	return int(v)
}

// at is the field's i-th value.
func (f field) at(order binary.ByteOrder, i int) (float64, bool) {
	size := int(fieldSizes[f.kind])
	if i < 0 || (i+1)*size > len(f.data) {
		return 0, false
	}
	b := f.data[i*size:]
	switch f.kind {
	case 3:
		return float64(order.Uint16(b)), true
	case 4, 13:
		return float64(order.Uint32(b)), true
	case 5:
		return ratio(float64(order.Uint32(b)), float64(order.Uint32(b[4:])))
	case 6:
		return float64(int8(b[0])), true
	case 8:
		return float64(int16(order.Uint16(b))), true
	case 9:
		return float64(int32(order.Uint32(b))), true
	case 10:
		return ratio(float64(int32(order.Uint32(b))), float64(int32(order.Uint32(b[4:]))))
	case 11:
		return float64(math.Float32frombits(order.Uint32(b))), true
	case 12:
		return math.Float64frombits(order.Uint64(b)), true
	case 16:
		return float64(order.Uint64(b)), true
	}
	return 0, false
}

func ratio(a, b float64) (float64, bool) {
	return a / b, b != 0
}
