package executor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

// all runs n pictures through a stream and returns its fatal error and how many good results came.
func all(t *testing.T, e *Executor, n int) (int, error) {
	t.Helper()
	got := 0
	for r, err := range e.Stream(context.Background(), items(n)) {
		if err != nil {
			return got, err
		}
		check(t, e.Spec(), r, got, data(got))
		got++
	}
	return got, nil
}

func TestABatchThatFailsOnceIsRunAgain(t *testing.T) {
	for _, backends := range [][]imgvec.Backend{
		{fake.New(fake.Options{FailAt: 3})},
		{fake.New(fake.Options{FailAt: 1}), fake.New(fake.Options{FailAt: 2})},
	} {
		e := open(t, nil, backends...)
		if n, err := all(t, e, 200); n != 200 || err != nil {
			t.Errorf("%d devices: %d results, %v", len(backends), n, err)
		}
		if s := e.Stats(); len(s.Reasons) == 0 || !strings.Contains(s.Reasons[0], "once more") {
			t.Errorf("%d devices: nothing is said of the failure: %v", len(backends), s.Reasons)
		}
	}
}

// failing fails every Run from the given one on.
type failing struct {
	*fake.Backend
	mu    sync.Mutex
	calls int
	from  int
}

var errRun = errors.New("kernel failed")

func (f *failing) Run(ctx context.Context, b *imgvec.Batch) error {
	f.mu.Lock()
	f.calls++
	bad := f.calls >= f.from
	f.mu.Unlock()
	if bad {
		return errRun
	}
	return f.Backend.Run(ctx, b)
}

func TestABatchThatFailsTwiceEndsTheCall(t *testing.T) {
	backend := &failing{Backend: fake.New(fake.Options{}), from: 4}
	e := open(t, func(s *setup) { s.workers = 1 }, backend)
	n, err := all(t, e, 200)
	if n != 24 || !errors.Is(err, errRun) || !strings.Contains(err.Error(), "after 24 results") || !strings.Contains(err.Error(), "fake:0") {
		t.Errorf("%d results, %v", n, err)
	}
	if backend.calls != 5 {
		t.Errorf("%d runs, want three good ones and two tries", backend.calls)
	}
	if _, err := e.Extract(pictures(1)); !errors.Is(err, errRun) {
		t.Errorf("the next call: %v", err)
	}
}

func TestADeviceThatAlwaysFailsLeavesTheRotation(t *testing.T) {
	backend := &failing{Backend: fake.New(fake.Options{}), from: 2}
	e := open(t, nil, backend, fake.New(fake.Options{Streams: 2, Delay: time.Millisecond}))
	if n, err := all(t, e, 2000); n != 2000 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	if backend.calls > 20 {
		t.Errorf("the broken device was asked %d times", backend.calls)
	}
	if s := e.Stats(); !strings.Contains(strings.Join(s.Reasons, "\n"), "fake:0: lost") {
		t.Errorf("reasons: %q", s.Reasons)
	}
}

func TestALostDeviceIsReplacedByTheOthers(t *testing.T) {
	lost := fake.New(fake.Options{LoseAfter: 3, Streams: 2})
	e := open(t, nil, lost, fake.New(fake.Options{Streams: 2, Delay: time.Millisecond}))
	if n, err := all(t, e, 500); n != 500 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
}

func TestTheLastLostDeviceEndsAllCalls(t *testing.T) {
	e := open(t, func(s *setup) { s.workers = 1 }, fake.New(fake.Options{LoseAfter: 3}))
	n, err := all(t, e, 500)
	if !errors.Is(err, imgvec.ErrNoDevice) || n != 24 || !strings.Contains(err.Error(), "after 24 results") {
		t.Errorf("%d results, %v", n, err)
	}
	if _, err := e.Extract(pictures(1)); !errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("the next call: %v", err)
	}
}

func TestOutOfMemoryHalvesTheBatch(t *testing.T) {
	backend := fake.New(fake.Options{Streams: 4, MemoryFor: 3})
	e := open(t, nil, backend)
	if n, err := all(t, e, 100); n != 100 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	before := backend.Stats().Failed
	if n, err := all(t, e, 100); n != 100 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	if after := backend.Stats().Failed; after != before {
		t.Errorf("the size that fits was forgotten: %d more failures", after-before)
	}
	if s := e.Stats(); !strings.Contains(strings.Join(s.Reasons, "\n"), "out of memory") {
		t.Errorf("reasons: %q", s.Reasons)
	}
}

