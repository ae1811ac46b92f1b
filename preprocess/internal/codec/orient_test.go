package codec

import (
	"image"

	"github.com/disintegration/imaging"
)

// imagingTurns are the same turns by disintegration/imaging (which counts angles counter-clockwise).
var imagingTurns = map[int]func(image.Image) *image.NRGBA{
	1: imaging.Clone, 2: imaging.FlipH, 3: imaging.Rotate180, 4: imaging.FlipV,
	5: imaging.Transpose, 6: imaging.Rotate270, 7: imaging.Transverse, 8: imaging.Rotate90,
}

// uprighted is img turned upright, where it has an orientation other than 1.
func uprighted(img Image, orientation int) Image {
	turn := imagingTurns[orientation]
	if turn == nil || orientation == 1 {
		return img
	}
	nrgba := turn(toNRGBA(img))
	out := Image{Width: nrgba.Rect.Dx(), Height: nrgba.Rect.Dy(), Stride: 3 * nrgba.Rect.Dx()}
	for i := 0; i < len(nrgba.Pix); i += 4 {
		out.Pix = append(out.Pix, nrgba.Pix[i:i+3]...)
	}
	return out
}

func toNRGBA(img Image) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, img.Width, img.Height))
	for y := range img.Height {
		row := img.row(y)
		for x := range img.Width {
			copy(out.Pix[y*out.Stride+4*x:], row[3*x:3*x+3])
			out.Pix[y*out.Stride+4*x+3] = 255
		}
	}
	return out
}
