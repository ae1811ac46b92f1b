//go:build cuda && cgo && linux

package executor

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/cudasim"
	"github.com/imgvec/imgvec/model"
)

// The tests of this file run the whole on the simulated driver, where the network runs on ONNX Runtime's CPU provider.

// Codes of the driver.
const (
	simOutOfMemory  = 2
	simLaunchFailed = 719
	simDeviceLost   = 999
)

// job is what the tests of this file do: hundreds of small pictures, and the features that they must give.
type job struct {
	model    *model.Model
	pictures [][]byte
	want     [][]float32 // of the CPU backend
	cache    string
}

const jobSize = 300

// simulatedJob starts a simulated machine and makes a job for it. At the test's end the machine must be as it was.
func simulatedJob(t *testing.T, devices int) (*cudasim.Sim, *job) {
	t.Helper()
	sim := cudasim.Load(t)
	sim.Reset(devices)
	t.Cleanup(func() {
		sim.Check()
		sim.Reset(0) // other tests want a machine without GPUs
	})
	return sim, newJob(t)
}

func newJob(t *testing.T) *job {
	t.Helper()
	j := &job{model: tinyModel(t), cache: t.TempDir()}
	for i := range jobSize {
		j.pictures = append(j.pictures, drawn(t, i))
	}
	e, err := OpenModel(t.Context(), j.model, Options{Device: "cpu", Precision: imgvec.FP32, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	results, err := e.Extract(j.pictures)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		j.want = append(j.want, r.Features)
	}
	return j
}

// drawn is a small picture, another for each i.
func drawn(t *testing.T, i int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 24, 20))
	for y := range 20 {
		for x := range 24 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(i * 7 * (x + 1)), uint8(i + x*y*11), uint8(i*i + 5*y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// open opens the job's model as the tests need it: batches so small that there are many.
func (j *job) open(t *testing.T, opts Options) (*Executor, error) {
	t.Helper()
	if opts.Device == "" {
		opts.Device = "cuda"
	}
	if opts.Batch == 0 {
		opts.Batch = 4
	}
	opts.Precision, opts.CacheDir = imgvec.FP32, j.cache
	return OpenModel(t.Context(), j.model, opts)
}

func (j *job) items() iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for i, p := range j.pictures {
			if !yield(imgvec.Item{ID: fmt.Sprint(i), Data: p}) {
				return
			}
		}
	}
}

// run streams the job. Every row that comes must be the next one and right; it returns how many came.
func (j *job) run(t *testing.T, e *Executor) (int, error) {
	t.Helper()
	n := 0
	for r, err := range e.Stream(t.Context(), j.items()) {
		if err != nil {
			return n, err
		}
		j.check(t, &r, n)
		n++
	}
	return n, nil
}

func (j *job) check(t *testing.T, r *imgvec.Result, i int) {
	t.Helper()
	if r.Index != i || r.Err != nil || len(r.Features) != len(j.want[i]) {
		t.Fatalf("result %d: index %d, %d features, error %v", i, r.Index, len(r.Features), r.Err)
	}
	for k, want := range j.want[i] {
		if d := float64(r.Features[k] - want); d > 1e-4 || d < -1e-4 {
			t.Fatalf("result %d: feature %d is %v, the CPU's is %v", i, k, r.Features[k], want)
		}
	}
}

// finish runs the whole job and closes: all rows must come.
func (j *job) finish(t *testing.T, e *Executor, what string) {
	t.Helper()
	if n, err := j.run(t, e); n != jobSize || err != nil {
		t.Errorf("%s: %d of %d results, %v", what, n, jobSize, err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("%s: close: %v", what, err)
	}
}

func TestSimulatedMachines(t *testing.T) {
	for _, devices := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(devices), func(t *testing.T) {
			_, j := simulatedJob(t, devices)
			e, err := j.open(t, Options{Device: "auto"})
			if err != nil {
				t.Fatal(err)
			}
			s := e.Stats()
			if s.Streams != 2*devices || s.Batch != 4 || len(s.Devices) != devices || !strings.Contains(s.Provider, "simulated") || !strings.Contains(s.Device, "Simulated GPU 0") {
				t.Errorf("%+v", s)
			}
			var wait sync.WaitGroup
			for range 2 { // two callers at once
				wait.Go(func() {
					results, err := e.Extract(j.pictures)
					if err != nil {
						t.Error(err)
					}
					for i := range results {
						j.check(t, &results[i], i)
					}
				})
			}
			wait.Wait()
			for _, in := range e.devices.all {
				if in.images.Load() == 0 {
					t.Errorf("%s did nothing", in.name)
				}
			}
			for _, name := range []string{"h2d", "normalize", "session", "d2h"} {
				if stage := e.Stats().Stages[name]; stage.Images != 2*jobSize || stage.Busy <= 0 {
					t.Errorf("stage %s: %+v", name, stage)
				}
			}
			j.finish(t, e, "stream")
		})
	}
}

