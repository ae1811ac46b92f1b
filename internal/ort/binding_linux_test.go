//go:build cgo && linux

package ort_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
)

const batch, side, dim = 3, 16, 16

func start(t *testing.T) {
	t.Helper()
	testdata.Home(t)
	if _, err := ort.Start(""); err != nil {
		testdata.Require(t, "ort", err.Error())
	}
}

// memory is C's memory filled with a batch of pixels, and its tensor on a device.
func memory(t *testing.T, shape ...int64) ([]float32, ort.DeviceTensor) {
	t.Helper()
	b, err := ort.NewBuffer(4 * ort.Elements(shape))
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := b.Tensor(ort.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tensor.Destroy(); err != nil {
			t.Error(err)
		}
		b.Free()
	})
	values := tensor.Float32()
	for i := range values {
		values[i] = float32(math.Sin(float64(i)))
	}
	return values, ort.DeviceTensor{Addr: uint64(uintptr(unsafe.Pointer(&values[0]))), Element: ort.Float32, Shape: shape}
}

// ordinary are the features of a session on host tensors.
func ordinary(t *testing.T, path string, pixels []float32) []float32 {
	t.Helper()
	s, err := ort.Open(path, "image", "features", ort.Options{Streams: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test's
	var tensors []*ort.Tensor
	for _, shape := range [][]int64{{batch, 3, side, side}, {batch, dim}} {
		b, err := ort.NewBuffer(4 * ort.Elements(shape))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Free()
		tensor, err := b.Tensor(ort.Float32, shape)
		if err != nil {
			t.Fatal(err)
		}
		defer tensor.Destroy() //nolint:errcheck // a test's
		tensors = append(tensors, tensor)
	}
	copy(tensors[0].Float32(), pixels)
	if err := s.Run(tensors[0], tensors[1]); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(tensors[1].Float32())
}

func openHost(t *testing.T, path string) *ort.DeviceSession {
	t.Helper()
	s, err := ort.OpenDevice(path, "image", "features", ort.DeviceOptions{Provider: ort.Host, Ordinal: 3, Stream: 1, Graph: true,
		Options: map[string]string{"use_tf32": "0", "session.use_env_allocators": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeAll(t *testing.T, closers ...interface{ Close() error }) {
	t.Helper()
	for _, c := range closers {
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	}
}

// A session on the memory of the simulated driver computes what an ordinary one does, called either way.
func TestHostSessionEqualsTheOrdinary(t *testing.T) {
	start(t)
	path, _ := tiny.Write(t, tiny.Options{})
	pixels, in := memory(t, batch, 3, side, side)
	want := ordinary(t, path, pixels)
	session := openHost(t, path)
	got, out := memory(t, batch, dim)
	binding, err := session.Bind(in, out, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"run":           binding.Run,
		"host function": func() error { ort.CallHostFunc(binding.HostFunc()); return binding.Err() },
	} {
		clear(got)
		if err := run(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, err, got[:4], want[:4])
		}
	}
	// The binding holds the addresses: other pixels there are other features.
	pixels[0] += 1
	if err := binding.Run(); err != nil || slices.Equal(got, want) {
		t.Errorf("other pixels: %v, the same features", err)
	}
	closeAll(t, binding, session)
}

func TestBindingErrors(t *testing.T) {
	start(t)
	path, _ := tiny.Write(t, tiny.Options{})
	session := openHost(t, path)
	_, in := memory(t, batch, 3, side, side)
	_, wide := memory(t, batch, 3, side, side+1)
	_, out := memory(t, batch, dim)
	for name, c := range map[string]struct{ in, out ort.DeviceTensor }{
		"no memory": {ort.DeviceTensor{Element: ort.Float32, Shape: in.Shape}, out},
		"no size":   {in, ort.DeviceTensor{Addr: out.Addr, Element: ort.Float32, Shape: []int64{0, dim}}},
		"no type":   {in, ort.DeviceTensor{Addr: out.Addr, Element: 99, Shape: out.Shape}},
	} {
		if _, err := session.Bind(c.in, c.out, 0); err == nil || !strings.Contains(err.Error(), "BUG") {
			t.Errorf("%s: %v", name, err)
		}
	}
	binding, err := session.Bind(wide, out, 0)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(err error) {
		t.Helper()
		var native *imgvec.NativeError
		if !errors.As(err, &native) || native.Code != 2 || !strings.Contains(native.Msg, "17") { // invalid argument
			t.Errorf("a tensor that is too wide: %v", err)
		}
	}
	refused(binding.Run())
	for range 2 {
		ort.CallHostFunc(binding.HostFunc())
	}
	refused(binding.Err())
	if err := binding.Err(); err != nil {
		t.Errorf("told twice: %v", err)
	}
	closeAll(t, binding, session)
}

func TestOpenDeviceErrors(t *testing.T) {
	start(t)
	if _, err := ort.OpenDevice("/nowhere.onnx", "image", "features", ort.DeviceOptions{Provider: ort.Host}); !errors.Is(err, imgvec.ErrModel) || !strings.Contains(err.Error(), "nowhere.onnx") {
		t.Errorf("no model: %v", err)
	}
	path, _ := tiny.Write(t, tiny.Options{})
	for _, provider := range []ort.GPUProvider{ort.CUDA, ort.TensorRT} {
		_, err := ort.OpenDevice(path, "image", "features", ort.DeviceOptions{Provider: provider, Stream: 1})
		var native *imgvec.NativeError
		if !errors.As(err, &native) || native.Msg == "" {
			t.Errorf("%s: %v", provider, err)
		}
	}
	session, err := ort.OpenDevice(path, "image", "others", ort.DeviceOptions{Provider: ort.Host})
	if err != nil {
		t.Fatal(err)
	}
	_, in := memory(t, batch, 3, side, side)
	_, out := memory(t, batch, dim)
	binding, err := session.Bind(in, out, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := binding.Run(); err == nil || !strings.Contains(err.Error(), "others") {
		t.Errorf("no such output: %v", err)
	}
	closeAll(t, binding, session)
}
