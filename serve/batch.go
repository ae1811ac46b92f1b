package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

var (
	// errDropped is the result of a row whose connection ended before its turn. Nobody reads it.
	errDropped = errors.New("its connection is gone")
	errNull    = fmt.Errorf("%w: the value is null", imgvec.ErrDecode)
)

// batch is a client's record batch on its way through the server.
type batch struct {
	conn    *conn
	number  int      // batches before it on the connection
	values  [][]byte // of the rows; nil: null
	bytes   int64    // what it counts in the window
	body    []byte   // the memory of values
	results []imgvec.Result
	begun   []atomic.Bool // rows that a worker has opened
	todo    []int         // rows that the executor has not taken
	left    int           // rows without a result
	failed  int           // rows with an error
	size    int64         // of the answer, once all have one
}

// newBatch gives null rows their result at once.
func newBatch(c *conn, number int, col column) *batch {
	n := len(col.values)
	b := &batch{conn: c, number: number, values: col.values, bytes: col.bytes, body: col.body,
		results: make([]imgvec.Result, n), begun: make([]atomic.Bool, n), todo: make([]int, 0, n)}
	for i, v := range col.values {
		if v != nil {
			b.todo = append(b.todo, i)
			continue
		}
		b.results[i].Err = errNull
		b.failed++
	}
	b.left = len(b.todo)
	return b
}

// set keeps the result of row i and tells whether it was the last one.
func (b *batch) set(i int, r imgvec.Result) bool {
	b.results[i] = r
	if r.Err != nil {
		b.failed++
	}
	b.left--
	return b.left == 0
}

// answerBytes is about what the answer takes in memory.
func (b *batch) answerBytes() int64 {
	n := int64(len(b.results)) * rowOverhead
	for i := range b.results {
		n += int64(len(b.results[i].Features)) * 4
	}
	return n
}

// rowOverhead is what a row of an answer takes beside its features: offsets, sizes, a short error.
const rowOverhead = 64

// row is one image of a batch.
type row struct {
	batch *batch
	i     int
}

// item is the row for the executor. It is opened rather than given as data, so that a row whose client is gone costs
// nothing more, however deep in the executor it waits.
func (r row) item() imgvec.Item { return imgvec.Item{Open: withFaults(r.open)} }

func (r row) open() (io.ReadCloser, error) {
	if r.batch.conn.dropped.Load() {
		return nil, errDropped
	}
	r.batch.begun[r.i].Store(true)
	value := r.batch.values[r.i]
	if r.batch.conn.hello.Input == InputPath {
		return openPath(string(value))
	}
	return io.NopCloser(bytes.NewReader(value)), nil
}

// String names the row for a log.
func (r row) String() string {
	value := fmt.Sprintf("%d bytes", len(r.batch.values[r.i])) // of the image
	if r.batch.conn.hello.Input == InputPath {
		value = fmt.Sprintf("%.200q", r.batch.values[r.i])
	}
	return fmt.Sprintf("row %d of batch %d (%s) of %s", r.i, r.batch.number, value, r.batch.conn)
}

// reason is the text of a row's error: without the position, which is the executor's and means nothing to a client.
func reason(err error) string {
	if image := (*imgvec.ImageError)(nil); errors.As(err, &image) {
		err = image.Err
	}
	return err.Error()
}
