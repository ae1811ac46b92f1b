//go:build cgo

package cpu_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
)

// TestMain lets OpenVINO run on any x86-64, in child processes too where they do not say otherwise.
func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := children[name](); err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := os.Setenv(ort.OpenVINOVariable, "any"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// providers are both providers; a test names them in its subtests.
var providers = []string{cpu.OpenVINO, cpu.CPU}

// needs ends the test where the machine lacks the provider.
func needs(t testing.TB, provider string) {
	t.Helper()
	testdata.Home(t)
	if report := cpu.Probe(""); report.Error != "" {
		testdata.Require(t, "ort", report.Error)
	} else if provider == cpu.OpenVINO && report.OpenVINO.Error != "" {
		testdata.Require(t, "openvino", report.OpenVINO.Error)
	}
}

// needsPrecision ends the test where the provider does not compute in that precision here.
func needsPrecision(t testing.TB, provider string, precision imgvec.Precision) {
	t.Helper()
	needs(t, provider)
	if precision == imgvec.BF16 && (provider == cpu.CPU || cpu.Probe("").Precision != imgvec.BF16) {
		t.Skip("bf16 needs OpenVINO and a CPU that is fast in it")
	}
}

func open(t testing.TB, path string, spec imgvec.Spec, opts cpu.Options) *cpu.Backend {
	t.Helper()
	needs(t, opts.Provider)
	backend, err := cpu.Open(t.Context(), path, spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	return backend
}

// features runs one batch of backendtest's pictures, or of the crops given.
func features(t testing.TB, backend *cpu.Backend, n int, crops []uint8) *imgvec.Batch {
	t.Helper()
	batch := backendtest.NewBatch(t, backend.Spec(), n, n)
	if crops != nil {
		copy(batch.Pixels, crops)
	}
	if err := backend.Run(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return batch
}

func wantError(t *testing.T, err, is error, texts ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("error %v is no %v", err, is)
		return
	}
	for _, text := range texts {
		if !contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}
