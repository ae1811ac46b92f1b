package executor

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// record is a cosine of a folder's records.
func record(provider string, p imgvec.Precision, least float64) model.Cosine {
	return model.Cosine{Provider: provider, Precision: p, Min: least, Mean: 1, Version: "1", Pictures: 1}
}

func TestAutomaticOnGPUs(t *testing.T) {
	testdata.Home(t)
	m, err := model.Random("efficientnet-lite0", 1, model.RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	trt, cuda := gpu.Report{Usable: true, Provider: gpu.TensorRT}, gpu.Report{Usable: true, Provider: gpu.CUDA}
	sim := gpu.Report{Usable: true, Simulated: true, Provider: "sim"}
	for name, c := range map[string]struct {
		g      gpu.Report
		record []model.Cosine
		dtype  imgvec.DType
		want   string
		reason string
	}{
		"good":             {g: trt, record: []model.Cosine{record("tensorrt", imgvec.FP16, 1)}, want: "cuda tensorrt fp16"},
		"unknown":          {g: trt, want: "cuda tensorrt fp16", reason: "imgvec model verify"},
		"bad":              {g: trt, record: []model.Cosine{record("tensorrt", imgvec.FP16, 0.9)}, want: "cuda cuda fp32", reason: "cosine of 0.90000"},
		"bad elsewhere":    {g: cuda, record: []model.Cosine{record("tensorrt", imgvec.FP16, 0.9)}, want: "cuda cuda fp16", reason: "imgvec model verify"},
		"bad on a sim":     {g: sim, record: []model.Cosine{record("sim", imgvec.FP16, 0.9)}, want: "cuda sim fp32", reason: "0.90000"},
		"float16 as given": {g: trt, record: []model.Cosine{record("tensorrt", imgvec.FP16, 0.9)}, dtype: imgvec.Float16, want: "cuda tensorrt fp16", reason: "itself is float16"},
	} {
		m.Manifest.Cosines = c.record
		m.Spec.DType = c.dtype
		choice, err := Automatic(m, cpu.Probe(""), c.g)
		got := strings.Join([]string{string(choice.Device), choice.Provider, string(choice.Precision)}, " ")
		if err != nil || got != c.want || !strings.Contains(choice.Reason, c.reason) || c.reason == "" && choice.Reason != "" {
			t.Errorf("%s: %q (%s), %v; want %q", name, got, choice.Reason, err, c.want)
		}
	}
	quantised := &model.Model{Name: "q", Path: testdata.Path(t, "models/mobilenetv2-12-int8.onnx")}
	if choice, err := Automatic(quantised, cpu.Probe(""), trt); err != nil || choice.Precision != imgvec.INT8 || choice.Provider != gpu.TensorRT {
		t.Errorf("a quantised model: %+v, %v", choice, err)
	}
}

// What is foreseen on the CPU is what Open takes.
func TestAutomaticOnTheCPU(t *testing.T) {
	testdata.Home(t)
	m, err := model.Random("efficientnet-lite0", 1, model.RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, cosines := range [][]model.Cosine{nil, {record(cpu.OpenVINO, imgvec.BF16, 1)}, {record(cpu.OpenVINO, imgvec.BF16, 0.9)}} {
		m.Manifest.Cosines = cosines
		choice, err := Automatic(m, cpu.Probe(""), gpu.Report{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := OpenModel(t.Context(), m, Options{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		s := e.Stats()
		if choice.Device != imgvec.DeviceCPU || string(choice.Precision) != s.Precision || strings.HasPrefix(s.Provider, "OpenVINO") != (choice.Provider == cpu.OpenVINO) {
			t.Errorf("%v: %+v, and it runs on %s in %s", cosines, choice, s.Provider, s.Precision)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	m.Path = filepath.Join(t.TempDir(), "none.onnx")
	if choice, err := Automatic(m, cpu.Probe(""), gpu.Report{}); err == nil {
		t.Errorf("a model that is not there: %+v", choice)
	}
}
