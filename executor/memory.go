package executor

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/imgvec/imgvec"
)

// page is what each of a batch's two parts begins at a multiple of. Pixels and features are page-locked each by itself,
// and a driver locks whole pages and refuses to lock one twice: a page that held the end of one and the beginning of the
// other would leave the second unlocked.
var page = max(4096, os.Getpagesize())

// batchBytes counts the batch memory of all executors in this process. Zero once all are closed, but for the memory
// of devices that never answered.
var batchBytes atomic.Int64

// buffer is a batch with the memory under it, which lies outside the Go heap: devices may copy from and to it while
// Go's collector knows nothing of it.
type buffer struct {
	*imgvec.Batch
	mem []byte
}

// newBuffer maps memory for a batch of n images of the spec.
func newBuffer(spec imgvec.Spec, n int) (*buffer, error) {
	pixels := n * spec.ImageLen()
	start := (pixels + page - 1) / page * page
	mem, err := mapMemory(start + n*spec.Dim*4)
	if err != nil {
		return nil, fmt.Errorf("imgvec: map a batch of %d images: %w", n, err)
	}
	features := unsafe.Slice((*float32)(unsafe.Pointer(&mem[start])), n*spec.Dim)
	batch, err := imgvec.NewBatch(spec, mem[:pixels:pixels], features)
	if err != nil {
		return nil, errors.Join(err, unmapMemory(mem))
	}
	batchBytes.Add(int64(len(mem)))
	return &buffer{Batch: batch, mem: mem}, nil
}

// free gives the memory back. The batch must not be used after it.
func (b *buffer) free() error {
	batchBytes.Add(-int64(len(b.mem)))
	mem := b.mem
	b.Batch, b.mem = nil, nil
	if err := unmapMemory(mem); err != nil {
		return fmt.Errorf("imgvec: unmap a batch: %w", err)
	}
	return nil
}

// part is a batch over n of the images from the given one on.
func (b *buffer) part(spec imgvec.Spec, from, n int) *imgvec.Batch {
	batch := b.Batch
	if from > 0 {
		size, dim := spec.ImageLen(), spec.Dim
		var err error
		if batch, err = imgvec.NewBatch(spec, b.Pixels[from*size:], b.Features[from*dim:]); err != nil {
			panic("imgvec: BUG: part of a batch: " + err.Error())
		}
	}
	batch.SetLen(n)
	return batch
}
