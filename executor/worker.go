package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/imgvec/imgvec"
)

// keepRead is how much read buffer a worker keeps from one image to the next; a larger one is given back.
const keepRead = 32 << 20

// decoder is the preprocessing of one goroutine: encoded bytes to dst, the pixels of one image of a batch.
type decoder interface {
	into(ctx context.Context, dst []uint8, data []byte) (picture, error)
	close()
}

// picture is what a decoder tells of an image beside its pixels. Where it failed, the sizes are those known before.
type picture struct {
	width, height  int
	decode, resize time.Duration // busy
}

// worker is the scratch of one goroutine that fills batches. The executor has a fixed number of them.
type worker struct {
	dec     decoder
	maxRead int64  // encoded bytes an image
	read    []byte // what an item's Open gave, reused
	rows    []int  // rows[k] is the item whose pixels are image k of the batch
	busy    busy   // since the last ticket
}

// fill decodes the items into b, packed from its first image on: an image that fails takes no place in the batch, and
// its error stands in out. The error returned is that of ctx. Items are emptied as they are done, so that their data
// can be collected.
func (w *worker) fill(ctx context.Context, b *imgvec.Batch, items []imgvec.Item, first int, out []imgvec.Result) error {
	w.rows = w.rows[:0]
	for i := range items {
		r := &out[i]
		r.ID, r.Index, r.Tag = items[i].ID, first+i, items[i].Tag
		pic, err := w.one(ctx, b.Image(len(w.rows)), &items[i])
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		items[i] = imgvec.Item{}
		r.Width, r.Height = pic.width, pic.height
		if err != nil {
			r.Err = &imgvec.ImageError{ID: r.ID, Index: r.Index, Err: err}
			continue
		}
		w.rows = append(w.rows, i)
	}
	return nil
}

// one reads and decodes one item. What panics on the way, in a decoder or in the item's own Open, is that image's
// error: one hostile file must not end a run of millions.
func (w *worker) one(ctx context.Context, dst []uint8, item *imgvec.Item) (pic picture, err error) {
	defer func() {
		if p := recover(); p != nil {
			pic, err = picture{}, fmt.Errorf("%w: panic: %v", imgvec.ErrDecode, p)
		}
	}()
	data := item.Data
	if data == nil && item.Open != nil {
		start := time.Now()
		if data, err = w.load(item); err != nil {
			return picture{}, err
		}
		w.busy.add(stageRead, time.Since(start), 1)
	}
	if len(data) == 0 {
		return picture{}, fmt.Errorf("%w: it has no bytes", imgvec.ErrDecode)
	}
	pic, err = w.dec.into(ctx, dst, data)
	w.busy.add(stageDecode, pic.decode, 1)
	if pic.resize > 0 {
		w.busy.add(stageResize, pic.resize, 1)
	}
	return pic, err
}

// load reads the item into the worker's buffer, where it stays until the next one.
func (w *worker) load(item *imgvec.Item) (data []byte, err error) {
	rc, err := item.Open()
	if err != nil {
		return nil, err
	}
	if rc == nil {
		return nil, errors.New("imgvec: item's Open gave no reader")
	}
	defer func() {
		if cerr := rc.Close(); err == nil && cerr != nil {
			data, err = nil, cerr
		}
	}()
	if cap(w.read) > keepRead {
		w.read = nil
	}
	buf := w.read[:0]
	for {
		buf = slices.Grow(buf, 512)
		n, err := rc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		w.read = buf
		switch {
		case int64(len(buf)) > w.maxRead:
			return nil, fmt.Errorf("%w: more than %d bytes", imgvec.ErrTooLarge, w.maxRead)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}
