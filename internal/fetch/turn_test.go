package fetch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// TestCallersOfOneProcessTakeTurns: one at a time, without a word about another process, and the wait can be called off.
func TestCallersOfOneProcessTakeTurns(t *testing.T) {
	dir := t.TempDir()
	var inside, most atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			unlock, err := Lock(t.Context(), dir, func(s string) { t.Errorf("said %q", s) })
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			inside.Add(-1)
			unlock()
		})
	}
	wait.Wait()
	if most.Load() != 1 {
		t.Errorf("%d callers at once", most.Load())
	}
	unlock, err := Lock(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was called off: %v", err)
	}
}
