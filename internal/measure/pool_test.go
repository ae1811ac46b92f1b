package measure

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/imgvec/imgvec"
)

// counter is a backend that counts what it is given.
type counter struct {
	spec imgvec.Spec

	mu         sync.Mutex
	images     int
	registered int
	seen       map[uint8]bool // first bytes of the images
	closed     bool
}

func (c *counter) Spec() imgvec.Spec { return c.spec }
func (c *counter) Streams() int      { return 2 }

func (c *counter) Register(*imgvec.Batch) error {
	c.registered++
	return nil
}

func (c *counter) Run(_ context.Context, b *imgvec.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return imgvec.ErrClosed
	}
	c.images += b.Len()
	for i := range b.Len() {
		c.seen[b.Image(i)[0]] = true
	}
	return nil
}

func (c *counter) resident(_ context.Context, _, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.images += n
	return nil
}

func (c *counter) Close() error {
	c.closed = true
	return nil
}

func newAlone(t *testing.T, backends int) (*alone, []*counter, imgvec.Spec) {
	t.Helper()
	spec := imgvec.Spec{Model: "test", Dim: 3}
	spec.Preset.InputSize = imgvec.Size{Height: 2, Width: 2}
	a := &alone{pools: map[int]*pool{}, buckets: []int{1, 4}, batch: 4}
	var all []*counter
	for range backends {
		c := &counter{spec: spec, seen: map[uint8]bool{}}
		all = append(all, c)
		a.backends = append(a.backends, c)
	}
	a.resident = func(ctx context.Context, device, n int) error { return all[device].resident(ctx, device, n) }
	return a, all, spec
}

func TestPoolRunsEveryImageOnceOnRealPixels(t *testing.T) {
	a, all, spec := newAlone(t, 2)
	pixels := make([]uint8, 5*spec.ImageLen())
	for i := range 5 {
		pixels[i*spec.ImageLen()] = uint8(i + 1)
	}
	p, err := a.pool(spec, 4, pixels)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.lanes) != 4 || all[0].registered != 2*perLane || all[1].registered != 2*perLane {
		t.Errorf("%d lanes, %d and %d batches", len(p.lanes), all[0].registered, all[1].registered)
	}
	if again, _ := a.pool(spec, 4, pixels); again != p {
		t.Error("the second call makes another pool")
	}
	const n = 4*100 + 3
	if err := p.infer(t.Context(), n, len(p.lanes)); err != nil {
		t.Fatal(err)
	}
	if got := all[0].images + all[1].images; got != n {
		t.Errorf("%d images, want %d", got, n)
	}
	for _, c := range all {
		if c.seen[0] {
			t.Error("a batch holds an image that was not filled")
		}
	}
	if err := p.device(t.Context(), 8); err != nil || all[0].images+all[1].images != n+8 {
		t.Errorf("resident: %v, %d images", err, all[0].images+all[1].images)
	}
	all[0].closed, all[1].closed = true, true
	if err := p.infer(t.Context(), 8, 1); !errors.Is(err, imgvec.ErrClosed) {
		t.Errorf("a backend's error: %v", err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

func TestOneLaneUsesOneDevice(t *testing.T) {
	a, all, spec := newAlone(t, 2)
	p, err := a.pool(spec, 1, make([]uint8, spec.ImageLen()))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.infer(t.Context(), 10, 1); err != nil || all[0].images != 10 || all[1].images != 0 {
		t.Errorf("%v: %d and %d images", err, all[0].images, all[1].images)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

func TestFits(t *testing.T) {
	a, _, _ := newAlone(t, 1)
	for n, want := range map[int]bool{0: true, 1: true, 4: true, 2: false, 8: false} {
		if a.fits(n) != want {
			t.Errorf("a batch of %d: %v", n, !want)
		}
	}
	if a.buckets = nil; !a.fits(7) {
		t.Error("a CPU takes every size")
	}
}
