package arrowstream

import (
	"bytes"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// endMark is how many bytes end a stream.
const endMark = 8

// NewWriter writes the schema to w and returns the writer of the batches that follow it: a reader may wait for the
// schema before it does anything. Arrow's writer would write it with the first batch; so another one writes it here, and
// what the writer of the batches says of it is left out. The error is that of w.
func NewWriter(w io.Writer, schema *arrow.Schema) (*ipc.Writer, error) {
	var head bytes.Buffer
	if err := ipc.NewWriter(&head, ipc.WithSchema(schema)).Close(); err != nil {
		return nil, err
	}
	head.Truncate(head.Len() - endMark)
	if _, err := w.Write(head.Bytes()); err != nil {
		return nil, err
	}
	return ipc.NewWriter(&without{w, head.Len()}, ipc.WithSchema(schema)), nil
}

// without leaves out the first bytes of what is written.
type without struct {
	w    io.Writer
	left int
}

func (w *without) Write(p []byte) (int, error) {
	skip := min(w.left, len(p))
	w.left -= skip
	if skip == len(p) {
		return skip, nil
	}
	n, err := w.w.Write(p[skip:])
	return skip + n, err
}
