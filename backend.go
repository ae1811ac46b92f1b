package imgvec

import "context"

// Backend runs one model on one device. It holds the weights once and runs up to Streams batches at the same time.
//
// All methods but Close are safe for concurrent use. Every implementation passes internal/backendtest.
type Backend interface {
	// Spec says what the model expects and returns. It does not change while the backend lives.
	Spec() Spec

	// Streams is how many goroutines may be inside Run at once: the session's streams on a CPU, CUDA streams on a
	// GPU. More callers are correct; they wait for a free stream.
	Streams() int

	// Register makes b's memory fast to copy from and to: a GPU page-locks it, a CPU does nothing. The memory must
	// outlive the backend or its Close. Run accepts batches that were never registered.
	Register(b *Batch) error

	// Run computes the features of b's first Len images into b.Features. It blocks its caller only, until they are in
	// host memory. ctx is looked at before the batch is submitted; a submitted batch runs to its end. A batch of
	// length 0 is done at once. After Close it returns ErrClosed.
	Run(ctx context.Context, b *Batch) error

	// Close waits for the batches that run, frees what the backend holds, and is idempotent.
	Close() error
}
