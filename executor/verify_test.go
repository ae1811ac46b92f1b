package executor_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

func TestVerifyRecordsCosinesAndTheReference(t *testing.T) {
	testdata.Home(t)
	m := randomModel(t)
	report, err := executor.Verify(t.Context(), m, executor.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Pictures < 32 || len(report.Cosines)+len(report.Skipped) < 4 || !report.OK() || report.Reference.Recorded {
		t.Errorf("report: %+v", report)
	}
	again, err := model.Open(m.Dir, model.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Cosines {
		if c.Precision == imgvec.FP32 && c.Min < 0.99999 {
			t.Errorf("fp32 on %s: cosine %v", c.Provider, c.Min)
		}
		if c.Min > c.Mean || c.Version == "" {
			t.Errorf("cosine: %+v", c)
		}
		if recorded, ok := again.Cosine(c.Provider, c.Precision); !ok || recorded != c.Min {
			t.Errorf("%s in %s: %v was recorded (%v), %v measured", c.Provider, c.Precision, recorded, ok, c.Min)
		}
	}
	if _, ok := again.Cosine(cpu.CPU, imgvec.FP32); !ok {
		t.Error("nothing was recorded of the reference provider")
	}
	second, err := executor.Verify(t.Context(), again, executor.VerifyOptions{})
	if err != nil || !second.OK() || !second.Reference.Recorded || second.Reference.Cosine < 0.99999 {
		t.Errorf("second time: %+v, %v", second.Reference, err)
	}
}

// A quantised model has no fp32 to compare with: it is measured in int8, and nothing is said of other precisions.
func TestVerifyOfAQuantisedModel(t *testing.T) {
	m := quantisedModel(t)
	report, err := executor.Verify(t.Context(), m, executor.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cosines)+len(report.Skipped) < 3 || !report.OK() {
		t.Errorf("report: %+v", report)
	}
	for _, c := range report.Cosines {
		if c.Precision != imgvec.INT8 || c.Provider == cpu.CPU && c.Min < 0.99999 || c.Min < 0.9 {
			t.Errorf("cosine: %+v", c)
		}
	}
	for _, s := range report.Skipped {
		if s.Precision != imgvec.INT8 && s.Precision != "" || strings.Contains(s.Reason, "quantised") {
			t.Errorf("skipped: %+v", s)
		}
	}
	second, err := executor.Verify(t.Context(), m, executor.VerifyOptions{})
	if err != nil || !second.OK() || !second.Reference.Recorded {
		t.Errorf("second time: %+v, %v", second.Reference, err)
	}
}

func TestPrecisionOfAQuantisedModel(t *testing.T) {
	m := quantisedModel(t)
	// As an earlier version recorded it, which ran the model in int8 under bf16's name.
	for provider, precision := range map[string]imgvec.Precision{cpu.CPU: imgvec.INT8, cpu.OpenVINO: imgvec.BF16} {
		if err := m.Record(model.Cosine{Provider: provider, Version: "1", Precision: precision, Min: 0.98, Mean: 0.99, Pictures: 32}); err != nil {
			t.Fatal(err)
		}
	}
	for _, asked := range []imgvec.Precision{"", imgvec.PrecisionAuto, imgvec.INT8} {
		e, err := executor.OpenModel(t.Context(), m, executor.Options{Device: "cpu", Precision: asked})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Stats().Precision; got != string(imgvec.INT8) {
			t.Errorf("asked for %q: %s", asked, got)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, asked := range []imgvec.Precision{imgvec.FP32, imgvec.BF16, imgvec.FP16} {
		e, err := executor.OpenModel(t.Context(), m, executor.Options{Device: "cpu", Precision: asked})
		if !errors.Is(err, imgvec.ErrPrecision) || !strings.Contains(err.Error(), "use auto or int8") {
			t.Errorf("asked for %s: %v", asked, err)
		}
		if err == nil {
			_ = e.Close()
		}
	}
}

// quantisedModel is a copy of a real one, with a home of its own for its records.
func quantisedModel(t *testing.T) *model.Model {
	t.Helper()
	testdata.Home(t)
	data, err := os.ReadFile(testdata.Path(t, "models/mobilenetv2-12-int8.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(path, model.OpenOptions{Output: "output", Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestVerifySeesAChangedReference(t *testing.T) {
	testdata.Home(t)
	m := randomModel(t)
	if _, err := executor.Verify(t.Context(), m, executor.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*model.Reference){
		func(r *model.Reference) { r.CropSHA256 = strings.Repeat("0", 64) },
		func(r *model.Reference) { r.Features[0] += 1000 },
	} {
		reference := *m.Manifest.Reference
		reference.Features = append([]float32(nil), reference.Features...)
		change(&reference)
		changed := *m
		changed.Manifest.Reference = &reference
		report, err := executor.Verify(t.Context(), &changed, executor.VerifyOptions{DryRun: true})
		if err != nil || report.OK() {
			t.Errorf("%+v, %v", report.Reference, err)
		}
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	testdata.Home(t)
	m := randomModel(t)
	path := filepath.Join(m.Dir, model.ManifestFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := executor.Verify(t.Context(), m, executor.VerifyOptions{DryRun: true}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the manifest changed (%v)", err)
	}
}
