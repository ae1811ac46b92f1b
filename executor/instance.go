package executor

import (
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// strikes is how many batches in a row an instance may fail before it counts as lost.
const strikes = 3

// instance is one model on one device.
type instance struct {
	name    string // of the device: "cpu", "cuda:0"
	backend imgvec.Backend

	limit    atomic.Int64 // images it takes at once: the executor's batch, less after it ran out of memory
	failures atomic.Int64 // batches failed in a row
	lost     atomic.Bool
}

func newInstance(name string, backend imgvec.Backend, batch int) *instance {
	in := &instance{name: name, backend: backend}
	in.limit.Store(int64(batch))
	return in
}

// halve lowers the limit below n, the size that did not fit, and tells whether there is anything left to try.
func (in *instance) halve(n int) bool {
	for {
		old := in.limit.Load()
		if old < int64(n) {
			return true // another stream found out before
		}
		if n == 1 {
			return false
		}
		if in.limit.CompareAndSwap(old, int64(n/2)) {
			return true
		}
	}
}
