package imgvec

import "io"

// Item is one input: an encoded image, in memory or still to be read.
type Item struct {
	ID   string
	Data []byte // encoded image; not changed, and not kept after the item's Result is out
	// Open gives the encoded image where Data is nil. It runs in a worker, so slow storage does not hold up others.
	Open func() (io.ReadCloser, error)
	// Tag is the caller's; it comes back in the item's Result.
	Tag any
}

// Result is what became of one Item.
type Result struct {
	ID            string
	Index         int       // position in the input, from 0
	Features      []float32 // [Dim], the caller's to keep; nil where Err is set
	Width, Height int       // of the decoded picture, after orientation; 0 where it was not decoded
	Err           error     // *ImageError: this image alone
	Tag           any       // the Item's
}
