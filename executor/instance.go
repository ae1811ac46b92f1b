package executor

import (
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
)

// strikes is how many batches in a row an instance may fail before it counts as lost.
const strikes = 3

// instance is one model on one device.
type instance struct {
	name    string // of the device: "cpu", "cuda:0"
	backend imgvec.Backend
	onGPU   gpuTimes      // nil on a CPU
	timeout time.Duration // after which the device counts as hung; 0: never

	limit    atomic.Int64 // images it takes at once: the executor's batch, less after it ran out of memory
	failures atomic.Int64 // batches failed in a row
	images   atomic.Int64 // that it has done
	lost     atomic.Bool
}

// gpuTimes is a backend that knows how long its device has worked on each step.
type gpuTimes interface{ Busy() gpu.Busy }

func newInstance(name string, backend imgvec.Backend, batch int) *instance {
	in := &instance{name: name, backend: backend}
	in.onGPU, _ = backend.(gpuTimes)
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
