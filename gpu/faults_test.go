//go:build cuda && cgo && linux

package gpu_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/cudasim"
)

// Codes of the driver.
const (
	outOfMemory  = 2
	deviceLost   = 999
	launchFailed = 719
)

// TestSimulatedOutOfMemoryAtOpenHalvesTheBatch fails each allocation of an Open in turn.
func TestSimulatedOutOfMemoryAtOpenHalvesTheBatch(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	for k := 1; k <= 8; k++ {
		sim := simulated(t, 1)
		sim.Fail(cudasim.Fault{Call: "cuMemAlloc_v2", At: k, Code: outOfMemory})
		var said []string
		b := open(t, path, spec, gpu.Options{Batch: 8, Log: func(s string) { said = append(said, s) }})
		want := 4
		if b.Info().Batch == 8 && len(said) == 0 {
			want = 8 // there were fewer allocations
		}
		if b.Info().Batch != want || want == 4 && !strings.Contains(strings.Join(said, ""), "batches of 4") {
			t.Errorf("allocation %d failed: batch of %d, said %q", k, b.Info().Batch, said)
		}
		batch := backendtest.NewBatch(t, spec, 8, 8)
		if err := b.Run(t.Context(), batch); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSimulatedOutOfMemoryForOneImage(t *testing.T) {
	sim := simulated(t, 1)
	path, spec := tiny.Write(t, tiny.Options{})
	sim.Fail(cudasim.Fault{Call: "cuMemAlloc_v2", At: 1, Code: outOfMemory, Times: 1000})
	_, err := gpu.Open(t.Context(), path, spec, gpu.Options{Device: "cuda:0", Precision: imgvec.FP32, Batch: 8, CacheDir: t.TempDir()})
	if !errors.Is(err, imgvec.ErrOutOfMemory) || !strings.Contains(err.Error(), "needed") {
		t.Errorf("no memory at all: %v", err)
	}
}

// TestSimulatedLossAtEveryCall loses the device at each driver call of Open and Run in turn: the error is the contract's,
// and nothing is left.
func TestSimulatedLossAtEveryCall(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	cache := t.TempDir()
	lost, finished := 0, false
	for k := 1; !finished && k < 1<<16; k += 1 + k/20 {
		sim := simulated(t, 1)
		sim.Fail(cudasim.Fault{Call: "*", At: k, Code: deviceLost})
		err := runOnce(t, path, spec, cache)
		switch {
		case err == nil:
			finished = true
		case !errors.Is(err, imgvec.ErrNoDevice):
			t.Errorf("device lost at call %d: %v", k, err)
		default:
			lost++
		}
		for _, v := range sim.Violations() {
			t.Errorf("device lost at call %d: %s", k, v)
		}
	}
	if lost < 20 || !finished {
		t.Errorf("%d calls lost the device, finished: %v", lost, finished)
	}
}

// runOnce opens, runs a batch and closes.
func runOnce(t *testing.T, path string, spec imgvec.Spec, cache string) error {
	t.Helper()
	b, err := gpu.Open(t.Context(), path, spec, gpu.Options{Device: "cuda:0", Precision: imgvec.FP32, Batch: 4, CacheDir: cache})
	if err != nil {
		return err
	}
	err = b.Run(t.Context(), backendtest.NewBatch(t, spec, 4, 4))
	if closing := b.Close(); closing != nil {
		t.Errorf("Close: %v", closing)
	}
	return err
}

func TestSimulatedLaunchFailureIsADeviceLost(t *testing.T) {
	sim := simulated(t, 1)
	path, spec := tiny.Write(t, tiny.Options{})
	b := open(t, path, spec, gpu.Options{Batch: 4})
	batch := backendtest.NewBatch(t, spec, 4, 4)
	if err := b.Run(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	sim.Fail(cudasim.Fault{Call: "launch", At: 1, Code: launchFailed})
	for range 2 {
		if err := b.Run(t.Context(), batch); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("after a failed launch: %v", err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestSimulatedUnregisteredMemory runs Go's own memory through, which is not page-locked; the simulated driver refuses
// asynchronous copies from it.
func TestSimulatedUnregisteredMemory(t *testing.T) {
	simulated(t, 1)
	path, spec := tiny.Write(t, tiny.Options{})
	b := open(t, path, spec, gpu.Options{Batch: 4})
	batch := backendtest.NewBatch(t, spec, 9, 9)
	if err := b.Run(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if busy := b.Busy(); busy.Session <= 0 || busy.H2D < 0 {
		t.Errorf("%+v", busy)
	}
	if err := b.RunResident(t.Context(), 4); err != nil {
		t.Error(err)
	}
	if err := b.RunResident(t.Context(), 5); err == nil {
		t.Error("a resident batch over the largest bucket ran")
	}
}

// TestSimulatedFailureWaitsForWhatWasQueued fails a launch behind a copy that is under way: until the copy has ended the
// batch's memory is not the caller's again.
func TestSimulatedFailureWaitsForWhatWasQueued(t *testing.T) {
	sim := simulated(t, 1)
	path, spec := tiny.Write(t, tiny.Options{})
	b := open(t, path, spec, gpu.Options{Batch: 4})
	sim.SlowCopies(20 * time.Millisecond)
	const invalidValue = 1 // the device lives on
	sim.Fail(cudasim.Fault{Call: "cuLaunchKernel", At: 1, Code: invalidValue})
	before := sim.Calls("cuStreamSynchronize")
	batch := backendtest.NewBatch(t, spec, 4, 4)
	if err := b.Run(t.Context(), batch); err == nil || errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("a launch that failed: %v", err)
	}
	if waits := sim.Calls("cuStreamSynchronize") - before; waits != 3 {
		t.Errorf("%d of three streams were waited for", waits)
	}
	if err := b.Run(t.Context(), batch); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

// TestSimulatedCaptureByAnother opens, registers, runs and closes as if another thread captured a CUDA graph all the while:
// nothing of that may break it.
func TestSimulatedCaptureByAnother(t *testing.T) {
	sim := simulated(t, 2)
	path, spec := tiny.Write(t, tiny.Options{})
	sim.Capturing(true)
	b := open(t, path, spec, gpu.Options{Batch: 4, Normalize: true})
	batch := backendtest.NewBatch(t, spec, 4, 4)
	if err := b.Register(batch); err != nil {
		t.Error(err)
	}
	if err := b.Run(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
