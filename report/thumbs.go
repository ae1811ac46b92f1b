package report

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/preprocess"
)

// Sides of thumbnails in pixels: of images that are looked at, and of those that only show up on the map.
const (
	thumbSide    = 112
	mapThumbSide = 72
)

// failures lists the commonest reasons and some images of each.
func (b *builder) failures(context.Context) error {
	reasons := b.scan.commonest()
	for _, r := range reasons[:min(len(reasons), reasonsShown)] {
		f := Failure{Reason: r.text, Count: r.count}
		for _, row := range r.rows {
			f.Images = append(f.Images, b.page.image(row))
		}
		b.page.Failures = append(b.page.Failures, f)
	}
	b.page.OtherKinds = max(0, len(reasons)-reasonsShown)
	return nil
}

// thumbnails names all images of the page and makes their pictures, the most important first, as long as there is room.
func (b *builder) thumbnails(ctx context.Context) error {
	var rows []int64
	for _, i := range b.page.order {
		rows = append(rows, i.Row)
	}
	found, err := b.v.At(ctx, rows, dataset.Columns{IDs: true, Outcomes: true})
	if err != nil {
		return err
	}
	for _, r := range found {
		i := b.page.images[r.Row]
		i.call(r.ID)
		if r.Width > 0 && r.Height > 0 {
			i.Detail = fmt.Sprintf("%d x %d", r.Width, r.Height)
		}
	}
	small := map[*Image]bool{}
	if b.page.Map != nil {
		for _, i := range b.page.Map.thumbs {
			small[i] = true
		}
	}
	for _, set := range append(append([]Set{}, b.page.Neighbours...), b.page.Near.Sets...) {
		if set.Head.Image != nil {
			delete(small, set.Head.Image)
		}
		for _, s := range set.Images {
			delete(small, s.Image)
		}
	}
	var large, last []*Image
	for _, i := range b.page.order {
		if small[i] {
			last = append(last, i)
		} else {
			large = append(large, i)
		}
	}
	room := thumbBudget
	if err := b.make(ctx, large, thumbSide, &room); err != nil {
		return err
	}
	return b.make(ctx, last, mapThumbSide, &room)
}

// make makes thumbnails on all cores and keeps those that there is room for.
func (b *builder) make(ctx context.Context, images []*Image, side int, room *int) error {
	p, err := preprocess.New(imgvec.Preset{
		InputSize: imgvec.Size{Height: side, Width: side}, CropMode: imgvec.CropCenter, ResizeSize: side, CropRound: imgvec.CropHalfEven,
		Interpolation: imgvec.Bicubic, ChannelOrder: imgvec.RGB, Scale: 255, Std: [3]float32{1, 1, 1},
	}, preprocess.Options{})
	if err != nil {
		return err
	}
	thumbs, errs := make([]string, len(images)), make([]error, len(images))
	parallel(len(images), 8, func(from, to int) {
		w := p.NewWorker()
		defer w.Close()
		for i := from; i < to; i++ {
			thumbs[i], errs[i] = b.thumb(ctx, w, images[i].id, side)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for n, i := range images {
		switch {
		case errs[n] != nil:
			b.page.Thumbs.Missing++
			i.Broken = display(strings.TrimPrefix(errs[n].Error(), "imgvec: "))
		case len(thumbs[n]) > *room:
			b.page.Thumbs.Full = true
			i.Broken = "no room on this page"
		default:
			b.page.Thumbs.Made++
			*room -= len(thumbs[n])
			i.thumb = thumbs[n]
		}
	}
	return nil
}

// thumb makes one thumbnail: the middle square of the picture.
func (b *builder) thumb(ctx context.Context, w *preprocess.Worker, id string, side int) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	data, err := b.read1(id)
	if err != nil {
		return "", err
	}
	pixels := make([]uint8, side*side*3)
	if _, err := w.Into(ctx, pixels, data); err != nil {
		return "", err
	}
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		copy(img.Pix[i*4:], pixels[i*3:i*3+3])
		img.Pix[i*4+3] = 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 70}); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// read1 reads the file that an id names.
func (b *builder) read1(id string) (data []byte, err error) {
	r, err := b.open(id)
	if err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, preprocess.DefaultMaxBytes+1))
	return data, errors.Join(err, r.Close())
}

// open finds the file of an id: below the folder of images, or as it stands. A name that is no UTF-8 was escaped.
func (b *builder) open(id string) (io.ReadCloser, error) {
	var paths []string
	if b.opts.Images != "" {
		paths = append(paths, filepath.Join(b.opts.Images, id), filepath.Join(b.opts.Images, filepath.Base(id)))
	} else {
		paths = append(paths, id)
	}
	if plain, err := url.PathUnescape(id); err == nil && plain != id {
		paths = append(paths, filepath.Join(b.opts.Images, plain))
	}
	for _, path := range paths {
		if r, err := dataset.OpenFile(path); err == nil {
			return r, nil
		}
	}
	return nil, errors.New("no file of this name is found")
}
