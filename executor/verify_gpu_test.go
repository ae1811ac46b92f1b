package executor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// tinyModel is a model of 16 features with a home of its own for its records.
func tinyModel(t *testing.T) *model.Model {
	t.Helper()
	testdata.Home(t)
	path, _ := tiny.Write(t, tiny.Options{})
	m, err := model.Open(path, model.OpenOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// onCPU is a GPU whose features are the CPU's, the first of each picture scaled by off.
func onCPU(g gpus, off float32, versions map[string]string) gpus {
	g.open = func(ctx context.Context, path string, spec imgvec.Spec, o gpu.Options) (gpuBackend, error) {
		b, err := cpu.Open(ctx, path, spec, cpu.Options{Provider: cpu.CPU, Streams: 1})
		if err != nil {
			return nil, err
		}
		return &skewed{b, off, gpu.Info{Precision: o.Precision, Batch: 5, Versions: versions}}, nil
	}
	return g
}

type skewed struct {
	imgvec.Backend
	off  float32
	info gpu.Info
}

func (s *skewed) Info() gpu.Info { return s.info }
func (s *skewed) Busy() gpu.Busy { return gpu.Busy{} }

func (s *skewed) Run(ctx context.Context, b *imgvec.Batch) error {
	if b.Len() > 5 {
		return errors.New("larger than the device takes")
	}
	err := s.Backend.Run(ctx, b)
	for i := range b.Len() {
		b.Feature(i)[0] *= s.off
	}
	return err
}

func TestVerifyMeasuresTheGPU(t *testing.T) {
	m := tinyModel(t)
	of := usable("cuda:0", "cuda:1")
	of.report.TensorRT.Usable = true
	g := onCPU(of.gpus(), 1.5, map[string]string{"TensorRT": "10.1", "ONNX Runtime": "1.99"})
	report, err := verify(t.Context(), m, VerifyOptions{}, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		provider, version string
		precision         imgvec.Precision
	}{{"tensorrt", "10.1", imgvec.FP16}, {"cuda", "1.99", imgvec.FP16}, {"cuda", "1.99", imgvec.FP32}} {
		recorded, ok := m.CosineAt(want.provider, want.version, want.precision)
		if !ok || recorded > 0.9999 || recorded < 0.5 {
			t.Errorf("%+v: recorded %v, %v", want, recorded, ok)
		}
		if !slices.ContainsFunc(report.Cosines, func(c model.Cosine) bool {
			return c.Provider == want.provider && c.Precision == want.precision && c.Min == recorded && c.Pictures >= 32
		}) {
			t.Errorf("%+v is not in the report: %+v", want, report.Cosines)
		}
	}
}

func TestVerifySkipsGPUs(t *testing.T) {
	noTensorRT := usable("cuda:0")
	noTensorRT.report.TensorRT.Error = "libnvinfer is not there\nand more"
	broken := usable("cuda:0")
	broken.report.TensorRT.Usable = true
	broken.broken = map[string]error{"cuda:0": errors.New("out of order")}
	simulated := usable("cuda:0")
	simulated.report.Simulated = true
	for name, c := range map[string]struct {
		machine *machine
		skips   []VerifySkip
		cosines int
	}{
		"none":        {&machine{report: gpu.Report{Error: "no driver\nand more"}}, []VerifySkip{{"cuda", "", "no driver"}}, 0},
		"simulated":   {simulated, []VerifySkip{{"cuda", "", "the driver is the simulated one, whose figures say nothing"}}, 0},
		"no TensorRT": {noTensorRT, []VerifySkip{{"tensorrt", imgvec.FP16, "libnvinfer is not there"}}, 2},
		"broken": {broken, []VerifySkip{{"tensorrt", imgvec.FP16, "out of order"}, {"cuda", imgvec.FP16, "out of order"},
			{"cuda", imgvec.FP32, "out of order"}}, 0},
	} {
		m := tinyModel(t)
		g := c.machine.gpus()
		if c.machine.broken == nil {
			g = onCPU(g, 1, nil)
		}
		report, err := verify(t.Context(), m, VerifyOptions{}, g)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := slices.DeleteFunc(report.Skipped, func(s VerifySkip) bool { return s.Provider == cpu.OpenVINO })
		if !slices.Equal(got, c.skips) {
			t.Errorf("%s: skipped %+v", name, got)
		}
		recorded := 0
		for _, r := range m.Manifest.Cosines {
			if r.Provider == gpu.CUDA || r.Provider == gpu.TensorRT {
				recorded++
			}
		}
		if recorded != c.cosines {
			t.Errorf("%s: %d cosines recorded", name, recorded)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	m := tinyModel(t)
	ctx, cancel := context.WithCancel(t.Context())
	g := usable("cuda:0").gpus()
	g.open = func(context.Context, string, imgvec.Spec, gpu.Options) (gpuBackend, error) {
		cancel()
		return nil, context.Canceled
	}
	if _, err := verify(ctx, m, VerifyOptions{}, g); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "verify model") {
		t.Errorf("error %v", err)
	}
}
