package codec

import (
	"bytes"
	"errors"
	"io"
	"sort"

	"github.com/klauspost/compress/zlib"
)

// Pillow hands zlib its data piece by piece, a chunk or 64 KiB at a time, and stops when the picture is full. So a
// damaged checksum is seen where it lies in the piece of the last row, and overlooked where it comes in a later one.
// What follows finds that piece, for files with something wrong near the end; sound files never come here.

const (
	pngPiece = 1 << 16
	// maxPNGEnds is up to which size the piece is looked for: it takes inflating the data some ten or twenty times.
	maxPNGEnds = 8 << 20
)

// pieces are the ends of Pillow's reads in the joined picture data.
func (p *pngFile) pieces() []int {
	var ends []int
	at := 0
	for _, part := range p.idat {
		for n := len(part); n > 0; {
			step := min(n, pngPiece)
			n -= step
			at += step
			ends = append(ends, at)
		}
	}
	return ends
}

// ending finds the first piece after which need bytes can be inflated. used is its end, state what comes next for one
// who has no later piece: nil for more data, io.EOF for the sound end of the stream, io.ErrUnexpectedEOF where the piece
// ends, else the damage. ok is false where the picture is too large to look.
func (p *pngFile) ending(joined []byte, need int64) (used int, ok bool, state error) {
	ends := p.pieces()
	if need > maxPNGEnds || len(ends) == 0 {
		return 0, false, nil
	}
	i := sort.Search(len(ends)-1, func(i int) bool {
		n, _ := inflated(joined[:ends[i]], need)
		return n >= need
	})
	n, state := inflated(joined[:ends[i]], need)
	return ends[i], n >= need, state
}

// inflated inflates need bytes, and looks at what comes next.
func inflated(data []byte, need int64) (n int64, next error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	defer z.Close()
	n, err = io.CopyN(io.Discard, z, need)
	if err != nil {
		return n, err
	}
	var one [1]byte
	for {
		if k, err := z.Read(one[:]); k > 0 || err != nil {
			if k > 0 {
				err = nil
			}
			return n, err
		}
	}
}

// finish decides on a picture whose rows ended with err (nil: all there) after need bytes, and returns how many bytes of
// the joined data Pillow would have read for it.
func (p *pngFile) finish(joined []byte, need int64, next, err error) (int, error) {
	early := errors.Is(err, errStreamEnd)
	if err != nil && !early {
		return 0, err
	}
	damaged := next != nil && !errors.Is(next, errUnexpectedEOF) && !isEOF(next)
	if !early && !damaged && (!p.cut || len(p.idat) == 1) {
		return len(joined), nil
	}
	used, ok, state := p.ending(joined, need)
	if !ok {
		used, state = len(joined), next
	}
	switch {
	case early && ok && !isEOF(state):
		return 0, errTruncated
	case !early && state != nil && !errors.Is(state, errUnexpectedEOF) && !isEOF(state):
		return 0, pngDataError(state)
	}
	return used, err
}