// noMemory has none even for one image.
type noMemory struct{ imgvec.Backend }

func (noMemory) Run(context.Context, *imgvec.Batch) error { return imgvec.ErrOutOfMemory }

func TestOutOfMemoryForOneImageIsFatal(t *testing.T) {
	e := open(t, nil, noMemory{fake.New(fake.Options{})})
	if _, err := e.Extract(pictures(20)); !errors.Is(err, imgvec.ErrOutOfMemory) || errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("%v", err)
	}
	if _, err := e.Extract(pictures(20)); !errors.Is(err, imgvec.ErrOutOfMemory) {
		t.Errorf("the next call: %v", err) // there may be memory then
	}
}

func TestADeviceWithoutMemoryForOneImageLeavesTheRotation(t *testing.T) {
	none := func() imgvec.Backend { return noMemory{fake.New(fake.Options{Streams: 3})} }
	e := open(t, nil, none(), none(), fake.New(fake.Options{Streams: 2, Delay: time.Millisecond}))
	if n, err := all(t, e, 1000); n != 1000 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	if text := reasons(e); strings.Count(text, "fake:0: lost: out of memory") != 1 || e.devices.left() != 1 || strings.Contains(text, "once more") {
		t.Errorf("%d devices left, reasons: %q", e.devices.left(), text)
	}
	e = open(t, nil, noMemory{fake.New(fake.Options{})}, noMemory{fake.New(fake.Options{})})
	if _, err := e.Extract(pictures(20)); !errors.Is(err, imgvec.ErrOutOfMemory) {
		t.Errorf("no device has memory: %v", err)
	}
}

func TestADeviceThatDoesNotAnswerIsLost(t *testing.T) {
	hung := fake.New(fake.Options{HangAt: 2})
	e := open(t, func(s *setup) { s.timeout = 100 * time.Millisecond },
		hung, fake.New(fake.Options{Streams: 2, Delay: time.Millisecond}))
	if n, err := all(t, e, 500); n != 500 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	s := e.Stats()
	if s.AbandonedBytes <= 0 || s.BatchBytes != 4*s.AbandonedBytes {
		t.Errorf("%d bytes abandoned, %d in use", s.AbandonedBytes, s.BatchBytes)
	}
	if n := hung.Stats().Calls; n != 2 {
		t.Errorf("the hung device was asked %d times", n)
	}
	hung.Release()
	waitFor(t, func() bool { return e.Stats().AbandonedBytes == 0 })
}

func TestTheOnlyDeviceDoesNotAnswer(t *testing.T) {
	before := batchBytes.Load()
	hung := fake.New(fake.Options{HangAt: 2})
	e := open(t, func(s *setup) { s.timeout = 50 * time.Millisecond; s.workers = 1 }, hung)
	n, err := all(t, e, 100)
	if n != 8 || !errors.Is(err, imgvec.ErrNoDevice) || !errors.Is(err, errHung) {
		t.Errorf("%d results, %v", n, err)
	}
	if err := e.Close(); err != nil { // must not wait for the device
		t.Error(err)
	}
	left := e.Stats().AbandonedBytes
	if left == 0 || batchBytes.Load()-before != left {
		t.Errorf("%d bytes abandoned, %d not freed", left, batchBytes.Load()-before)
	}
	if s := e.Stats(); s.BatchBytes != 0 {
		t.Errorf("%d bytes of batches are counted as the executor's", s.BatchBytes)
	}
	hung.Release() // the device writes to its batch, which must still be there; then everything is freed
	waitFor(t, func() bool { return batchBytes.Load() == before && e.Stats().AbandonedBytes == 0 })
	if err := hung.Register(nil); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("a device that answered after all was not closed: %v", err)
	}
}

