package codec

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zlib"
)

// decodePNG decodes as Pillow's PngImagePlugin and ZipDecode.c do: the default image, or an animation's first frame
// where that is it; alpha dropped; what Pillow's zlib loop forgives is forgiven, what it refuses is refused.
func decodePNG(data []byte, lim Limits, buf []byte) (Image, error) {
	p, err := parsePNG(data)
	if err != nil {
		return Image{}, err
	}
	p.gray16Scale = lim.Gray16Scale
	if len(p.idat) == 0 {
		return Image{}, errors.New("no picture data (no IDAT chunk)")
	}
	work := int64(p.bits()+7)/8*int64(p.width)*2 + 3*int64(p.width) + 1<<16
	if len(p.idat) > 1 {
		work += int64(len(data))
	}
	img, err := newImage(p.width, p.height, work, lim, buf)
	if err != nil {
		return Image{}, err
	}
	used, err := p.decodeRows(img)
	if err != nil {
		return Image{}, err
	}
	if err := p.tail(data, used); err != nil {
		return Image{}, err
	}
	return img, nil
}

// bits are those of a pixel.
func (p *pngFile) bits() int {
	return p.depth * [...]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[p.colour]
}

// box is where the picture data goes: the whole picture, but for an animation whose first frame is smaller.
type box struct{ x0, y0, x1, y1 int }

// decodeRows fills img and returns how many bytes of the joined picture data were used.
func (p *pngFile) decodeRows(img Image) (used int, err error) {
	frame := box{0, 0, p.width, p.height}
	if p.frame != nil {
		frame = *p.frame
		if frame.x1 <= frame.x0 || frame.y1 <= frame.y0 {
			return 0, errors.New("the animation's first frame is empty")
		}
		p.clear(img)
	}
	joined := p.joined()
	inflate, err := zlib.NewReader(bytes.NewReader(joined))
	if err != nil {
		return 0, pngDataError(err)
	}
	defer inflate.Close()
	d := pngRows{p: p, img: img, inflate: inflate, frame: frame}
	if p.interlaced {
		err = d.interlaced()
	} else {
		err = d.plain()
	}
	var next error
	if err == nil {
		// zlib looks at what follows the last row's bytes: the checksum, where they are the last.
		var one [1]byte
		_, next = inflate.Read(one[:])
	}
	used, err = p.finish(joined, d.bytes, next, err)
	if errors.Is(err, errStreamEnd) {
		p.clearRest(img, d.done)
		err = nil
	}
	return used, err
}

// joined is the picture data of all chunks.
func (p *pngFile) joined() []byte {
	if len(p.idat) == 1 {
		return p.idat[0]
	}
	return bytes.Join(p.idat, nil)
}

func pngDataError(err error) error {
	if errors.Is(err, errUnexpectedEOF) || isEOF(err) {
		return errTruncated
	}
	return fmt.Errorf("broken data stream: %w", err)
}

// clear fills img with what Pillow's fresh picture shows: zeros, which are the first colour of a palette.
func (p *pngFile) clear(img Image) {
	for y := range img.Height {
		p.clearRow(img.row(y))
	}
}

func (p *pngFile) clearRow(row []uint8) {
	if p.colour != pngPalette {
		clear(row)
		return
	}
	for i := 0; i+3 <= len(row); i += 3 {
		copy(row[i:i+3], p.palette[:3])
	}
}

// clearRest clears the rows that a stream which ended early, at the end of a row, left out.
func (p *pngFile) clearRest(img Image, done []bool) {
	if done == nil || p.frame != nil {
		return
	}
	for y, ok := range done {
		if !ok {
			p.clearRow(img.row(y))
		}
	}
}
