package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/imgvec/imgvec/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m, os.Stderr)) }

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// running is a server on a socket.
type running struct {
	*Server
	path string
	end  chan error // what Serve returned
}

func start(t testing.TB, ex Extractor, cfg Config) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "serve") //nolint:usetesting // t.TempDir can be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg.About.Version, cfg.About.Model, cfg.About.SHA256 = "0.1.0", "fake", "abc"
	if cfg.About.Dim == 0 {
		cfg.About.Dim = fakeDim
	}
	if cfg.Options == nil {
		cfg.Options = map[string]string{"model": "fake", "precision": "auto"}
	}
	r := &running{New(ex, cfg), filepath.Join(dir, "s"), make(chan error, 1)}
	l, err := net.Listen("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { r.end <- r.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		if f, ok := ex.(*fake); ok {
			f.release()
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ended waits for the server's end.
func (r *running) ended(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.end:
		return err
	case <-time.After(patience):
		t.Fatal("Serve does not return")
		return nil
	}
}

// count is the value of a metric, as it is served.
func (r *running) count(t testing.TB, name string) float64 {
	t.Helper()
	w := httptest.NewRecorder()
	r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s in\n%s", name, w.Body)
	return 0
}

// refuses tells whether the server takes no more batches of a connection.
func (r *running) refuses() (some bool) {
	r.each(func(c *conn, _ bool) {
		r.queue.mu.Lock()
		defer r.queue.mu.Unlock()
		some = some || c.trailer != nil
	})
	return some
}

// client is the other side of a connection.
type client struct {
	t    testing.TB
	conn io.ReadWriteCloser
	in   *bufio.Reader
	out  *ipc.Writer
	back *ipc.Reader
	typ  arrow.DataType
}

func hello() Hello {
	return Hello{Protocol: Protocol, Request: RequestExtract, Input: InputBinary, Window: Window{Batches: 8, Bytes: 32 << 20},
		Task: json.RawMessage(`{"app":"test","stage":1}`)}
}

func (r *running) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

func newClient(t testing.TB, c io.ReadWriteCloser) *client {
	return &client{t: t, conn: c, in: bufio.NewReader(c), typ: arrow.BinaryTypes.Binary}
}

// ask sends a first line and returns the answer.
func (c *client) ask(h any) Reply {
	c.t.Helper()
	c.send(line(h))
	return c.reply()
}

func (c *client) reply() Reply {
	c.t.Helper()
	var r Reply
	c.readLine(&r)
	return r
}

func (c *client) send(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) readLine(to any) {
	c.t.Helper()
	text, err := c.in.ReadBytes('\n')
	if err != nil {
		c.t.Fatalf("read a line: %v (%q)", err, text)
	}
	if err := json.Unmarshal(text, to); err != nil {
		c.t.Fatalf("%v: %q", err, text)
	}
}

// open asks for features, and is refused by no server.
func (c *client) open(h Hello) *client {
	c.t.Helper()
	if r := c.ask(h); !r.OK {
		c.t.Fatalf("refused: %+v", r)
	}
	return c
}

// batch sends a batch of values; nil is null.
func (c *client) batch(values ...[]byte) {
	c.t.Helper()
	if err := c.tryBatch(values...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) tryBatch(values ...[]byte) error {
	c.start()
	rec := record(c.typ, values)
	defer rec.Release()
	return c.out.Write(rec)
}

func (c *client) start() {
	if c.out == nil {
		c.out = ipc.NewWriter(c.conn, ipc.WithSchema(schemaOf(c.typ)))
	}
}

func schemaOf(typ arrow.DataType) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "content", Type: typ, Nullable: true}}, nil)
}

func record(typ arrow.DataType, values [][]byte) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schemaOf(typ))
	defer b.Release()
	for _, v := range values {
		switch f := b.Field(0).(type) {
		case *array.BinaryBuilder:
			if v == nil {
				f.AppendNull()
			} else {
				f.Append(v)
			}
		case array.StringLikeBuilder:
			f.Append(string(v))
		}
	}
	return b.NewRecordBatch()
}

// finish ends the client's stream.
func (c *client) finish() {
	c.t.Helper()
	c.start()
	if err := c.out.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next answer; io.EOF at the end of the answers.
func (c *client) next() (arrow.RecordBatch, error) {
	if c.back == nil {
		r, err := ipc.NewReader(c.in)
		if err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		if !r.Schema().Equal(Schema) {
			return nil, fmt.Errorf("schema %v", r.Schema())
		}
		c.back = r
	}
	return c.back.Read()
}

// check reads one answer and compares it with what the fake does of the values.
func (c *client) check(values ...[]byte) {
	c.t.Helper()
	rec, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := compare(rec, values); err != nil {
		c.t.Fatal(err)
	}
}

// compare tells where an answer is not what the fake does of the values.
func compare(rec arrow.RecordBatch, values [][]byte) error {
	if int(rec.NumRows()) != len(values) {
		return fmt.Errorf("%d rows for %d", rec.NumRows(), len(values))
	}
	features, errs := rec.Column(0).(*array.List), rec.Column(1).(*array.String)
	width := rec.Column(2).(*array.Int32)
	floats := features.ListValues().(*array.Float32).Float32Values()
	for i, v := range values {
		switch {
		case len(v) == 0 || strings.HasPrefix(string(v), "bad"):
			if !features.IsNull(i) || errs.IsNull(i) || !strings.HasPrefix(errs.Value(i), "image not decodable") {
				return fmt.Errorf("row %d: no error of its own: %q", i, errs.Value(i))
			}
		default:
			from, to := features.ValueOffsets(i)
			if !errs.IsNull(i) || features.IsNull(i) {
				return fmt.Errorf("row %d: error %q", i, errs.Value(i))
			}
			if want := expected(int(to-from), v); to == from || !slices.Equal(floats[from:to], want) || int(width.Value(i)) != len(v) {
				return fmt.Errorf("row %d: %v (width %d), want %v", i, floats[from:to], width.Value(i), want)
			}
		}
	}
	return nil
}

// trailer reads the end of the answers and the line after it.
func (c *client) trailer() Trailer {
	c.t.Helper()
	if rec, err := c.next(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("%v, %v instead of the end of the answers", rec, err)
	}
	var t Trailer
	c.readLine(&t)
	return t
}
