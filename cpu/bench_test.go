//go:build cgo && unix

package cpu_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// BenchmarkRun keeps every stream busy with batches of 8. Beside the rate it tells the process's CPU time an image,
// which is the steadier figure on a machine that others use too.
func BenchmarkRun(b *testing.B) {
	for _, m := range []struct {
		file string
		spec imgvec.Spec
	}{
		{"resnet50-pruned-int8w.onnx", specOf("input", "features", 2048)},
		{"squeezenet1.1.onnx", specOf("input", "features", 512)},
		{"mobilenetv2-12-int8.onnx", specOf("input", "output", 1000)},
	} {
		for _, session := range []struct {
			provider  string
			precision imgvec.Precision
		}{{cpu.OpenVINO, imgvec.BF16}, {cpu.OpenVINO, imgvec.FP32}, {cpu.CPU, imgvec.FP32}} {
			for _, streams := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s-%s/streams=%d", m.file, session.provider, session.precision, streams), func(b *testing.B) {
					needsPrecision(b, session.provider, session.precision)
					benchmark(b, testdata.Path(b, "models/"+m.file), m.spec,
						cpu.Options{Provider: session.provider, Precision: session.precision, Threads: 2, Streams: streams})
				})
			}
		}
	}
}

// BenchmarkINT8 runs quantised models, the folders that IMGVEC_BENCH_MODELS names with commas between, on either provider, with
// one stream and two.
func BenchmarkINT8(b *testing.B) {
	folders := os.Getenv("IMGVEC_BENCH_MODELS")
	if folders == "" {
		b.Skip("IMGVEC_BENCH_MODELS names no model folders (imgvec model quantize makes them)")
	}
	for folder := range strings.SplitSeq(folders, ",") {
		m, err := model.Open(folder, model.OpenOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for _, provider := range providers {
			for _, streams := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/streams=%d", m.Name, provider, streams), func(b *testing.B) {
					needsPrecision(b, provider, imgvec.INT8)
					benchmark(b, m.Path, m.Spec, cpu.Options{Provider: provider, Precision: imgvec.INT8, Threads: 2, Streams: streams})
				})
			}
		}
	}
}

func benchmark(b *testing.B, path string, spec imgvec.Spec, opts cpu.Options) {
	const batch = 8
	backend := open(b, path, spec, opts)
	batches := make([]*imgvec.Batch, opts.Streams)
	for i := range batches {
		batches[i] = backendtest.NewBatch(b, spec, batch, batch)
	}
	runAll(b, backend, batches)
	before := cpuSeconds()
	for b.Loop() {
		runAll(b, backend, batches)
	}
	images := float64(b.N * opts.Streams * batch)
	b.ReportMetric(images/b.Elapsed().Seconds(), "img/s")
	b.ReportMetric((cpuSeconds()-before)*1e3/images, "ms-CPU/img")
}

func runAll(b *testing.B, backend *cpu.Backend, batches []*imgvec.Batch) {
	var wg sync.WaitGroup
	for _, batch := range batches {
		wg.Go(func() {
			if err := backend.Run(b.Context(), batch); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
