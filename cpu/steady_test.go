//go:build cgo

package cpu_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
)

// Run makes nothing that grows with the batch: a stream keeps its scratch. What is left is onnxruntime_go's two slices.
func TestRunAllocatesNoScratch(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{Size: 64})
	for _, provider := range providers {
		b := open(t, path, spec, cpu.Options{Provider: provider, Precision: imgvec.FP32, Streams: 1})
		large := backendtest.NewBatch(t, spec, 8, 8)
		sizes := []int{8, 3, 1}
		var failed error
		runAll := func() {
			for _, n := range sizes {
				large.SetLen(n)
				failed = errors.Join(failed, b.Run(t.Context(), large))
			}
		}
		runAll()
		const rounds = 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			runAll()
		}
		runtime.ReadMemStats(&after)
		if failed != nil {
			t.Fatal(failed)
		}
		if perRun := (after.TotalAlloc - before.TotalAlloc) / rounds / uint64(len(sizes)); perRun > 2048 {
			t.Errorf("%s: %d bytes a Run", provider, perRun)
		}
	}
}

// Two backends of one model in one process, each with several streams and more callers than streams: a batch has the same
// bits in every run, whatever computes beside it.
func TestSteadyUnderLoad(t *testing.T) {
	for name, c := range map[string]struct {
		weird     tiny.Weird
		precision imgvec.Precision
	}{
		"bf16": {"", imgvec.BF16}, "fp32": {"", imgvec.FP32}, "qdq": {tiny.QDQ, imgvec.INT8}, "int8 stored": {tiny.StoredInt8, imgvec.FP32},
	} {
		t.Run(name, func(t *testing.T) {
			needsPrecision(t, cpu.OpenVINO, c.precision)
			path, spec := tiny.Write(t, tiny.Options{Weird: c.weird, Size: 32})
			opts := cpu.Options{Provider: cpu.OpenVINO, Precision: c.precision, Streams: 3}
			backends := []*cpu.Backend{open(t, path, spec, opts), open(t, path, spec, opts)}
			want := features(t, backends[0], 8, nil).Features
			var wg sync.WaitGroup
			for caller := range 8 {
				batch := backendtest.NewBatch(t, spec, 8, 8)
				wg.Go(func() {
					for run := range 200 {
						clear(batch.Features)
						if err := backends[(caller+run)%2].Run(t.Context(), batch); err != nil {
							t.Error(err)
							return
						}
						if !slices.Equal(batch.Features, want) {
							t.Errorf("caller %d, run %d: other features", caller, run)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestNoGoroutineStays(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	for _, provider := range providers {
		needs(t, provider)
		before := goleak.IgnoreCurrent()
		b, err := cpu.Open(t.Context(), path, spec, cpu.Options{Provider: provider, Precision: imgvec.FP32})
		if err != nil {
			t.Fatal(err)
		}
		features(t, b, 3, nil)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	}
}

// Threads follow what Go may use, which honours a container's quota.
func TestThreads(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	procs := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(procs)
	for _, c := range []struct{ threads, streams, wantThreads, wantStreams int }{
		{0, 0, 3, 3}, {0, 1, 3, 1}, {2, 0, 2, 2}, {1, 4, 4, 4}, {4, 2, 4, 2},
	} {
		b := open(t, path, spec, cpu.Options{Provider: cpu.CPU, Threads: c.threads, Streams: c.streams})
		if info := b.Info(); info.Threads != c.wantThreads || info.Streams != c.wantStreams || b.Streams() != c.wantStreams {
			t.Errorf("threads %d, streams %d gave %d in %d", c.threads, c.streams, info.Threads, info.Streams)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	needs(t, cpu.CPU)
	path, spec := tiny.Write(t, tiny.Options{})
	if _, err := cpu.Open(t.Context(), path, spec, cpu.Options{Provider: "tpu"}); err == nil || !contains(err.Error(), "openvino, cpu") {
		t.Error(err)
	}
	if _, err := cpu.Open(t.Context(), path, spec, cpu.Options{Streams: -1}); err == nil {
		t.Error("-1 streams")
	}
	_, err := cpu.Open(t.Context(), path, spec, cpu.Options{Precision: imgvec.FP16})
	wantError(t, err, imgvec.ErrPrecision, "fp16")
	_, err = cpu.Open(t.Context(), path, spec, cpu.Options{Precision: imgvec.INT8})
	wantError(t, err, imgvec.ErrPrecision, "not quantised")
	quantised, spec := tiny.Write(t, tiny.Options{Weird: tiny.QDQ})
	for _, precision := range []imgvec.Precision{imgvec.FP32, imgvec.BF16, imgvec.FP16} {
		_, err = cpu.Open(t.Context(), quantised, spec, cpu.Options{Precision: precision})
		wantError(t, err, imgvec.ErrPrecision, "use auto or int8")
	}
	_, err = cpu.Open(t.Context(), path+".none", spec, cpu.Options{})
	wantError(t, err, imgvec.ErrModel, "no such file")
}

// A model that only stores its weights in int8 computes in float, so it may be told in which.
func TestStoredInt8IsNotQuantised(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{Weird: tiny.StoredInt8})
	for _, precision := range []imgvec.Precision{imgvec.FP32, imgvec.BF16} {
		t.Run(string(precision), func(t *testing.T) {
			needsPrecision(t, cpu.OpenVINO, precision)
			b := open(t, path, spec, cpu.Options{Provider: cpu.OpenVINO, Precision: precision})
			if got := b.Info().Precision; got != precision {
				t.Errorf("it was opened in %s", got)
			}
		})
	}
	_, err := cpu.Open(t.Context(), path, spec, cpu.Options{Precision: imgvec.INT8})
	wantError(t, err, imgvec.ErrPrecision, "not quantised")
}

func TestBatchOfAnotherModel(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	b := open(t, path, spec, cpu.Options{Provider: cpu.CPU})
	spec.Preset.InputSize.Width++
	if err := b.Run(t.Context(), backendtest.NewBatch(t, spec, 1, 1)); err == nil {
		t.Error("took a batch of another size")
	}
}

func ExampleProbe() {
	report := cpu.Probe("")
	fmt.Println(report.OpenVINO.Name)
	// Output: OpenVINOExecutionProvider
}
