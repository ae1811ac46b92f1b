package serve_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/serve"
)

// open opens the default model on the CPU, where it is there.
func open(t testing.TB) *executor.Executor {
	t.Helper()
	testdata.Home(t)
	if _, err := model.Open(model.Default, model.OpenOptions{}); err != nil {
		testdata.Require(t, "ort", err.Error())
	}
	ex, err := executor.Open(t.Context(), executor.Options{Device: "cpu", MaxQueueDelay: serve.DefaultQueueDelay})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ex.Close(); err != nil {
			t.Error(err)
		}
	})
	return ex
}

// photos are the first n of the test data's, and two files that are none.
func photos(t testing.TB, n int) [][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testdata.Dir(t), "photos", "*"))
	if err != nil || len(names) < n {
		t.Fatal(len(names), err)
	}
	var all [][]byte
	for _, name := range names[:n] {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return slices.Insert(all, n/2, []byte("no image"), all[0][:len(all[0])/3])
}

// TestRealExecutor compares what goes through a connection with what the executor says itself: the same to the bit but
// for the size of the batches.
func TestRealExecutor(t *testing.T) {
	ex := open(t)
	values := photos(t, 20)
	want, err := ex.Extract(values)
	if err != nil {
		t.Fatal(err)
	}
	s := serve.New(ex, serve.Config{About: serve.About{Dim: ex.Spec().Dim}})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	in, out := io.Pipe()
	var answer bytes.Buffer
	go send(t, out, values)
	if err := s.ServeConn(context.Background(), struct {
		io.Reader
		io.Writer
		io.Closer
	}{in, &answer, in}); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(&answer)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for r.Next() {
		rec := r.RecordBatch()
		features, errs := rec.Column(0).(*array.List), rec.Column(1).(*array.String)
		floats := features.ListValues().(*array.Float32).Float32Values()
		for i := range int(rec.NumRows()) {
			w := want[at]
			at++
			if (w.Err != nil) != errs.IsValid(i) || (w.Err != nil) != features.IsNull(i) {
				t.Errorf("row %d: error %q, want %v", i, errs.Value(i), w.Err)
				continue
			}
			from, to := features.ValueOffsets(i)
			if w.Err == nil && testdata.Cosine(floats[from:to], w.Features) < 0.9999 {
				t.Errorf("row %d: cosine %v", i, testdata.Cosine(floats[from:to], w.Features))
			}
			if width := rec.Column(2).(*array.Int32); w.Err == nil && int(width.Value(i)) != w.Width {
				t.Errorf("row %d: width %d, want %d", i, width.Value(i), w.Width)
			}
		}
	}
	if r.Err() != nil || at != len(values) {
		t.Errorf("%d rows of %d, %v", at, len(values), r.Err())
	}
}

// send is a client that sends the values in batches of seven.
func send(t testing.TB, w io.WriteCloser, values [][]byte) {
	defer w.Close()
	schema := arrow.NewSchema([]arrow.Field{{Name: "content", Type: arrow.BinaryTypes.Binary, Nullable: true}}, nil)
	if _, err := io.WriteString(w, `{"protocol":1,"request":"extract","input":"binary","window":{"batches":8,"bytes":100000000}}`+"\n"); err != nil {
		t.Error(err)
	}
	out := ipc.NewWriter(w, ipc.WithSchema(schema))
	for batch := range slices.Chunk(values, 7) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for _, v := range batch {
			b.Field(0).(*array.BinaryBuilder).Append(v)
		}
		if err := out.Write(b.NewRecordBatch()); err != nil {
			t.Error(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}
