package csrc

import (
	"errors"
	"time"
)

// Why a picture could not be decoded; the text of the error that wraps one says more.
var (
	// ErrBroken: the file is damaged, or of a kind that the library refuses.
	ErrBroken = errors.New("broken file")
	// ErrTruncated: the data end before the picture does.
	ErrTruncated = errors.New("truncated file")
)

// keep is how much scratch a worker holds between calls.
const keep = 32 << 20

func trim(scratch []uint8) []uint8 {
	if cap(scratch) > keep {
		return nil
	}
	return scratch
}

// Resized is the time that the worker has spent on resizing since it was made; for JPEG an estimate from every 13th row.
func (w *Worker) Resized() time.Duration { return w.resized }
