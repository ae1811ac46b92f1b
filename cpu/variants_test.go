//go:build cgo

package cpu_test

import (
	"math"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// Every form of the same model computes the same features: plain Go says which.
func TestEveryFormOfAModel(t *testing.T) {
	forms := map[string]tiny.Options{
		"plain":       {},
		"NHWC":        {Layout: imgvec.NHWC},
		"BGR":         {Order: imgvec.BGR},
		"float16":     {DType: imgvec.Float16},
		"float16 one": {DType: imgvec.Float16, Batch: 1, Order: imgvec.BGR},
		"uint8":       {DType: imgvec.Uint8},
		"uint8 NHWC":  {DType: imgvec.Uint8, Layout: imgvec.NHWC, Order: imgvec.BGR},
		"fixed 4":     {Batch: 4},
		"[N,D,1,1]":   {Output: tiny.Pooled},
		"[N,T,C]":     {Output: tiny.Tokens},
		"no shape":    {Output: tiny.Unnamed},
		"int8 stored": {Weird: tiny.StoredInt8},
		"qdq":         {Weird: tiny.QDQ},
	}
	for name, form := range forms {
		for _, provider := range providers {
			t.Run(name+"/"+provider, func(t *testing.T) {
				path, spec := tiny.Write(t, form)
				precision := imgvec.FP32
				if form.Weird == tiny.QDQ {
					precision = imgvec.INT8
				}
				batch := features(t, open(t, path, spec, cpu.Options{Provider: provider, Precision: precision}), 6, nil)
				tolerance := 2e-5
				switch {
				case form.DType == imgvec.Float16:
					tolerance = 5e-3
				case form.Weird == tiny.QDQ: // rounds to int8 on the way
					tolerance = 1e-2
				}
				for i := range batch.Len() {
					want := tiny.Features(spec, batch.Image(i))
					for j, got := range batch.Feature(i) {
						if math.Abs(float64(got)-want[j]) > tolerance*(1+math.Abs(want[j])) {
							t.Fatalf("image %d, feature %d: %v, want %v", i, j, got, want[j])
						}
					}
				}
			})
		}
	}
}

// What does not fit is refused when the model is opened, in words.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		form   tiny.Options
		change func(*imgvec.Spec)
		text   string
	}{
		"input name":   {tiny.Options{}, func(s *imgvec.Spec) { s.Input = "data" }, `no input "data" (it has "image")`},
		"output name":  {tiny.Options{}, func(s *imgvec.Spec) { s.Feature = "logits" }, `no output "logits" (it has "features")`},
		"layout":       {tiny.Options{}, func(s *imgvec.Spec) { s.Layout = imgvec.NHWC }, "NHWC"},
		"size":         {tiny.Options{}, func(s *imgvec.Spec) { s.Preset.InputSize.Height = 17 }, "17"},
		"type":         {tiny.Options{DType: imgvec.Float16}, func(s *imgvec.Spec) { s.DType = imgvec.Float32 }, "float16"},
		"tokens":       {tiny.Options{Output: tiny.Tokens}, func(s *imgvec.Spec) { s.Dim = 4 }, "16 numbers an image"},
		"unknown dim":  {tiny.Options{Output: tiny.Unnamed}, func(s *imgvec.Spec) { s.Dim = 99 }, "99 features"},
		"half unknown": {tiny.Options{Output: tiny.Unnamed, DType: imgvec.Float16}, func(*imgvec.Spec) {}, "does not tell its shape"},
		"fails":        {tiny.Options{Output: tiny.Unnamed, Weird: tiny.FailsInRun}, func(*imgvec.Spec) {}, "Reshape"},
		"preset":       {tiny.Options{}, func(s *imgvec.Spec) { s.Preset.Scale = 0 }, "must be finite and not zero"},
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, cpu.CPU)
			path, spec := tiny.Write(t, c.form)
			c.change(&spec)
			_, err := cpu.Open(t.Context(), path, spec, cpu.Options{Provider: cpu.CPU})
			wantError(t, err, imgvec.ErrModel, c.text)
		})
	}
}
