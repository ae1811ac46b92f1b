package executor

import (
	"context"
	"errors"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// twoGPUs is a machine with cuda:0 and cuda:1; the second one breaks at its opening where broken is set.
func twoGPUs(broken error, opened *[]*fake.Backend) gpus {
	return gpus{
		probe:   func() error { return nil },
		devices: func([]string) ([]string, error) { return []string{"cuda:0", "cuda:1"}, nil },
		open: func(_ context.Context, _ string, _ imgvec.Spec, o gpu.Options) (imgvec.Backend, error) {
			if broken != nil && o.Device == "cuda:1" {
				return nil, broken
			}
			b := fake.New(fake.Options{Streams: 2})
			*opened = append(*opened, b)
			return b, nil
		},
	}
}

func isClosed(b *fake.Backend) bool { return errors.Is(b.Register(nil), imgvec.ErrClosed) }

func TestAutoTakesEveryGPU(t *testing.T) {
	var opened []*fake.Backend
	o := opening{m: &model.Model{}, gpus: twoGPUs(nil, &opened)}
	if err := o.open(t.Context(), imgvec.Devices{Kind: imgvec.DeviceAuto}); err != nil {
		t.Fatal(err)
	}
	if len(o.instances) != 2 || o.instances[1].name != "cuda:1" || o.workers < 5 || o.about.Device != "cuda:0, cuda:1" {
		t.Errorf("%d instances, %d workers on %q", len(o.instances), o.workers, o.about.Device)
	}
}

func TestABrokenGPU(t *testing.T) {
	broken := errors.New("driver too old")
	var opened []*fake.Backend
	o := opening{m: &model.Model{}, gpus: twoGPUs(broken, &opened)}
	if err := o.open(t.Context(), imgvec.Devices{Kind: imgvec.DeviceCUDA}); !errors.Is(err, broken) {
		t.Errorf("cuda: %v", err)
	}
	if len(opened) != 1 || !isClosed(opened[0]) || len(o.instances) != 0 {
		t.Error("the GPU that did open was left open")
	}
	testdata.Home(t)
	m, err := model.Random("efficientnet-lite0", 1, model.RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	o = opening{m: m, gpus: twoGPUs(broken, &opened), config: config{spec: m.Spec}}
	if err := o.open(t.Context(), imgvec.Devices{Kind: imgvec.DeviceAuto}); err != nil {
		t.Fatalf("auto: %v", err)
	}
	defer o.closeAll() //nolint:errcheck // not what is tested
	if len(o.instances) != 1 || o.instances[0].name != "cpu" || !isClosed(opened[1]) {
		t.Error("auto did not fall back to the CPU alone")
	}
}