// Vectors of length 1 are made on the device, and are those of the CPU.
func TestSimulatedNormalize(t *testing.T) {
	_, j := simulatedJob(t, 2)
	for i := range j.want {
		normalize(j.want[i])
	}
	e, err := j.open(t, Options{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	if e.normalize {
		t.Error("the host normalises too")
	}
	j.finish(t, e, "normalize")
}

// Whatever goes wrong on one device at whatever moment, the other finishes the job.
func TestSimulatedFaultsOfOneDevice(t *testing.T) {
	sim, j := simulatedJob(t, 2)
	for _, fault := range []cudasim.Fault{
		{Call: "*", Code: simDeviceLost},
		{Call: "cuEventSynchronize", Code: simDeviceLost},
		{Call: "launch", Code: simLaunchFailed},
		{Call: "copy", Code: simDeviceLost},
		{Call: "hostfunc", Code: simDeviceLost},
		{Call: "cuLaunchKernel", Code: simOutOfMemory},
		{Call: "cuLaunchKernel", Code: simOutOfMemory, Times: -1},
		{Call: "cuLaunchKernel", Code: 1, Times: -1},
	} {
		for _, fault.At = range []int{1, 2, 9, 40} {
			what := fmt.Sprintf("%+v", fault)
			sim.Reset(2)
			e, err := j.open(t, Options{})
			if err != nil {
				t.Fatal(err)
			}
			sim.Fail(fault)
			j.finish(t, e, what)
			checkMachine(t, sim, what)
		}
	}
}

// checkMachine is sim.Check with the words for which case it was.
func checkMachine(t *testing.T, sim *cudasim.Sim, what string) {
	t.Helper()
	for _, v := range sim.Violations() {
		t.Errorf("%s: simulated driver: %s", what, v)
	}
	sim.ClearViolations()
	if c := sim.Counters(); c.Left() {
		t.Errorf("%s: left on the simulated devices: %+v", what, c)
	}
}

// With one device that is lost the call ends with the contract's error, behind rows that are right, and so does the next.
func TestSimulatedLossOfTheOnlyDevice(t *testing.T) {
	sim, j := simulatedJob(t, 1)
	for _, at := range []int{1, 30, 200} {
		sim.Reset(1)
		e, err := j.open(t, Options{})
		if err != nil {
			t.Fatal(err)
		}
		sim.Fail(cudasim.Fault{Call: "*", At: at, Code: simDeviceLost})
		if n, err := j.run(t, e); !errors.Is(err, imgvec.ErrNoDevice) || n == jobSize {
			t.Errorf("at call %d: %d results, %v", at, n, err)
		}
		if _, err := e.Extract(j.pictures[:1]); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("at call %d: the next call: %v", at, err)
		}
		if err := e.Close(); err != nil {
			t.Errorf("at call %d: close: %v", at, err)
		}
		checkMachine(t, sim, fmt.Sprint("lost at call ", at))
	}
}

func TestSimulatedOutOfMemoryForOneImage(t *testing.T) {
	sim, j := simulatedJob(t, 1)
	e, err := j.open(t, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Fail(cudasim.Fault{Call: "cuLaunchKernel", At: 20, Code: simOutOfMemory, Times: -1})
	if n, err := j.run(t, e); !errors.Is(err, imgvec.ErrOutOfMemory) || n == jobSize {
		t.Errorf("%d results, %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestSimulatedFaultsAtOpen(t *testing.T) {
	sim, j := simulatedJob(t, 3)
	for _, fault := range []cudasim.Fault{
		{Device: 1, Call: "cuMemAlloc_v2", Code: simOutOfMemory},
		{Device: 1, Call: "cuMemAlloc_v2", Code: simOutOfMemory, Times: -1},
		{Device: 1, Call: "cuMemHostAlloc", Code: simOutOfMemory, Times: -1},
		{Device: 1, Call: "*", Code: simDeviceLost},
		{Device: 1, Call: "launch", Code: simLaunchFailed},
	} {
		for _, fault.At = range []int{1, 3} {
			what := fmt.Sprintf("%+v", fault)
			sim.Reset(3)
			sim.Fail(fault)
			e, err := j.open(t, Options{Device: "auto"})
			if err != nil {
				t.Fatal(err)
			}
			devices, want, reason := e.Stats().Devices, "cuda:0 cuda:2", "cuda:1 is not used"
			smaller := fault.Times == 0 && fault.Code == simOutOfMemory
			if smaller {
				want, reason = "cuda:0 cuda:1 cuda:2", "cuda:1: out of memory, goes on with batches of 2"
			}
			if strings.Join(devices, " ") != want || !strings.Contains(reasons(e), reason) {
				t.Errorf("%s: devices %v, reasons %q", what, devices, reasons(e))
			}
			j.finish(t, e, what)
			checkMachine(t, sim, what)
			if smaller {
				continue
			}
			sim.Reset(3)
			sim.Fail(fault)
			if e, err := j.open(t, Options{Device: "cuda:0,1,2"}); err == nil {
				t.Errorf("%s: devices that were named opened without one of them", what)
				_ = e.Close()
			}
			checkMachine(t, sim, what+", named")
		}
	}
}

func TestSimulatedFaultsOfAllDevicesAtOpen(t *testing.T) {
	sim, j := simulatedJob(t, 2)
	sim.Fail(cudasim.Fault{Device: -1, Call: "cuMemAlloc_v2", At: 1, Code: simOutOfMemory, Times: -1})
	e, err := j.open(t, Options{Device: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	if text := reasons(e); e.Stats().Devices[0] != "cpu" || !strings.Contains(text, "device auto chose the CPU, since no GPU runs the model: ") {
		t.Errorf("devices %v, reasons %q", e.Stats().Devices, text)
	}
	j.finish(t, e, "on the CPU")
	if _, err := j.open(t, Options{Device: "auto", Provider: gpu.CUDA}); !errors.Is(err, imgvec.ErrOutOfMemory) {
		t.Errorf("with a provider named: %v", err)
	}
}

func TestSimulatedSlowCopies(t *testing.T) {
	sim, j := simulatedJob(t, 2)
	sim.SlowCopies(2 * time.Millisecond)
	e, err := j.open(t, Options{Batch: 32})
	if err != nil {
		t.Fatal(err)
	}
	j.finish(t, e, "slow copies")
}

// hangTimeout is longer than a batch takes on a loaded machine under the race detector.
const hangTimeout = 5 * time.Second

// A device hangs: the other finishes, closing does not wait, and when the device lets go everything is given back.
func TestSimulatedHang(t *testing.T) {
	sim, j := simulatedJob(t, 2)
	for at, releaseFirst := range map[int]bool{1: true, 11: false} {
		what := fmt.Sprintf("at %d, released before Close: %v", at, releaseFirst)
		sim.Reset(2)
		before := batchBytes.Load()
		e, err := j.open(t, Options{DeviceTimeout: hangTimeout})
		if err != nil {
			t.Fatal(err)
		}
		sim.Hang(0, at)
		if n, err := j.run(t, e); n != jobSize || err != nil {
			t.Errorf("%s: %d results, %v", what, n, err)
		}
		if s := e.Stats(); s.AbandonedBytes == 0 || !strings.Contains(reasons(e), "cuda:0: lost: no answer") {
			t.Errorf("%s: %d bytes abandoned, reasons %q", what, s.AbandonedBytes, reasons(e))
		}
		if releaseFirst {
			sim.Release()
			waitFor(t, func() bool { return e.Stats().AbandonedBytes == 0 })
		}
		if err := e.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
		checkMachine(t, sim, what) // what belongs to the device that hangs is counted apart
		if !releaseFirst && sim.Counters().HungBytes == 0 {
			t.Errorf("%s: a device that hangs was closed", what)
		}
		sim.Release()
		waitFor(t, func() bool { return batchBytes.Load() == before })
		checkMachine(t, sim, what+", at the end")
	}
}

func TestSimulatedHangOfTheOnlyDevice(t *testing.T) {
	sim, j := simulatedJob(t, 1)
	before := batchBytes.Load()
	e, err := j.open(t, Options{DeviceTimeout: hangTimeout})
	if err != nil {
		t.Fatal(err)
	}
	sim.Hang(0, 9)
	if n, err := j.run(t, e); n == jobSize || !errors.Is(err, imgvec.ErrNoDevice) || !errors.Is(err, errHung) {
		t.Errorf("%d results, %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	sim.Release()
	waitFor(t, func() bool { return batchBytes.Load() == before })
}
