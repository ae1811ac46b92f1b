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
