package codec

import (
	"errors"
	"fmt"
)

const (
	lzwTable = 4096
	lzwWork  = 1 << 16
	// gifRead is how much Pillow's loader reads at a time, see lzwReader.more.
	gifRead = 1 << 16
)

var errLZW = errors.New("broken LZW data")

// decode expands the frame's LZW data into img. It is written after GifDecode.c, because the standard library's LZW
// differs on what Pillow forgives: a full table that is not cleared, an end code before the picture is full.
func (g *gifFile) decode(data []byte, img Image) error {
	if g.bits > 12 {
		return fmt.Errorf("LZW codes of %d bits", g.bits)
	}
	r := lzwReader{data: data, at: g.at, limit: g.at + gifRead}
	var t lzwStrings
	out := gifWriter{g: g, img: img, y: g.frame.y0, step: 1}
	if g.interlaced {
		out.step, out.pass = 8, 1
	}
	clearCode := 1 << g.bits
	end := clearCode + 1
	t.reset(clearCode)
	r.size = g.bits + 1
	for {
		c, err := r.code()
		switch {
		case err != nil:
			return err
		case c == clearCode:
			t.reset(clearCode)
			r.size = g.bits + 1
			continue
		case c == end:
			// Pillow goes on with whatever follows in the file, if there is more than one read of it.
			if err := r.more(); err != nil {
				return err
			}
			continue
		}
		s, err := t.expand(c, &r.size)
		if err != nil {
			return err
		}
		if out.write(s) {
			return nil
		}
	}
}

// lzwStrings is the table of strings, each a byte and the code of what stands in front of it.
type lzwStrings struct {
	data              [lzwTable]uint8
	link              [lzwTable]uint16
	buffer            [lzwTable]uint8
	clear, next, last int
	first             uint8
	started           bool
}

func (t *lzwStrings) reset(clearCode int) {
	t.clear, t.next, t.started = clearCode, clearCode+2, false
}

// expand returns the string of code c, valid until the next call, and adds the string that c completes; size is the
// code length, raised when the table needs it.
func (t *lzwStrings) expand(c int, size *int) ([]uint8, error) {
	at := len(t.buffer)
	if !t.started {
		if c > t.clear {
			return nil, errLZW
		}
		t.first, t.last, t.started = uint8(c), c, true
		t.buffer[at-1] = t.first
		return t.buffer[at-1:], nil
	}
	code := c
	if c > t.next {
		return nil, errLZW
	}
	if c == t.next { // the string that this code is just completing
		at--
		t.buffer[at] = t.first
		c = t.last
	}
	for c >= t.clear {
		if at <= 0 || c >= lzwTable {
			return nil, errLZW
		}
		at--
		t.buffer[at] = t.data[c]
		c = int(t.link[c])
	}
	t.first = uint8(c)
	if t.next < lzwTable {
		t.data[t.next], t.link[t.next] = uint8(c), uint16(t.last)
		if t.next == 1<<*size-1 && *size < 12 {
			*size++
		}
		t.next++
	}
	t.last = code
	if at == 0 {
		return append([]uint8{t.first}, t.buffer[:]...), nil
	}
	at--
	t.buffer[at] = t.first
	return t.buffer[at:], nil
}

// lzwReader takes codes from GIF's data blocks.
type lzwReader struct {
	data  []byte
	at    int
	limit int // end of what Pillow would have read by now
	block int // bytes left in the block
	bits  uint32
	have  int // bits
	size  int // of a code
}

func (r *lzwReader) code() (int, error) {
	for r.have < r.size {
		if r.block == 0 {
			if err := r.nextBlock(); err != nil {
				return 0, err
			}
			continue
		}
		r.bits |= uint32(r.data[r.at]) << r.have
		r.at++
		r.block--
		r.have += 8
	}
	c := int(r.bits & (1<<r.size - 1))
	r.bits >>= r.size
	r.have -= r.size
	return c, nil
}

// nextBlock begins a block once all of it is there.
func (r *lzwReader) nextBlock() error {
	for r.at >= min(r.limit, len(r.data)) || r.at+1+int(r.data[r.at]) > min(r.limit, len(r.data)) {
		if err := r.more(); err != nil {
			return err
		}
	}
	r.block = int(r.data[r.at])
	r.at++
	return nil
}

// more reads on: Pillow hands its decoder 64 KiB at a time, and finds a file truncated when it wants more than there is.
func (r *lzwReader) more() error {
	if r.limit >= len(r.data) {
		return errTruncated
	}
	r.limit += gifRead
	return nil
}

// gifWriter puts indices into the frame, row by row, as colours.
type gifWriter struct {
	g    *gifFile
	img  Image
	x, y int // of the next pixel: x within the frame, y within the picture
	step int // rows
	pass int // of interlacing, 1..3; 0 = the last
}

// write returns true when the frame is full.
func (w *gifWriter) write(s []uint8) bool {
	width := w.g.frame.x1 - w.g.frame.x0
	for len(s) > 0 {
		n := min(len(s), width-w.x)
		at := 3 * (w.g.frame.x0 + w.x)
		expandIndices(w.img.row(w.y)[at:at+3*n], s, n, 8, &w.g.palette)
		s = s[n:]
		if w.x += n; w.x == width {
			w.x = 0
			if w.nextRow() {
				return true
			}
		}
	}
	return false
}

func (w *gifWriter) nextRow() bool {
	top, bottom := w.g.frame.y0, w.g.frame.y1
	for w.y += w.step; w.y >= bottom; {
		switch w.pass {
		case 1:
			w.y, w.pass = top+4, 2
		case 2:
			w.y, w.step, w.pass = top+2, 4, 3
		case 3:
			w.y, w.step, w.pass = top+1, 2, 0
		default:
			return true
		}
	}
	return false
}
