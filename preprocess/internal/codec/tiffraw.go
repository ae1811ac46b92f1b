package codec

import (
	"errors"
	"fmt"
	"slices"
)

// rawTile is one strip or tile of an uncompressed picture.
type rawTile struct {
	box
	layer  int
	offset int
	stride int // bytes from row to row; 0 = as the pixels need
}

// rawTiles lists strips or tiles by Pillow's rules, in the order of the file; of those for the same place the last one
// counts.
func (t *tiffFile) rawTiles() ([]rawTile, error) {
	offsets, w, h := t.numbers(tagStripOffsets), t.width, t.number(tagRowsPerStrip, t.height)
	if offsets == nil {
		offsets, w, h = t.numbers(tagTileOffsets), t.number(tagTileWidth, 0), t.number(tagTileHeight, 0)
	}
	if len(offsets) == 0 {
		return nil, errors.New("neither strips nor tiles in its directory")
	}
	if w <= 0 || h <= 0 {
		return nil, fmt.Errorf("strips or tiles of %d x %d pixels", w, h)
	}
	if w == t.width && h == t.height && !t.separate {
		offsets = offsets[len(offsets)-1:]
	}
	return t.placeTiles(offsets, w, h), nil
}

// placeTiles gives each offset its place: row by row, plane by plane.
func (t *tiffFile) placeTiles(offsets []int, w, h int) []rawTile {
	sum := 0
	for _, b := range t.bits {
		sum += b
	}
	stride := w * sum / 8
	if t.separate {
		stride /= t.rawBands()
	}
	var tiles []rawTile
	place := map[[3]int]int{}
	x, y, layer := 0, 0, 0
	for _, offset := range offsets {
		tile := rawTile{box: box{x, y, min(x+w, t.width), min(y+h, t.height)}, layer: layer, offset: offset}
		if x+w > t.width {
			tile.stride = stride
		}
		key := [3]int{x, y, 0}
		if t.separate {
			key[2] = layer
		}
		if i, ok := place[key]; !ok {
			place[key] = len(tiles)
			tiles = append(tiles, tile)
		} else if offset >= tiles[i].offset {
			tiles[i] = tile
		}
		if x += w; x >= t.width {
			x, y = 0, y+h
			if y >= t.height {
				y, layer = 0, layer+1
			}
		}
	}
	slices.SortStableFunc(tiles, func(a, b rawTile) int { return a.offset - b.offset })
	return tiles
}

// rawBands is what Pillow divides a row of a separate plane by.
func (t *tiffFile) rawBands() int {
	n := 1
	switch t.photometric {
	case 2, tiffYCbCr, 8:
		n = 3
	case 5:
		n = 4
	}
	return n + len(t.extra)
}

func (t *tiffFile) decodeRaw(lim Limits, buf []byte) (Image, error) {
	tiles, err := t.rawTiles()
	if err != nil {
		return Image{}, err
	}
	planes := t.separate && t.layout.bands() > 1
	work := int64(0)
	if planes {
		work = 4 * int64(t.width) * int64(t.height)
	}
	layout := t.layout
	if layout.raw == "L;IR" && !t.separate {
		return Image{}, errors.New("inverted gray with reversed bits is not supported without compression")
	}
	if t.separate && !planes {
		t.layout.raw = t.layout.raw[:1] // Pillow takes the first letter, whatever follows it
		if layout.mode == "I;16" || layout.mode == "I;16B" {
			return Image{}, errPlanes
		}
	}
	u, err := t.unpacker(lim.Gray16Scale)
	if err != nil {
		return Image{}, err
	}
	img, err := newImage(t.width, t.height, work, lim, buf)
	if err != nil {
		return Image{}, err
	}
	if planes {
		return img, t.rawPlanes(img, tiles)
	}
	t.blank(img)
	for _, tile := range tiles {
		if tile.layer > 0 && t.separate {
			return Image{}, errPlanes
		}
		err := t.rawRows(tile, u.bits, func(y int, src []uint8) {
			u.row(img.row(y)[3*tile.x0:3*tile.x1], src, tile.x1-tile.x0)
		})
		if err != nil {
			return Image{}, err
		}
	}
	return img, nil
}

func (t *tiffFile) rawPlanes(img Image, tiles []rawTile) error {
	p := t.planes(img)
	for _, tile := range tiles {
		plane, err := t.layout.rawPlane(tile.layer)
		if err != nil {
			return err
		}
		err = t.rawRows(tile, 8, func(y int, src []uint8) {
			p.put(plane, tile.x0, y, tile.x1-tile.x0, src, 1, 0)
		})
		if err != nil {
			return err
		}
	}
	p.finish(false)
	return nil
}

// blank fills img with what pixels of zero show, for pictures of which parts are missing.
func (t *tiffFile) blank(img Image) {
	first := img.row(0)
	switch t.layout.mode {
	case "P", "PA":
		for i := 0; i < len(first); i += 3 {
			copy(first[i:i+3], t.palette[:3])
		}
	case "CMYK":
		for i := range first {
			first[i] = 255
		}
	case "YCbCr":
		ycbcrRow(first, make([]uint8, len(first)), img.Width)
	default:
		clear(first)
	}
	for y := 1; y < img.Height; y++ {
		copy(img.row(y), first)
	}
}

// rawRows hands the rows of a tile to put.
func (t *tiffFile) rawRows(tile rawTile, bits int, put func(y int, src []uint8)) error {
	need := ((tile.x1-tile.x0)*bits + 7) / 8
	stride := tile.stride
	if stride == 0 {
		stride = need
	}
	if stride < need {
		return errors.New("rows are shorter than their pixels")
	}
	at := tile.offset
	for y := tile.y0; y < tile.y1; y++ {
		if at < 0 || at > len(t.data) || len(t.data)-at < need {
			return errTruncated
		}
		put(y, t.data[at:at+need])
		at += stride
	}
	return nil
}
