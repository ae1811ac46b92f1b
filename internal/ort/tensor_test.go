package ort_test

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
)

// It needs a library, and so a build with cgo.
func TestBuffer(t *testing.T) {
	testdata.Home(t)
	if _, err := ort.Start(""); err != nil {
		testdata.Require(t, "ort", err.Error())
	}
	for _, n := range []int{64, 100, 4096, 1 << 20} {
		b, err := ort.NewBuffer(n)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := b.Tensor(ort.Uint8, []int64{int64(n)})
		if err != nil {
			t.Fatal(err)
		}
		if at := uintptr(unsafe.Pointer(&whole.Uint8()[0])); at%64 != 0 || len(whole.Uint8()) != n {
			t.Errorf("buffer of %d at %#x, %d long", n, at, len(whole.Uint8()))
		}
		part, err := b.Tensor(ort.Float32, []int64{2, int64(n / 8)})
		if err != nil {
			t.Fatal(err)
		}
		part.Float32()[0] = 1 // the same memory
		if whole.Uint8()[3] != 0x3f || len(part.Float32()) != n/8*2 {
			t.Errorf("a view of %d floats over other memory", len(part.Float32()))
		}
		if _, err := b.Tensor(ort.Float16, []int64{int64(n)}); err == nil {
			t.Error("a view larger than its buffer")
		}
		for _, tensor := range []*ort.Tensor{whole, part} {
			if err := tensor.Destroy(); err != nil {
				t.Error(err)
			}
		}
		b.Free()
		b.Free()
	}
	if _, err := ort.NewBuffer(1 << 60); !errors.Is(err, imgvec.ErrOutOfMemory) {
		t.Errorf("an exabyte: %v", err)
	}
}

func TestErrorsWithoutStart(t *testing.T) {
	if _, err := ort.Open("/nowhere.onnx", "a", "b", ort.Options{OpenVINO: true}); err == nil {
		t.Error("a session without a model")
	}
}
