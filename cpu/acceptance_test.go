//go:build cgo

package cpu_test

import (
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
)

func TestAcceptance(t *testing.T) {
	for _, provider := range providers {
		t.Run(provider, func(t *testing.T) {
			path, spec := tiny.Write(t, tiny.Options{})
			backendtest.Run(t, func(t *testing.T) imgvec.Backend {
				return open(t, path, spec, cpu.Options{Provider: provider, Precision: imgvec.FP32, Streams: 3})
			}, backendtest.FP32)
		})
	}
}

// A model with a largest batch, and one that takes a fixed batch only.
func TestAcceptanceOfBatches(t *testing.T) {
	for name, opts := range map[string]tiny.Options{"any": {}, "fixed 1": {Batch: 1}, "fixed 3": {Batch: 3}} {
		for _, provider := range providers {
			t.Run(name+"/"+provider, func(t *testing.T) {
				path, spec := tiny.Write(t, opts)
				spec.MaxBatch = 5
				backendtest.Run(t, func(t *testing.T) imgvec.Backend {
					return open(t, path, spec, cpu.Options{Provider: provider, Precision: imgvec.FP32})
				}, backendtest.FP32)
			})
		}
	}
}

// The precisions that a default session can come to. A session in int8 with DequantizeLinear is one a stream on OpenVINO.
func TestAcceptanceOfPrecisions(t *testing.T) {
	for name, c := range map[string]struct {
		weird     tiny.Weird
		precision imgvec.Precision
		tolerance backendtest.Tolerance
	}{
		"bf16": {"", imgvec.BF16, backendtest.BF16},
		"qdq":  {tiny.QDQ, imgvec.INT8, backendtest.FP32},
	} {
		for _, provider := range providers {
			t.Run(name+"/"+provider, func(t *testing.T) {
				needsPrecision(t, provider, c.precision)
				path, spec := tiny.Write(t, tiny.Options{Weird: c.weird})
				backendtest.Run(t, func(t *testing.T) imgvec.Backend {
					b := open(t, path, spec, cpu.Options{Provider: provider, Precision: c.precision, Streams: 3})
					if got := b.Info().Precision; got != c.precision {
						t.Errorf("opened in %s", got)
					}
					return b
				}, c.tolerance)
			})
		}
	}
}
