package fake_test

import (
	"errors"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

func TestFails(t *testing.T) {
	backend := fake.New(fake.Options{FailAt: 2, LoseAfter: 3, MemoryFor: 4})
	batch := backendtest.NewBatch(t, backend.Spec(), 5, 1)
	var native *imgvec.NativeError
	if err := backend.Run(t.Context(), batch); err != nil {
		t.Errorf("call 1: %v", err)
	}
	if err := backend.Run(t.Context(), batch); !errors.As(err, &native) {
		t.Errorf("call 2: %v", err)
	}
	batch.SetLen(5)
	if err := backend.Run(t.Context(), batch); !errors.Is(err, imgvec.ErrOutOfMemory) {
		t.Errorf("call 3: %v", err)
	}
	batch.SetLen(1)
	for call := 4; call < 6; call++ {
		if err := backend.Run(t.Context(), batch); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("call %d: %v", call, err)
		}
	}
	if got := backend.Stats(); got.Calls != 5 || got.Failed != 4 || got.Images != 1 {
		t.Errorf("stats %+v", got)
	}
}

func TestHangsUntilReleased(t *testing.T) {
	backend := fake.New(fake.Options{HangAt: 1})
	batch := backendtest.NewBatch(t, backend.Spec(), 1, 1)
	done := make(chan error, 1)
	go func() { done <- backend.Run(t.Context(), batch) }()
	select {
	case err := <-done:
		t.Fatalf("did not hang: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	backend.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := backend.Close(); err != nil {
		t.Error(err)
	}
}
