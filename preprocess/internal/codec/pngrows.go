package codec

import (
	"errors"
	"fmt"
	"io"
)

// errStreamEnd: the compressed stream ended where a row ended. Pillow takes such a picture, the rest of it black.
var errStreamEnd = errors.New("compressed stream ended early")

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// pngRows undoes compression, filters and interlacing of one PNG picture.
type pngRows struct {
	p       *pngFile
	img     Image
	inflate io.Reader
	frame   box
	cur     []uint8 // filter byte and row
	prev    []uint8
	rows    int
	bytes   int64  // of complete rows, unpacked
	done    []bool // rows that were written; set when the stream ends early
}

// next reads the next row of n bytes and undoes its filter. The result is valid until the call after the next.
func (d *pngRows) next(n int) ([]uint8, error) {
	d.cur, d.prev = d.prev, d.cur
	row := d.cur[:n+1]
	got, err := io.ReadFull(d.inflate, row)
	if got < len(row) {
		if got == 0 && d.rows > 0 && isEOF(err) {
			return nil, errStreamEnd
		}
		return nil, pngDataError(err)
	}
	d.rows++
	d.bytes += int64(len(row))
	if err := unfilter(row[0], row[1:], d.prev[1:n+1], (d.p.bits()+7)/8); err != nil {
		return nil, err
	}
	return row[1:], nil
}

func (d *pngRows) buffers(n int) {
	d.cur, d.prev = make([]uint8, n+1), make([]uint8, n+1)
}

func (d *pngRows) plain() error {
	width := d.frame.x1 - d.frame.x0
	n := (width*d.p.bits() + 7) / 8
	d.buffers(n)
	for y := d.frame.y0; y < d.frame.y1; y++ {
		row, err := d.next(n)
		if err != nil {
			if errors.Is(err, errStreamEnd) {
				d.done = make([]bool, d.img.Height)
				for i := range y {
					d.done[i] = true
				}
			}
			return err
		}
		d.p.expand(d.img.row(y)[3*d.frame.x0:3*d.frame.x1], row, width)
	}
	return nil
}

// adam7 are the first column and row of each pass and their steps.
var adam7 = [7]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// interlaced ignores the frame's offset, as Pillow does, which matters to no file that an encoder writes.
func (d *pngRows) interlaced() error {
	w, h := d.frame.x1-d.frame.x0, d.frame.y1-d.frame.y0
	d.p.clear(d.img) // for streams that end early
	d.buffers((w*d.p.bits() + 7) / 8)
	pixels := make([]uint8, 3*w)
	for _, pass := range adam7 {
		width := (w - pass.x + pass.dx - 1) / pass.dx
		if width <= 0 {
			continue
		}
		n := (width*d.p.bits() + 7) / 8
		clear(d.cur)
		for y := pass.y; y < h; y += pass.dy {
			row, err := d.next(n)
			if err != nil {
				return err
			}
			d.p.expand(pixels[:3*width], row, width)
			to := d.img.row(y)
			for i, x := 0, 3*pass.x; i < 3*width; i, x = i+3, x+3*pass.dx {
				to[x], to[x+1], to[x+2] = pixels[i], pixels[i+1], pixels[i+2]
			}
		}
	}
	return nil
}

// unfilter undoes one row's filter; bpp is the distance to the pixel on the left in bytes.
func unfilter(filter uint8, row, prev []uint8, bpp int) error {
	prev = prev[:len(row)]
	switch filter {
	case 0:
	case 1:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case 2:
		for i, v := range prev {
			row[i] += v
		}
	case 3:
		for i := range min(bpp, len(row)) {
			row[i] += prev[i] / 2
		}
		for i := bpp; i < len(row); i++ {
			row[i] += uint8((int(row[i-bpp]) + int(prev[i])) / 2)
		}
	case 4:
		paeth(row, prev, bpp)
	default:
		return fmt.Errorf("unrecognised data stream contents (row filter %d)", filter)
	}
	return nil
}

// paeth undoes filter 4: of left (a), above (b) and upper left (c) it adds the one nearest to a + b - c. Left of the row
// all are zero. One channel at a time, so that a and c stay in registers.
func paeth(row, prev []uint8, bpp int) {
	prev = prev[:len(row)]
	for channel := range min(bpp, len(row)) {
		var a, c int32
		for i := channel; i < len(row); i += bpp {
			b := int32(prev[i])
			pa, pb := b-c, a-c
			pc := pa + pb
			pa, pb, pc = max(pa, -pa), max(pb, -pb), max(pc, -pc)
			best := c
			if pb <= pc {
				best = b
			}
			if pa <= pb && pa <= pc {
				best = a
			}
			a = (int32(row[i]) + best) & 255
			row[i] = uint8(a)
			c = b
		}
	}
}
