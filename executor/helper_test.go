package executor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
	"github.com/imgvec/imgvec/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m, os.Stderr)) }

// fakeDecoder "decodes" by copying: the pixels are the data, repeated. Data that starts with "bad" fails, "panic"
// panics.
type fakeDecoder struct {
	delay  func(data []byte) time.Duration
	before func(ctx context.Context, data []byte)
	count  *atomic.Int64
}

var errBad = errors.New("bad picture")

func (d *fakeDecoder) into(ctx context.Context, dst []uint8, data []byte) (picture, error) {
	if d.count != nil {
		d.count.Add(1)
	}
	if d.before != nil {
		d.before(ctx, data)
	}
	if d.delay != nil {
		time.Sleep(d.delay(data))
	}
	clear(dst)
	switch {
	case bytes.HasPrefix(data, []byte("panic")):
		panic("told to")
	case bytes.HasPrefix(data, []byte("bad")):
		for i := range dst {
			dst[i] = 0xEE // garbage that must not reach a result
		}
		return picture{width: 7, height: 8}, fmt.Errorf("%w: %w", imgvec.ErrDecode, errBad)
	}
	paint(dst, data)
	return picture{width: len(data), height: 1, decode: time.Microsecond}, nil
}

func (d *fakeDecoder) close() {}

func paint(dst, data []byte) {
	for n := 0; n < len(dst); {
		n += copy(dst[n:], data)
	}
}

// expected are the features that the fake backend computes for the data.
func expected(spec imgvec.Spec, data []byte) []float32 {
	image, row := make([]uint8, spec.ImageLen()), make([]float32, spec.Dim)
	paint(image, data)
	fake.Features(row, image)
	return row
}

// data is a picture of its own for each i.
func data(i int) []byte {
	return binary.LittleEndian.AppendUint64([]byte("p"), uint64(i))
}

func pictures(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = data(i)
	}
	return all
}

func items(n int) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for i := range n {
			if !yield(imgvec.Item{ID: fmt.Sprint(i), Data: data(i)}) {
				return
			}
		}
	}
}

// setup is what a test changes of an executor.
type setup struct {
	config
	dec     fakeDecoder
	timeout time.Duration // of each device
}

// open assembles an executor on the backends. It is closed at the test's end, and nothing may be left of it then.
func open(t *testing.T, change func(*setup), backends ...imgvec.Backend) *Executor {
	t.Helper()
	before := batchBytes.Load()
	t.Cleanup(func() {
		if err := leaktest.Find(); err != nil {
			t.Error(err)
		}
		if n := batchBytes.Load() - before; n > 0 { // less: the test closed another one
			t.Errorf("%d bytes of batches are left", n)
		}
	})
	s := &setup{config: config{workers: 4, batch: 8, delay: 20 * time.Millisecond, maxRead: 1 << 20}}
	if change != nil {
		change(s)
	}
	if len(backends) == 0 {
		backends = []imgvec.Backend{fake.New(fake.Options{Streams: s.workers})}
	}
	s.spec = backends[0].Spec()
	for i, b := range backends {
		in := newInstance(fmt.Sprintf("fake:%d", i), b, s.batch)
		in.timeout = s.timeout
		s.instances = append(s.instances, in)
	}
	s.decoder = func() decoder { d := s.dec; return &d }
	e, err := assemble(s.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// check compares a good result with what its picture must give.
func check(t *testing.T, spec imgvec.Spec, r imgvec.Result, index int, picture []byte) {
	t.Helper()
	if r.Err != nil || r.Index != index {
		t.Fatalf("result %d has index %d and error %v", index, r.Index, r.Err)
	}
	if want := expected(spec, picture); !slices.Equal(r.Features, want) {
		t.Fatalf("result %d: features %v, want %v", index, r.Features, want)
	}
	if r.Width != len(picture) || r.Height != 1 {
		t.Fatalf("result %d: size %dx%d", index, r.Width, r.Height)
	}
}

// jitter waits for a random time under d.
func jitter(d time.Duration) func([]byte) time.Duration {
	return func([]byte) time.Duration { return rand.N(d) }
}

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
