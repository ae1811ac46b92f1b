//go:build !cgo

package cpu_test

import (
	"errors"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
)

func TestWithoutCgo(t *testing.T) {
	path, spec := tiny.Write(t, tiny.Options{})
	_, err := cpu.Open(t.Context(), path, spec, cpu.Options{})
	if !errors.Is(err, imgvec.ErrNoRuntime) || err.Error() == "" {
		t.Errorf("Open without cgo: %v", err)
	}
	if report := cpu.Probe(""); report.Error == "" || report.CPU.Usable {
		t.Errorf("Probe without cgo: %+v", report)
	}
}
