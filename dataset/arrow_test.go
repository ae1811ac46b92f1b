package dataset

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// TestStreamFlowsWhileNothingComes: who reads the stream sees the schema before the first row, and rows although no
// other row pushes them. A stream that holds them makes this test hang.
func TestStreamFlowsWhileNothingComes(t *testing.T) {
	from, to, err := os.Pipe()
	must(t, err)
	defer from.Close()
	w, err := Create("-", testMeta(300), WriterOptions{Stdout: to})
	must(t, err)
	r, err := ipc.NewReader(from)
	must(t, err)
	checkMeta(t, r.Schema().Metadata())
	rows := 0
	for range 2 {
		for range 3 {
			must(t, w.Write(testRow(rows, 300)))
			rows++
		}
		for seen := 0; seen < 3; {
			if !r.Next() {
				t.Fatalf("the stream ended: %v", r.Err())
			}
			rec := r.RecordBatch()
			for k := range int(rec.NumRows()) {
				want := testRow(rows-3+seen, 300)
				checkStored(t, rec, k, &want, stored(&want, Float32))
				seen++
			}
		}
	}
	must(t, w.Finish())
	must(t, to.Close())
	if r.Next() || r.Err() != nil {
		t.Errorf("rows without end: %v", r.Err())
	}
}

// reader is somebody who may leave.
type reader struct{ left bool }

func (r *reader) Write(p []byte) (int, error) {
	if r.left {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// TestStreamWhoseReaderLeft: what the timer could not write is told at the next row.
func TestStreamWhoseReaderLeft(t *testing.T) {
	to := &reader{}
	w, err := Create("-", testMeta(300), WriterOptions{Stdout: to})
	must(t, err)
	must(t, w.Write(testRow(0, 300)))
	to.left = true
	w.(*arrowWriter).flushLate() // as the timer does
	for _, err := range []error{w.Write(testRow(1, 300)), w.Finish()} {
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("after a flush that failed: %v", err)
		}
	}
	_ = w.Abort()
}
