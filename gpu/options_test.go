package gpu

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/ort"
)

func TestOptionsThatCannotBe(t *testing.T) {
	spec := tiny.Spec(tiny.Options{})
	for want, change := range map[string]func(*Options, *imgvec.Spec){
		`provider "rocm" is unknown`: func(o *Options, _ *imgvec.Spec) { o.Provider = "rocm" },
		"out of range":               func(o *Options, _ *imgvec.Spec) { o.Batch = -1 },
		"65 streams":                 func(o *Options, _ *imgvec.Spec) { o.Streams = 65 },
		"fp16, which is more exact":  func(o *Options, _ *imgvec.Spec) { o.Precision = imgvec.BF16 },
		"none that a GPU":            func(o *Options, _ *imgvec.Spec) { o.Precision = imgvec.PrecisionAuto },
		"0 features":                 func(_ *Options, s *imgvec.Spec) { s.Dim = 0 },
		"out of range ":              func(_ *Options, s *imgvec.Spec) { s.Preset.InputSize.Width = -1 },
	} {
		o, s := Options{Device: "cuda:0", Precision: imgvec.FP16}, spec
		change(&o, &s)
		if _, err := Open(context.Background(), "m.onnx", s, o); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, name := range []string{"", "cpu", "cuda", "cuda:x", "cuda:-1"} {
		o := Options{Device: name}
		if _, err := o.ordinal(); !errors.Is(err, imgvec.ErrNoDevice) {
			t.Errorf("device %q: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "m.onnx", spec, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTheModelsMostBoundsTheBatch(t *testing.T) {
	spec := tiny.Spec(tiny.Options{})
	spec.MaxBatch = 5
	o, err := Options{Precision: imgvec.FP32}.withDefaults(spec)
	if err != nil || o.Batch != 5 || o.Streams != 2 || o.CacheDir == "" || o.Log == nil {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestProviderOptions holds what is promised of the keys: a profile and a folder for each bucket, TF32 off, and a user's
// key in place of ours.
func TestProviderOptions(t *testing.T) {
	o := &opening{
		Options: Options{Precision: imgvec.FP16, Session: map[string]string{"use_tf32": "1", "trt_builder_optimization_level": "5"}},
		spec:    tiny.Spec(tiny.Options{}), fit: &ort.Fit{}, batch: 64, engines: "/engines", provider: ort.TensorRT,
	}
	if sizes := o.perSession(); len(sizes) != 3 || len(sizes[2]) != 1 || sizes[2][0] != 64 {
		t.Errorf("TensorRT: sessions for %v", sizes)
	}
	d := o.session(77, []int{8})
	for key, want := range map[string]string{
		"trt_profile_min_shapes": "image:8x3x16x16", "trt_profile_opt_shapes": "image:8x3x16x16", "trt_profile_max_shapes": "image:8x3x16x16",
		"trt_fp16_enable": "1", "trt_engine_cache_path": "/engines/batch-8", "trt_timing_cache_path": "/engines",
		"trt_builder_optimization_level": "5", "cuda.use_tf32": "1", "use_tf32": "",
	} {
		if d.Options[key] != want {
			t.Errorf("TensorRT: %s is %q, want %q", key, d.Options[key], want)
		}
	}
	o.provider, o.graphs, o.Deterministic = ort.CUDA, true, true
	if sizes := o.perSession(); len(sizes) != 1 || len(sizes[0]) != 4 {
		t.Errorf("CUDA: sessions for %v", sizes)
	}
	if d = o.session(77, o.buckets()); d.Options["use_tf32"] != "1" || d.Options["trt_builder_optimization_level"] != "" ||
		d.Options["cudnn_conv_algo_search"] != "HEURISTIC" || d.Stream != 77 || !d.Graph {
		t.Errorf("CUDA: %+v", d)
	}
	o.Session = nil
	if d = o.session(77, o.buckets()); d.Options["use_tf32"] != "0" || d.Options["trt_fp16_enable"] != "" {
		t.Errorf("CUDA without a user's keys: %+v", d)
	}
}
