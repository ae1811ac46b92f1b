package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

// fakeGPU is a fake backend that looks like a GPU's.
type fakeGPU struct {
	*fake.Backend
	info gpu.Info
	busy gpu.Busy
}

func (f *fakeGPU) Info() gpu.Info { return f.info }
func (f *fakeGPU) Busy() gpu.Busy { return f.busy }

// machine is one with some GPUs, and what was asked of it.
type machine struct {
	names   []string
	batches map[string]int   // that a device has memory for; 0: what was asked for
	broken  map[string]error // at opening
	waits   bool             // the others open only when they are called off
	refuses []imgvec.Precision
	report  gpu.Report

	mu     sync.Mutex
	asked  []gpu.Options
	opened map[string]*fakeGPU
}

func (m *machine) gpus() gpus {
	return gpus{
		look: func(string) gpu.Report { return m.report },
		devices: func([]string) ([]string, error) {
			if len(m.names) == 0 {
				return nil, imgvec.ErrNoDevice
			}
			return m.names, nil
		},
		open: m.open,
	}
}

func (m *machine) open(ctx context.Context, _ string, _ imgvec.Spec, o gpu.Options) (gpuBackend, error) {
	if err := m.broken[o.Device]; err != nil {
		return nil, err
	}
	if m.waits {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, o)
	if slices.Contains(m.refuses, o.Precision) {
		return nil, fmt.Errorf("open %s: %w", o.Precision, imgvec.ErrPrecision)
	}
	batch := 64
	if o.Batch > 0 {
		batch = o.Batch
	}
	if n := m.batches[o.Device]; n > 0 {
		batch = n
		o.Log(o.Device + ": out of memory")
	}
	o.Log("an engine is built")
	b := &fakeGPU{Backend: fake.New(fake.Options{Streams: 2, Spec: fake.Spec(8, 4, 0)}), busy: gpu.Busy{H2D: 1, Normalize: 2, Session: 3, D2H: 4}}
	b.info = gpu.Info{
		Device: o.Device + " (Fake)", Provider: "TensorRT 10", Precision: o.Precision, Streams: 2, Batch: batch,
		Versions: map[string]string{"cuda_driver": "13"}, Reason: "because",
	}
	if m.opened == nil {
		m.opened = map[string]*fakeGPU{}
	}
	m.opened[o.Device] = b
	return b, nil
}

func usable(names ...string) *machine {
	return &machine{names: names, report: gpu.Report{Usable: true, Provider: gpu.TensorRT}}
}

