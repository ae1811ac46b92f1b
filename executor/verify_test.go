package executor_test

import (
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
	if report.Pictures < 32 || len(report.Cosines)+len(report.Skipped) != 3 || !report.OK() || report.Reference.Recorded {
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
