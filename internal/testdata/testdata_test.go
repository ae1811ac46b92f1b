package testdata

import (
	"os"
	"path/filepath"
	"testing"
)

// recorder stands for a test, and notes how Require ends it.
type recorder struct {
	testing.TB
	how string
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.how = "failed"; panic(r) }
func (r *recorder) Skipf(string, ...any)  { r.how = "skipped"; panic(r) }

func TestRequire(t *testing.T) {
	for required, want := range map[string]string{"": "skipped", "openvino": "skipped", "ort": "failed", "openvino,ort": "failed", "ort openvino": "failed", "ortx": "skipped"} {
		t.Setenv("IMGVEC_REQUIRE", required)
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			Require(r, "ort", "not here")
		}()
		if r.how != want {
			t.Errorf("IMGVEC_REQUIRE=%q: %s, want %s", required, r.how, want)
		}
	}
}

func TestNPY(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("IMGVEC_TESTDATA", dir)
	if err := os.Mkdir(filepath.Join(dir, "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }         \n"
	file := "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40"
	if err := os.WriteFile(filepath.Join(dir, "refs", "a.npy"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	a := NPY(t, "refs/a.npy")
	if len(a.Shape) != 2 || a.Shape[0] != 2 || a.Row(1)[0] != 3 || a.Row(1)[1] != 4 {
		t.Errorf("%+v", a)
	}
	for _, broken := range []string{"", "PK", file[:len(file)-1], "\x93NUMPY\x01\x00\x02\x00{}"} {
		if a, err := parseNPY([]byte(broken)); err == nil {
			t.Errorf("%q gave %+v", broken, a)
		}
	}
}

func TestCosine(t *testing.T) {
	if c := Cosine([]float32{1, 2}, []float32{2, 4}); c < 0.9999999 || c > 1.0000001 {
		t.Error(c)
	}
	if c := Cosine([]float32{1, 0}, []float32{0, 1}); c != 0 {
		t.Error(c)
	}
}
