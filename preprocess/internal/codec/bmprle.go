package codec

import "errors"

// decodeRLE expands run-length coded indices as Pillow's BmpRleDecoder does, with its ways: a run is cut at the end of
// its row, what a jump leaves out is colour 0, and a picture that ends early is refused.
func (b *bmpFile) decodeRLE(img Image, data []byte) error {
	size := b.width * b.height
	d := bmpRuns{data: data, at: min(b.at, len(data)), four: b.compression == bmpRLE4, width: b.width, size: size}
	d.out = make([]uint8, 0, size)
	for len(d.out) < size && d.step() {
	}
	if len(d.out) < size {
		return errors.New("not enough image data")
	}
	for i := range b.height {
		row := d.out[i*b.width : (i+1)*b.width]
		switch b.layout {
		case bmpGray:
			expandGray(b.row(img, i), row)
		case bmpBits:
			for x, v := range row {
				setGray(b.row(img, i)[3*x:], -min(v, 1)) // any but 0 is white
			}
		default:
			expandIndices(b.row(img, i), row, b.width, 8, &b.palette)
		}
	}
	return nil
}

type bmpRuns struct {
	data        []byte
	at          int
	out         []uint8
	x           int
	four        bool
	width, size int
}

// step takes one run, one literal or one command; false at the end.
func (d *bmpRuns) step() bool {
	if len(d.data)-d.at < 2 {
		return false
	}
	n, v := int(d.data[d.at]), d.data[d.at+1]
	d.at += 2
	if n > 0 {
		d.run(n, v)
		return true
	}
	switch v {
	case 0:
		if left := len(d.out) % d.width; left != 0 {
			d.zeros(d.width - left)
		}
		d.x = 0
		return true
	case 1:
		return false
	case 2:
		if len(d.data)-d.at < 2 {
			return false
		}
		right, up := int(d.data[d.at]), int(d.data[d.at+1])
		d.at += 2
		d.zeros(min(d.size-len(d.out), right+up*d.width))
		d.x = len(d.out) % d.width
		return true
	}
	return d.literal(int(v))
}

func (d *bmpRuns) zeros(n int) {
	n = min(n, d.size-len(d.out))
	d.out = d.out[:len(d.out)+n]
	clear(d.out[len(d.out)-n:])
}

func (d *bmpRuns) run(n int, v uint8) {
	if d.x+n > d.width {
		n = max(0, d.width-d.x)
	}
	d.x += n
	a, b := v, v
	if d.four {
		a, b = v>>4, v&15
	}
	for i := range n {
		if len(d.out) == d.size {
			return
		}
		if i%2 == 0 {
			d.out = append(d.out, a)
		} else {
			d.out = append(d.out, b)
		}
	}
}

func (d *bmpRuns) literal(count int) bool {
	n := min(d.size-len(d.out), count)
	size := n
	if d.four {
		size = (n + 1) / 2
	}
	from := d.data[d.at:min(d.at+size, len(d.data))]
	d.at += len(from)
	if d.four {
		for i, v := range from {
			d.out = append(d.out, v>>4)
			if 2*i+1 < n {
				d.out = append(d.out, v&15)
			}
		}
	} else {
		d.out = append(d.out, from...)
	}
	if len(from) < size || len(d.out) == d.size {
		return false
	}
	d.x += count
	d.at += d.at & 1 // literals are padded to words of the file
	return true
}
