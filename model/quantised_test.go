package model

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
)

// copyOf writes the model's own file, which is as good as any other here.
func copyOf(m *Model) func(io.Writer) error {
	return func(w io.Writer) error {
		data, err := os.ReadFile(m.Path)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
}

func TestInstallQuantised(t *testing.T) {
	home := t.TempDir()
	m, err := Random("resnet18", 3, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	to := QuantisedOptions{Name: "r18-int8", Home: home}
	q := Quantisation{By: "imgvec test", Method: "min-max", Calibrated: 12, HeldOut: 16, Layers: 20, Cosines: []FloatCosine{{Provider: "cpu", Mean: 0.999}}}
	// A writer that fails leaves nothing that could be opened.
	half := errors.New("disk full")
	if _, err := m.InstallQuantised(to, q, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return half }); !errors.Is(err, half) {
		t.Errorf("%v", err)
	}
	left, err := filepath.Glob(filepath.Join(home, "models", "r18-int8", "[^.]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := Open("r18-int8", OpenOptions{Home: home}); err == nil {
		t.Error("half a model opens")
	}
	made, err := m.InstallQuantised(to, q, copyOf(m))
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "r18-int8" || made.Spec.Model != "r18-int8" || made.Spec.Preset != m.Spec.Preset || !made.Random || made.License != m.License || made.Manifest.Logits != m.Manifest.Logits {
		t.Errorf("%+v", made)
	}
	again, err := Open("r18-int8", OpenOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	got := again.Manifest.Quantised
	if got == nil || got.Precision != imgvec.INT8 || got.From != m.Name || got.FromSHA256 != m.SHA256 || got.Layers != 20 || got.Cosines[0].Mean != 0.999 {
		t.Errorf("%+v", got)
	}
	if want := "quantised to int8 from " + m.Name + " by imgvec test with 12 images (min-max)"; !strings.Contains(again.Source, want) || !strings.HasPrefix(again.Source, m.Source) {
		t.Errorf("source %q", again.Source)
	}
	if err := m.CheckQuantised(to); err != nil {
		t.Errorf("one made of the same file: %v", err)
	}
}

func TestQuantisedInTheWay(t *testing.T) {
	home := t.TempDir()
	m, err := Random("resnet18", 3, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Random("resnet18", 4, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.InstallQuantised(QuantisedOptions{Name: "taken-int8", Home: home}, Quantisation{}, copyOf(other)); err != nil {
		t.Fatal(err)
	}
	preset := filepath.Join(home, "models", "by-hand")
	if err := errors.Join(os.MkdirAll(preset, 0o755), os.WriteFile(filepath.Join(preset, ManifestFile), []byte(`{"format":1}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		m.Name: "a name of its own", other.Name: "made of something else", "taken-int8": "made of something else", "resnet50": "resnet50-int8",
		"": "not possible", "a/b": "not possible", "by-hand": "somebody put there",
	} {
		if err := m.CheckQuantised(QuantisedOptions{Name: name, Home: home}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	if err := m.CheckQuantised(QuantisedOptions{Name: "taken-int8", Home: home, Force: true}); err != nil {
		t.Errorf("by force: %v", err)
	}
	if err := m.CheckQuantised(QuantisedOptions{Name: m.Name, Home: home, Force: true}); err == nil {
		t.Error("a float model may be replaced by what is made of it")
	}
}
