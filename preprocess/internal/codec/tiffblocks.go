package codec

import (
	"errors"
	"fmt"
)

// tiffSource unpacks the strips or tiles of a compressed TIFF picture: libtiff, or Go.
type tiffSource interface {
	// shape says how the picture is cut, as libtiff sees it.
	shape() tiffShape
	// strip unpacks the strip that begins at row y of a plane.
	strip(y, plane int, buf []byte) error
	// tile unpacks the tile at x, y of a plane.
	tile(x, y, plane int, buf []byte) error
	// rgba converts rows from y on to RGBA, top row first: for subsampled YCbCr.
	rgba(y, rows int, buf []byte) error
	close()
}

// tiffShape is sizes in pixels and bytes.
type tiffShape struct {
	width, height int
	ycbcr         bool // needs rgba
	separate      bool
	bits          int // of a sample
	tiled         bool
	blockW        int // of a tile
	blockH        int // of a tile or strip
	blockBytes    int
	rowBytes      int
	associated    bool // the first extra sample is alpha that the colours are multiplied with, or is not described
}

var libtiff = &library{
	name:    "libtiff",
	files:   "libtiff-*.so*",
	needs:   []string{"libjpeg-*.so*", "liblzma-*.so*", "libzstd-*.so*"},
	sonames: []string{"libtiff.so.6", "libtiff.so.5", "libtiff.so"},
	bind:    bindTIFF,
}

// decodeCompressed follows Pillow's TiffDecode.c.
func (t *tiffFile) decodeCompressed(lim Limits, buf []byte) (Image, error) {
	block, err := t.blockBytes()
	if err != nil {
		return Image{}, err
	}
	u, err := t.unpacker(lim.Gray16Scale)
	if err != nil {
		return Image{}, err
	}
	work := 3 * block
	planes := t.separate && t.layout.bands() > 1
	if planes {
		work += 4 * int64(t.width) * int64(t.height)
	}
	img, err := newImage(t.width, t.height, work, lim, buf)
	if err != nil {
		return Image{}, err
	}
	src, err := t.open(lim.Codecs, work)
	if err != nil {
		return Image{}, err
	}
	defer src.close()
	d := tiffBlocks{t: t, u: u, img: img, src: src, shape: src.shape(), limit: block}
	if d.shape.width != t.width || d.shape.height != t.height {
		return Image{}, errors.New("libtiff sees another size")
	}
	return img, d.decode()
}

func (t *tiffFile) open(codecs string, memory int64) (tiffSource, error) {
	native, err := libtiff.use(codecs)
	if err == nil {
		return native.(nativeTIFF).open(t, memory)
	}
	src, goErr := newTIFFGo(t)
	if goErr != nil {
		return nil, fmt.Errorf("%w (libtiff decodes it: run imgvec setup)", goErr)
	}
	return src, nil
}

// tiffBlocks puts strips or tiles together.
type tiffBlocks struct {
	t      *tiffFile
	u      unpacker
	img    Image
	src    tiffSource
	shape  tiffShape
	planes *tiffPlanes
	limit  int64 // bytes of a block that were reserved
}

var errTIFFShape = errors.New("its strips or tiles do not fit its pixels")

func (d *tiffBlocks) decode() error {
	s := d.shape
	if s.ycbcr {
		return d.rgba()
	}
	count, bits := 1, d.u.bits
	if bands := d.t.layout.bands(); s.separate && bands > 1 {
		if s.bits != 8 && s.bits != 16 {
			return errPlanes
		}
		count, bits = bands, s.bits
		if d.u.bits/bands != bits {
			return errTIFFShape
		}
		d.planes = d.t.planes(d.img)
	}
	if s.blockBytes <= 0 || s.rowBytes <= 0 || s.blockW <= 0 || s.blockH <= 0 || int64(s.blockBytes) > d.limit+4096 {
		return errTIFFShape
	}
	buf := make([]byte, s.blockBytes)
	var err error
	if s.tiled {
		err = d.tiles(buf, count, bits)
	} else {
		err = d.strips(buf, count, bits)
	}
	if err == nil && d.planes != nil {
		d.planes.finish(count > 3 && d.t.layout.mode == "RGBA" && s.associated)
	}
	return err
}

func (d *tiffBlocks) strips(buf []byte, count, bits int) error {
	s := d.shape
	need := (d.img.Width*bits + 7) / 8
	if int64(s.blockBytes) > int64(need)*int64(s.blockH) || need > s.rowBytes {
		return errTIFFShape
	}
	for y := 0; y < d.img.Height; y += s.blockH {
		rows := min(s.blockH, d.img.Height-y)
		if rows*s.rowBytes > len(buf) {
			return errTIFFShape
		}
		for plane := range count {
			if err := d.src.strip(y, plane, buf); err != nil {
				return err
			}
			for row := range rows {
				d.put(plane, 0, y+row, d.img.Width, buf[row*s.rowBytes:][:s.rowBytes], bits)
			}
		}
	}
	return nil
}

func (d *tiffBlocks) tiles(buf []byte, count, bits int) error {
	s := d.shape
	if int64(s.blockBytes) > int64((s.blockH*bits+7)/8)*int64(s.blockW) || s.rowBytes > s.blockBytes {
		return errTIFFShape
	}
	for y := 0; y < d.img.Height; y += s.blockH {
		for plane := range count {
			for x := 0; x < d.img.Width; x += s.blockW {
				if err := d.tile(buf, x, y, plane, bits); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *tiffBlocks) tile(buf []byte, x, y, plane, bits int) error {
	s := d.shape
	rows, n := min(s.blockH, d.img.Height-y), min(s.blockW, d.img.Width-x)
	if (n*bits+7)/8 > s.rowBytes || rows*s.rowBytes > len(buf) {
		return errTIFFShape
	}
	if err := d.src.tile(x, y, plane, buf); err != nil {
		return err
	}
	for row := range rows {
		d.put(plane, x, y+row, n, buf[row*s.rowBytes:][:s.rowBytes], bits)
	}
	return nil
}

// put stores n pixels of a row, or one sample each of them.
func (d *tiffBlocks) put(plane, x, y, n int, src []byte, bits int) {
	switch {
	case d.planes == nil:
		d.u.row(d.img.row(y)[3*x:3*(x+n)], src, n)
	case bits == 16:
		d.planes.put(plane, x, y, n, src, 2, nativeHigh)
	default:
		d.planes.put(plane, x, y, n, src, 1, 0)
	}
}

// rgba lets libtiff convert, strip by strip.
func (d *tiffBlocks) rgba() error {
	if d.t.layout.raw != "RGBX" {
		return errTIFFShape
	}
	rows := min(max(d.shape.blockH, 1), d.img.Height)
	size := 4 * d.img.Width * rows
	buf := make([]byte, size)
	for y := 0; y < d.img.Height; y += rows {
		n := min(rows, d.img.Height-y)
		if err := d.src.rgba(y, n, buf); err != nil {
			return err
		}
		for row := range n {
			packRGBX(d.img.row(y+row), buf[4*d.img.Width*row:])
		}
	}
	return nil
}
