package gpu

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestProbeNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	pattern := filepath.Join(dir, "nvidia[0-9]*")
	err := probe(pattern)
	if !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), "GPU support yet (and no NVIDIA driver") {
		t.Errorf("without a driver: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nvidia0"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = probe(pattern)
	if !errors.Is(err, imgvec.ErrNoDevice) || strings.Contains(err.Error(), "GPU support yet (and no NVIDIA driver") {
		t.Errorf("with a driver: %v", err)
	}
}

func TestOpenAndDevicesFailWithTheReason(t *testing.T) {
	_, err := Open(context.Background(), "m.onnx", imgvec.Spec{}, Options{Device: "cuda:0"})
	if !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), "cuda:0") || !strings.Contains(err.Error(), "GPU support") {
		t.Errorf("open: %v", err)
	}
	if _, err := Devices([]string{"0"}); !errors.Is(err, imgvec.ErrNoDevice) {
		t.Errorf("devices: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, "m.onnx", imgvec.Spec{}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
