package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// PNG's colour types.
const (
	pngGray      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGrayAlpha = 4
)

// pngFile is what the chunks of a PNG file say.
type pngFile struct {
	width, height int
	depth, colour int
	known         bool // depth and colour are a pair that PNG knows
	interlaced    bool
	palette       [768]uint8 // what the file leaves out is black
	frame         *box       // of the first animation frame, where it comes before the picture data
	idat          [][]byte
	cut           bool // the last piece of picture data ends with the file
	end           int  // offset of the checksum that follows the picture data
	sequence      int64
	animated      bool
	frames        uint32
	text          pngText
	gray16Scale   bool
}

// A chunk of a PNG file; data is nil where the file ends before it does.
type pngChunk struct {
	kind string
	at   int // of its data
	size int
	data []byte
}

var errChunkEnd = errors.New("the file ends in front of a chunk")

func readChunk(data []byte, at int) (pngChunk, error) {
	if at > len(data) || len(data)-at < 8 {
		return pngChunk{}, errChunkEnd
	}
	c := pngChunk{kind: string(data[at+4 : at+8]), at: at + 8, size: int(binary.BigEndian.Uint32(data[at:]))}
	for i := range 4 {
		if !isWord(c.kind[i]) {
			return c, fmt.Errorf("broken chunk name %q", c.kind)
		}
	}
	if len(data)-c.at >= c.size {
		c.data = data[c.at : c.at+c.size : c.at+c.size]
	}
	return c, nil
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// parsePNG reads the chunks up to the end of the picture data. Checksums are verified in front of it, as in Pillow.
func parsePNG(data []byte) (*pngFile, error) {
	p := &pngFile{sequence: -1}
	at := len(pngMagic)
	for {
		c, err := readChunk(data, at)
		if err != nil {
			return nil, err
		}
		if c.kind == "IEND" {
			p.end = at
			break
		}
		if c.kind == "IDAT" || c.kind == "fdAT" {
			if err := p.collect(data, c); err != nil {
				return nil, err
			}
			break
		}
		if c.data == nil {
			return nil, fmt.Errorf("%w in chunk %s", errTruncated, c.kind)
		}
		if err := p.chunk(c); err != nil {
			return nil, err
		}
		if err := checkCRC(data, c); err != nil {
			return nil, err
		}
		at = c.at + c.size + 4
	}
	if !p.known || p.width == 0 || p.height == 0 {
		return nil, fmt.Errorf("no usable header: %d x %d pixels, %d bits, colour type %d", p.width, p.height, p.depth, p.colour)
	}
	return p, nil
}

func checkCRC(data []byte, c pngChunk) error {
	end := c.at + c.size
	if len(data)-end < 4 {
		return fmt.Errorf("%w in the checksum of chunk %s", errTruncated, c.kind)
	}
	if crc32.ChecksumIEEE(data[c.at-4:end]) != binary.BigEndian.Uint32(data[end:]) {
		return fmt.Errorf("broken: bad checksum in chunk %s", c.kind)
	}
	return nil
}

// collect gathers the picture data from the consecutive chunks that hold it.
func (p *pngFile) collect(data []byte, c pngChunk) error {
	for {
		if c.kind == "fdAT" {
			if err := p.frameData(&c, data); err != nil {
				return err
			}
		}
		part := c.data
		if part == nil {
			part, p.cut = data[min(c.at, len(data)):], true
		}
		p.idat = append(p.idat, part)
		p.end = c.at + c.size
		next, err := readChunk(data, p.end+4)
		if err != nil || next.kind != "IDAT" && next.kind != "DDAT" && next.kind != "fdAT" {
			return nil //nolint:nilerr // whether more data is needed is seen when it is inflated
		}
		c = next
	}
}

// frameData checks and removes the sequence number of an fdAT chunk.
func (p *pngFile) frameData(c *pngChunk, data []byte) error {
	if c.size < 4 || len(data)-c.at < 4 {
		return errors.New("truncated fdAT chunk")
	}
	seq := int64(binary.BigEndian.Uint32(data[c.at:]))
	if p.sequence < 0 || seq != p.sequence+1 {
		return errors.New("animation frames out of sequence")
	}
	p.sequence = seq
	c.at, c.size = c.at+4, c.size-4
	if c.data != nil {
		c.data = c.data[4:]
	}
	return nil
}

// tail reads what follows the picture data, of which used bytes were needed: Pillow reads it too, and refuses a file
// for what it finds there (a text that inflates to megabytes), though it checks no sums.
func (p *pngFile) tail(data []byte, used int) error {
	if p.cut && used <= p.joinedSize()-len(p.idat[len(p.idat)-1]) {
		return fmt.Errorf("%w behind the picture data", errTruncated)
	}
	at := p.end + 4
	for {
		c, err := readChunk(data, at)
		if err != nil || c.kind == "IEND" || c.kind == "fcTL" && p.animated {
			return nil //nolint:nilerr // Pillow is content with the picture it has
		}
		if c.data == nil {
			return fmt.Errorf("%w in chunk %s behind the picture data", errTruncated, c.kind)
		}
		if c.kind == "fdAT" {
			err = p.frameData(&c, data)
		} else if c.kind != "IDAT" {
			err = p.chunk(c)
		}
		if err != nil {
			return err
		}
		at = c.at + c.size + 4
	}
}

func (p *pngFile) joinedSize() int {
	n := 0
	for _, part := range p.idat {
		n += len(part)
	}
	return n
}

// pngHeader is the header without the picture data; what follows that is read for the orientation's sake.
func pngHeader(data []byte) (Header, error) {
	p, err := parsePNG(data)
	if err != nil {
		return Header{}, err
	}
	h := Header{Width: p.width, Height: p.height}
	_ = p.tail(data, p.joinedSize()) // Decode reports it
	h.Orientation = p.text.orientation()
	return h, nil
}
