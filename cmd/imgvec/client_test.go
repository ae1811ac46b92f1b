package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/imgvec/imgvec/serve"
)

// client is the other end of serve and stdio, as little of it as the tests need.
type client struct {
	t   *testing.T
	in  *bufio.Reader
	out io.Writer
	to  *ipc.Writer
}

var imagesOnly = arrow.NewSchema([]arrow.Field{{Name: "content", Type: arrow.BinaryTypes.Binary}}, nil)

// dial greets the server at path.
func dial(t *testing.T, path string) (*client, serve.Reply) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return greet(t, conn, conn)
}

// greet sends the first line and reads the answer.
func greet(t *testing.T, in io.Reader, out io.Writer) (*client, serve.Reply) {
	t.Helper()
	c := &client{t: t, in: bufio.NewReader(in), out: out}
	c.line(serve.Hello{Protocol: serve.Protocol, Request: serve.RequestExtract, Input: serve.InputBinary, Window: serve.Window{Batches: 8, Bytes: 64 << 20}})
	var reply serve.Reply
	c.read(&reply)
	return c, reply
}

func (c *client) line(v any) {
	c.t.Helper()
	text, err := json.Marshal(v)
	must(c.t, err)
	_, err = c.out.Write(append(text, '\n'))
	must(c.t, err)
}

func (c *client) read(v any) {
	c.t.Helper()
	text, err := c.in.ReadBytes('\n')
	must(c.t, err)
	must(c.t, json.Unmarshal(text, v))
}

// send sends one batch.
func (c *client) send(images ...[]byte) {
	c.t.Helper()
	if c.to == nil {
		c.to = ipc.NewWriter(c.out, ipc.WithSchema(imagesOnly))
	}
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for _, image := range images {
		b.Append(image)
	}
	column := b.NewArray()
	must(c.t, c.to.Write(array.NewRecordBatch(imagesOnly, []arrow.Array{column}, int64(len(images)))))
}

// end ends the stream of images.
func (c *client) end() {
	c.t.Helper()
	must(c.t, c.to.Close())
}

// answers reads everything up to the trailer: how many features each row has, 0 where it has an error.
func (c *client) answers() (rows []int, trailer serve.Trailer) {
	c.t.Helper()
	r, err := ipc.NewReader(c.in)
	must(c.t, err)
	for r.Next() {
		batch := r.RecordBatch()
		features := batch.Column(0).(*array.List)
		for i := range int(batch.NumRows()) {
			from, to := features.ValueOffsets(i)
			if features.IsNull(i) {
				from = to
			}
			rows = append(rows, int(to-from))
		}
	}
	must(c.t, r.Err())
	c.read(&trailer)
	return rows, trailer
}

// gone reads to the end, which may be an error: the server died.
func (c *client) gone() error {
	_, err := io.Copy(io.Discard, c.in)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
