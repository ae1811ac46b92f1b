package model

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
)

func TestRecordedCosinesAreFoundAgain(t *testing.T) {
	home := t.TempDir()
	installed, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	file := tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 224, 224))
	for _, name := range []string{installed.Name, file} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			m, err := Open(name, OpenOptions{Home: home})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.Cosine("OpenVINO", imgvec.BF16); ok {
				t.Error("a cosine before one was recorded")
			}
			first := Cosine{Provider: "OpenVINO", Version: "1", Precision: imgvec.BF16, Min: 0.99, Mean: 0.995, Pictures: 32}
			second := first
			second.Version, second.Min = "2", 0.98
			again := first
			again.Min = 0.97
			for _, c := range []Cosine{first, second, again} {
				if err := m.Record(c); err != nil {
					t.Fatal(err)
				}
			}
			reference := Reference{ImageSHA256: "a", CropSHA256: "b", Features: make([]float32, m.Spec.Dim), Provider: "cpu", Version: "3"}
			reference.Features[1] = 0.1
			if err := m.RecordReference(reference); err != nil {
				t.Fatal(err)
			}
			fresh, err := Open(name, OpenOptions{Home: home})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Cosine{second, again}, fresh.Manifest.Cosines); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(&reference, fresh.Manifest.Reference); diff != "" {
				t.Error(diff)
			}
			if least, ok := fresh.Cosine("OpenVINO", imgvec.BF16); !ok || least != again.Min {
				t.Errorf("%v, %v, expected the latest record's %v", least, ok, again.Min)
			}
			if least, ok := fresh.CosineAt("OpenVINO", "2", imgvec.BF16); !ok || least != second.Min {
				t.Errorf("%v, %v, expected version 2's %v", least, ok, second.Min)
			}
			if _, ok := fresh.Cosine("OpenVINO", imgvec.FP32); ok {
				t.Error("a cosine of another precision")
			}
		})
	}
	if beside, _ := os.ReadDir(filepath.Dir(file)); len(beside) != 1 {
		t.Errorf("recording wrote beside the user's model: %v", beside)
	}
}

func TestRecordsBelongToOneOutput(t *testing.T) {
	home := t.TempDir()
	path := tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 224, 224))
	features, err := Open(path, OpenOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if err := features.Record(Cosine{Provider: "p", Precision: imgvec.FP32, Min: 1, Mean: 1, Pictures: 32}); err != nil {
		t.Fatal(err)
	}
	logits, err := Open(path, OpenOptions{Home: home, Output: "logits"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := logits.Cosine("p", imgvec.FP32); ok {
		t.Error("the record of one output counts for another")
	}
}

func TestNonsenseIsNotRecorded(t *testing.T) {
	m, err := Open(tinyModel(t, filepath.Join(t.TempDir(), "tiny.onnx"), onnx.Batched(3, 224, 224)), OpenOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Record(Cosine{Provider: "p", Precision: imgvec.FP32, Min: math.NaN(), Mean: 1, Pictures: 32}); err == nil {
		t.Error("NaN was recorded")
	}
	if err := m.RecordReference(Reference{Features: make([]float32, 3)}); err == nil {
		t.Error("a reference of another dimension was recorded")
	}
}

func TestPullingAgainKeepsTheRecords(t *testing.T) {
	home := t.TempDir()
	m, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	c := Cosine{Provider: "p", Precision: imgvec.FP32, Min: 1, Mean: 1, Pictures: 32}
	if err := m.Record(c); err != nil {
		t.Fatal(err)
	}
	again, err := Random("resnet18", 1, RandomOptions{Home: home})
	if err != nil || len(again.Manifest.Cosines) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	other, err := Random("resnet18", 2, RandomOptions{Home: home, Name: m.Name, Force: true})
	if err != nil || len(other.Manifest.Cosines) != 0 {
		t.Errorf("records of other weights were kept: %+v, %v", other, err)
	}
}
