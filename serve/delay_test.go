package serve_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/serve"
)

// BenchmarkQueueDelay measures the default model behind a connection, for clients with small windows and large ones.
// For the small ones each answer waits until the executor takes what it has for a batch.
func BenchmarkQueueDelay(b *testing.B) {
	testdata.Home(b)
	values := photos(b, 64)
	for _, delay := range []time.Duration{20 * time.Millisecond, 5 * time.Millisecond, 2 * time.Millisecond, 200 * time.Microsecond} {
		for _, size := range [][2]int{{1, 1}, {1, 20}, {8, 32}} {
			b.Run(fmt.Sprintf("delay=%v/window=%d/rows=%d", delay, size[0], size[1]), func(b *testing.B) {
				ex, err := executor.Open(b.Context(), executor.Options{Device: "cpu", MaxQueueDelay: delay})
				if err != nil {
					b.Fatal(err)
				}
				defer ex.Close()
				s := serve.New(ex, serve.Config{About: serve.About{Dim: ex.Spec().Dim}})
				defer s.Close()
				ours, theirs := net.Pipe()
				go s.ServeConn(b.Context(), theirs) //nolint:errcheck // the client sees it
				askFor(b, ours, values, size[0], size[1])
				stats := ex.Stats()
				b.ReportMetric(float64(stats.Images)/float64(stats.Batches), "rows/batch")
			})
		}
	}
}

// askFor is a client with always the whole window unanswered.
func askFor(b *testing.B, c net.Conn, values [][]byte, window, rows int) {
	in := bufio.NewReader(c)
	schema := arrow.NewSchema([]arrow.Field{{Name: "content", Type: arrow.BinaryTypes.Binary, Nullable: true}}, nil)
	go fmt.Fprintf(c, `{"protocol":1,"request":"extract","input":"binary","window":{"batches":%d,"bytes":1000000000}}`+"\n", window)
	if _, err := in.ReadBytes('\n'); err != nil {
		b.Fatal(err)
	}
	batches := max(b.N/rows, 1)
	free := make(chan struct{}, window)
	go func() {
		out := ipc.NewWriter(c, ipc.WithSchema(schema))
		for i := range batches {
			free <- struct{}{}
			build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for k := range rows {
				build.Field(0).(*array.BinaryBuilder).Append(values[(i*rows+k)%len(values)])
			}
			if err := out.Write(build.NewRecordBatch()); err != nil {
				b.Error(err)
			}
		}
		if err := out.Close(); err != nil {
			b.Error(err)
		}
	}()
	r, err := ipc.NewReader(in)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range batches {
		if !r.Next() {
			b.Fatal(r.Err())
		}
		<-free
	}
	b.ReportMetric(float64(batches*rows)/b.Elapsed().Seconds(), "rows/s")
	if _, err := io.ReadAll(in); err != nil {
		b.Fatal(err)
	}
}
