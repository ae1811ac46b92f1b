package fetch

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fakeBundle(t *testing.T) ([]Pin, []byte) {
	t.Helper()
	source := t.TempDir()
	pins := []Pin{fakePin(t, source, "alpha", []byte("wheel a")), fakePin(t, source, "beta", []byte("wheel b"))}
	var buf bytes.Buffer
	if err := bundle(t.Context(), &buf, source, pins, nil); err != nil {
		t.Fatal(err)
	}
	return pins, buf.Bytes()
}

func TestBundleRoundTrip(t *testing.T) {
	pins, data := fakeBundle(t)
	_, again := fakeBundle(t)
	if !bytes.Equal(data, again) {
		t.Error("the same wheels gave two different bundles")
	}
	dir := filepath.Join(t.TempDir(), "downloads")
	if err := unbundle(t.Context(), bytes.NewReader(data), dir, pins); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // no pip: the wheels must do
	for _, pin := range pins {
		if _, err := Wheel(t.Context(), pin, dir, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestUnbundleRefuses(t *testing.T) {
	pins, data := fakeBundle(t)
	flipped := bytes.Replace(data, []byte("wheel b"), []byte("wheel B"), 1)
	for name, c := range map[string]struct {
		data []byte
		pins []Pin
		want string
	}{
		"changed bytes":   {flipped, pins, "not the pinned file"},
		"truncated":       {data[:len(data)/3], pins, "bundle"},
		"no bundle":       {bytes.Repeat([]byte("not a tar at all "), 100), pins, "not a whole bundle"},
		"empty":           {nil, pins, "lacks alpha 1.0, beta 1.0"},
		"another version": {data, pins[:1], "does not use"},
		"a path outside":  {outside(t), pins, "does not use"},
	} {
		dir := t.TempDir()
		err := unbundle(t.Context(), bytes.NewReader(c.data), dir, c.pins)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.want)
		}
		if left := leftovers(t, filepath.Dir(dir)); len(left) > 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
		for _, pin := range c.pins {
			path := filepath.Join(dir, pin.File)
			if _, err := os.Stat(path); err == nil && checkFile(path, pin.Size, pin.SHA256) != nil {
				t.Errorf("%s: a wrong file got the name %s", name, pin.File)
			}
		}
	}
}

func outside(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: "../alpha-1.0.whl", Size: 1, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestSetupFromABundle(t *testing.T) {
	source, home := t.TempDir(), t.TempDir()
	all, err := Wheels(false)
	if err != nil {
		t.Skip(err)
	}
	bad := filepath.Join(source, "bundle.tar")
	if err := os.WriteFile(bad, []byte("no tar"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	err = Setup(t.Context(), Options{Home: home, Bundle: bad})
	if err == nil || !strings.Contains(err.Error(), "bundle") {
		t.Errorf("error = %v", err)
	}
	err = Setup(t.Context(), Options{Home: home, Bundle: filepath.Join(source, "absent.tar")})
	if err == nil || !strings.Contains(err.Error(), "absent.tar") {
		t.Errorf("error = %v", err)
	}
	if len(all) != 4 {
		t.Errorf("a bundle holds %d wheels, want the three libraries' and the default model's", len(all))
	}
	if more, err := Wheels(true); err != nil || len(more) != 4+len(gpuLinuxAMD64) {
		t.Errorf("with the GPU's %d wheels, %v", len(more), err)
	}
}

// A bundle that was made for machines with GPUs does for others: what they do not need is stepped over.
func TestUnbundleLeavesOutTheGPUs(t *testing.T) {
	pins, data := fakeBundle(t)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	text := []byte("a gigabyte")
	if err := w.WriteHeader(&tar.Header{Name: gpuLinuxAMD64[0].File, Size: int64(len(text)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unbundle(t.Context(), bytes.NewReader(append(buf.Bytes(), data...)), dir, pins); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, gpuLinuxAMD64[0].File)); !os.IsNotExist(err) {
		t.Errorf("the GPU's wheel was unpacked (%v)", err)
	}
	err := unbundle(t.Context(), bytes.NewReader(data), t.TempDir(), append(pins, gpuLinuxAMD64[0].Pin))
	if err == nil || !strings.Contains(err.Error(), "lacks onnxruntime-gpu 1.30.0") || !strings.Contains(err.Error(), "--gpu") {
		t.Errorf("without the GPU's: %v", err)
	}
}

func TestUnbundleSweepsWhatAKilledOneLeft(t *testing.T) {
	pins, data := fakeBundle(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".unpack-123"), []byte("half a wheel"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unbundle(t.Context(), bytes.NewReader(data), dir, pins); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