// choose opens what the options say on the machine.
func (m *machine) choose(t *testing.T, device string, opts Options, record ...model.Cosine) (*Executor, error) {
	t.Helper()
	d, err := imgvec.ParseDevices(device)
	if err != nil {
		t.Fatal(err)
	}
	of := &model.Model{Name: "m", Spec: fake.Spec(8, 4, 0), Manifest: model.Manifest{Cosines: record}}
	o := opening{m: of, opts: opts, gpus: m.gpus(), config: opts.config(of.Spec)}
	o.decoder = func() decoder { return &fakeDecoder{} }
	if err := o.open(t.Context(), d); err != nil {
		return nil, err
	}
	e, err := assemble(o.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, nil
}

func reasons(e *Executor) string { return strings.Join(e.Stats().Reasons, "\n") }

func isClosed(b *fakeGPU) bool { return errors.Is(b.Register(nil), imgvec.ErrClosed) }

func TestAutoTakesEveryGPU(t *testing.T) {
	m := usable("cuda:0", "cuda:1")
	opts := Options{CacheDir: "cache", Session: map[string]string{"k": "v"}, Provider: "", Streams: 2, Normalize: true}
	e, err := m.choose(t, "auto", opts)
	if err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if s.Streams != 4 || s.Workers < 5 || s.Batch != 64 || s.Device != "cuda:0, cuda:1 (Fake)" || s.Provider != "TensorRT 10" ||
		s.Precision != "fp16" || s.Versions["cuda_driver"] != "13" || !slices.Equal(s.Devices, []string{"cuda:0", "cuda:1"}) {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{"cuda:0, cuda:1: because", "imgvec model verify"} {
		if strings.Count(reasons(e), want) != 1 {
			t.Errorf("%q not once in %q", want, reasons(e))
		}
	}
	if strings.Count(reasons(e), "an engine is built") != 1 {
		t.Errorf("what both devices say is not said once: %q", reasons(e))
	}
	for _, o := range m.asked {
		if !o.Normalize || o.CacheDir != "cache" || o.Session["k"] != "v" || o.Streams != 2 || o.Precision != imgvec.FP16 {
			t.Errorf("asked for %+v", o)
		}
	}
	if e.normalize {
		t.Error("the host normalises what the devices have normalised")
	}
	for _, in := range e.devices.all {
		if in.timeout != 2*time.Minute {
			t.Errorf("%s: device time-out %v", in.name, in.timeout)
		}
	}
}

func TestABrokenGPU(t *testing.T) {
	broken := errors.New("no memory\nsecond line")
	m := usable("cuda:0", "cuda:1", "cuda:2")
	m.broken = map[string]error{"cuda:1": broken}
	for _, device := range []string{"cuda", "cuda:0,1,2"} {
		if _, err := m.choose(t, device, Options{}); !errors.Is(err, broken) {
			t.Errorf("%s: %v", device, err)
		}
		for name, b := range m.opened {
			if !isClosed(b) {
				t.Errorf("%s was left open", name)
			}
		}
	}
	m.waits = true
	if _, err := m.choose(t, "cuda", Options{}); !errors.Is(err, broken) || errors.Is(err, context.Canceled) {
		t.Errorf("what is not needed any more was not called off, or is the error: %v", err)
	}
	m.waits = false
	var log bytes.Buffer
	e, err := m.choose(t, "auto", Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); !slices.Equal(s.Devices, []string{"cuda:0", "cuda:2"}) || strings.Count(reasons(e), "cuda:1 is not used: no memory\n") != 1 || strings.Count(log.String(), "cuda:1 is not used") != 1 {
		t.Errorf("devices %v, reasons %q", s.Devices, reasons(e))
	}
	if strings.Contains(reasons(e), "second line") {
		t.Errorf("reasons: %q", reasons(e))
	}
	if n, err := all(t, e, 300); n != 300 || err != nil {
		t.Errorf("%d results, %v", n, err)
	}
}

// A machine without a usable GPU and one whose GPUs all fail: the CPU, with one line that says why.
func TestAutoFallsBack(t *testing.T) {
	testdata.Home(t)
	real, err := model.Random("efficientnet-lite0", 1, model.RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	none := &machine{report: gpu.Report{Error: "no driver (tried a, b, c); get one\nmore\n"}}
	hidden := &machine{report: gpu.Report{Error: "imgvec: no GPU is visible", Present: true}}
	bad := usable("cuda:0", "cuda:1")
	bad.broken = map[string]error{"cuda:0": errors.New("too old"), "cuda:1": errors.New("too new")}
	for want, m := range map[string]*machine{
		"device auto chose the CPU: no driver; get one": none, "device auto chose the CPU, since no GPU runs the model: too old": bad,
		"device auto chose the CPU: imgvec: no GPU is visible": hidden,
	} {
		var log bytes.Buffer
		opts := Options{Normalize: true, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
		o := opening{m: real, opts: opts, gpus: m.gpus(), config: opts.config(real.Spec)}
		if err := o.open(t.Context(), imgvec.Devices{Kind: imgvec.DeviceAuto}); err != nil {
			t.Fatal(err)
		}
		if len(o.instances) != 1 || o.instances[0].name != "cpu" || o.instances[0].timeout != 0 || !o.normalize ||
			!slices.Contains(append(o.told, o.notes...), want) {
			t.Errorf("%d instances, notes %q, %q", len(o.instances), o.told, o.notes)
		}
		// That there is no GPU is no news; that one can't be used is told, once.
		if said := strings.Count(log.String(), want); m == none && said != 0 || m != none && said != 1 {
			t.Errorf("%q was told %d times: %s", want, said, log.String())
		}
		for _, in := range o.instances {
			if err := in.backend.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := m.choose(t, "auto", Options{Provider: gpu.CUDA}); err == nil || !strings.Contains(err.Error(), "needs a GPU") {
			t.Errorf("a provider was named, and the CPU taken: %v", err)
		}
	}
}

func TestPrecisionOnGPUs(t *testing.T) {
	of := func(provider string, least float64) model.Cosine {
		return model.Cosine{Provider: provider, Precision: imgvec.FP16, Min: least, Version: "1", Pictures: 1}
	}
	for name, c := range map[string]struct {
		opts    Options
		record  []model.Cosine
		refuses []imgvec.Precision
		want    imgvec.Precision
		reason  string // "": nothing about it
	}{
		"nothing recorded": {want: imgvec.FP16, reason: "imgvec model verify"},
		"good":             {record: []model.Cosine{of("tensorrt", 0.9995), of("cuda", 0.5)}, want: imgvec.FP16},
		"bad":              {record: []model.Cosine{of("tensorrt", 0.99), of("cuda", 1)}, want: imgvec.FP32, reason: "0.99000"},
		"bad elsewhere":    {opts: Options{Provider: "cuda"}, record: []model.Cosine{of("tensorrt", 0.99), of("cuda", 1)}, want: imgvec.FP16},
		"bad there":        {opts: Options{Provider: "cuda"}, record: []model.Cosine{of("tensorrt", 1), of("cuda", 0.9)}, want: imgvec.FP32, reason: "on cuda"},
		"quantised":        {refuses: []imgvec.Precision{imgvec.FP16, imgvec.FP32}, want: imgvec.INT8, reason: "int8: the model is quantised"},
		"not convertible":  {refuses: []imgvec.Precision{imgvec.FP16, imgvec.INT8}, want: imgvec.FP32, reason: "fp32: open fp16"},
		"asked for":        {opts: Options{Precision: imgvec.FP32}, record: []model.Cosine{of("tensorrt", 1)}, want: imgvec.FP32},
		"float16 as given": {record: []model.Cosine{of("tensorrt", 0.9)}, refuses: []imgvec.Precision{imgvec.FP32, imgvec.INT8}, want: imgvec.FP16, reason: "fp16: open fp32"},
	} {
		m := usable("cuda:0", "cuda:1")
		m.refuses = c.refuses
		e, err := m.choose(t, "cuda", c.opts, c.record...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := e.Stats().Precision; got != string(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if about := strings.Count(reasons(e), "fp16") + strings.Count(reasons(e), "int8"); c.reason == "" && about > 0 || !strings.Contains(reasons(e), c.reason) {
			t.Errorf("%s: reasons %q, want %q", name, reasons(e), c.reason)
		}
	}
	m := usable("cuda:0")
	m.refuses = []imgvec.Precision{imgvec.INT8}
	if _, err := m.choose(t, "cuda", Options{Precision: imgvec.INT8}); !errors.Is(err, imgvec.ErrPrecision) {
		t.Errorf("a precision that was asked for: %v", err)
	}
}

func TestDevicesOfDifferentMemory(t *testing.T) {
	m := usable("cuda:0", "cuda:1")
	m.batches = map[string]int{"cuda:1": 16}
	e, err := m.choose(t, "cuda", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e.batch != 64 || e.devices.all[0].limit.Load() != 64 || e.devices.all[1].limit.Load() != 16 || !strings.Contains(reasons(e), "cuda:1: out of memory") {
		t.Errorf("batch %d, limits %d and %d, reasons %q", e.batch, e.devices.all[0].limit.Load(), e.devices.all[1].limit.Load(), reasons(e))
	}
	if n, err := all(t, e, 1000); n != 1000 || err != nil {
		t.Errorf("%d results, %v", n, err)
	}
	if s := e.Stats(); s.Stages["session"] != (Stage{6, 1000}) || s.Stages["h2d"] != (Stage{2, 1000}) || s.Stages["d2h"] != (Stage{8, 1000}) {
		t.Errorf("stages %+v", s.Stages)
	}
	// Where every batch is to have one size, the least is that of all.
	if e, err = m.choose(t, "cuda", Options{Deterministic: true}); err != nil {
		t.Fatal(err)
	}
	if e.batch != 16 || e.devices.all[0].limit.Load() != 16 {
		t.Errorf("deterministic: batch %d, limit %d", e.batch, e.devices.all[0].limit.Load())
	}
	m.batches = nil
	if e, err = m.choose(t, "cuda", Options{Batch: 8, Workers: 3, DeviceTimeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	if e.batch != 8 || e.nworkers != 3 || e.devices.all[0].timeout != time.Second {
		t.Errorf("batch %d, %d workers, time-out %v", e.batch, e.nworkers, e.devices.all[0].timeout)
	}
}