// Memory that was registered with a device that is not closed must stay: after an unmap another batch may get the same
// addresses, which the driver takes for locked.
func TestAHungDeviceKeepsAllBatches(t *testing.T) {
	before := batchBytes.Load()
	hung, good := fake.New(fake.Options{HangAt: 2}), fake.New(fake.Options{Streams: 2, Delay: time.Millisecond})
	e := open(t, func(s *setup) { s.timeout = 50 * time.Millisecond }, hung, good)
	if n, err := all(t, e, 500); n != 500 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(good.Register(nil), imgvec.ErrClosed) {
		t.Error("the device that answers was not closed")
	}
	if left := e.Stats().AbandonedBytes; left == 0 || batchBytes.Load()-before != left {
		t.Errorf("%d bytes abandoned, %d not freed", left, batchBytes.Load()-before)
	}
	hung.Release()
	waitFor(t, func() bool { return batchBytes.Load() == before && e.Stats().AbandonedBytes == 0 })
}

// badClose fails to close, or never ends to.
type badClose struct {
	imgvec.Backend
	err  error
	hang chan struct{}
}

func (b badClose) Close() error {
	if b.hang != nil {
		<-b.hang
	}
	return errors.Join(b.Backend.Close(), b.err)
}

func TestALostDeviceThatClosesBadly(t *testing.T) {
	before := batchBytes.Load()
	hang := make(chan struct{})
	bad := badClose{fake.New(fake.Options{LoseAfter: 2}), errors.New("context is gone"), nil}
	mute := badClose{fake.New(fake.Options{LoseAfter: 2}), nil, hang}
	e := open(t, nil, bad, mute, fake.New(fake.Options{Streams: 2, Delay: time.Millisecond}))
	e.patience = 50 * time.Millisecond
	if n, err := all(t, e, 500); n != 500 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("the job is done, and closing fails: %v", err)
	}
	text := reasons(e)
	if !strings.Contains(text, "fake:0: closed badly after it was lost: context is gone") || !strings.Contains(text, "fake:1: does not answer") {
		t.Errorf("reasons: %q", text)
	}
	if e.Stats().AbandonedBytes == 0 {
		t.Error("memory that a device may know was freed")
	}
	close(hang)
	waitFor(t, func() bool { return batchBytes.Load() == before })
}

func TestABackendThatClosesBadlyIsAnError(t *testing.T) {
	broken := errors.New("broken")
	e := open(t, nil, badClose{fake.New(fake.Options{}), broken, nil})
	if err := e.Close(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	e.closeErr = nil // seen
}

func TestATimeoutThatIsKeptChangesNothing(t *testing.T) {
	e := open(t, func(s *setup) { s.timeout = time.Minute })
	if n, err := all(t, e, 300); n != 300 || err != nil {
		t.Fatalf("%d results, %v", n, err)
	}
}

func TestBatchesAreRegisteredWithEveryDevice(t *testing.T) {
	a := fake.New(fake.Options{})
	b := fake.New(fake.Options{RegisterWith: errors.New("no page locks")})
	e := open(t, nil, a, b)
	if a.Stats().Registered != 4 || b.Stats().Registered != 4 {
		t.Errorf("registered %d and %d of 4 batches", a.Stats().Registered, b.Stats().Registered)
	}
	if n, err := all(t, e, 50); n != 50 || err != nil {
		t.Errorf("%d results, %v", n, err)
	}
	if s := e.Stats(); !strings.Contains(strings.Join(s.Reasons, "\n"), "no page locks") {
		t.Errorf("reasons: %q", s.Reasons)
	}
}

func TestBatchMemoryIsAligned(t *testing.T) {
	buf, err := newBuffer(fake.Spec(7, 3, 0), 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]uintptr{"pixels": address(&buf.Pixels[0]), "features": address(&buf.Features[0])} {
		if p%uintptr(page) != 0 {
			t.Errorf("%s at %#x: they share a page with others, which can't be locked twice", name, p)
		}
	}
	if buf.Cap() != 5 {
		t.Errorf("room for %d images", buf.Cap())
	}
	if err := buf.free(); err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never happened")
		}
	}
}

// cancelling cancels the caller's ctx on the way into the device.
type cancelling struct {
	imgvec.Backend
	cancel context.CancelFunc
}

func (c cancelling) Run(ctx context.Context, b *imgvec.Batch) error {
	c.cancel()
	return c.Backend.Run(ctx, b)
}

func TestACancelledBatchIsNoFailureOfTheDevice(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	e := open(t, nil, cancelling{fake.New(fake.Options{}), cancel})
	if _, err := e.ExtractContext(ctx, pictures(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s := e.Stats(); len(s.Reasons) > 0 {
		t.Errorf("reasons: %q", s.Reasons)
	}
}
