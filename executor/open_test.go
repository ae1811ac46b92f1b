package executor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

const resnet = "models/resnet50-pruned-int8w.onnx"

// real opens an executor on a real model.
func real(t *testing.T, opts executor.Options) *executor.Executor {
	t.Helper()
	testdata.Home(t)
	if opts.Model == "" {
		opts.Model = randomModel(t).Dir
	}
	e, err := executor.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// photos are the paths of the test photos, in the order of the reference features.
func photos(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(testdata.Path(t, "refs/photos.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, name := range strings.Fields(string(text)) {
		paths = append(paths, testdata.Path(t, "photos/"+name[strings.LastIndex(name, "/")+1:]))
	}
	return paths
}

func read(t *testing.T, paths []string) [][]byte {
	t.Helper()
	all := make([][]byte, len(paths))
	for i, path := range paths {
		var err error
		if all[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// The references were computed by PyTorch and ONNX Runtime from Pillow's pixels, without EXIF orientation.
func TestFeaturesOfPhotos(t *testing.T) {
	testdata.Home(t)
	paths := photos(t)
	want := testdata.NPY(t, "refs/resnet50-pruned__photos_features_2048.npy")
	e := real(t, executor.Options{Model: testdata.Path(t, resnet), Precision: imgvec.FP32, Preprocess: preprocess.Options{Exif: preprocess.ExifIgnore}})
	results, err := e.Extract(read(t, paths))
	if err != nil {
		t.Fatal(err)
	}
	least := 1.0
	for i, r := range results {
		if r.Err != nil || len(r.Features) != 2048 || r.Index != i || r.Width == 0 || r.Height == 0 {
			t.Fatalf("%s: %d features, size %dx%d, %v", paths[i], len(r.Features), r.Width, r.Height, r.Err)
		}
		least = min(least, testdata.Cosine(r.Features, want.Row(i)))
	}
	if least < 0.99999 {
		t.Errorf("least cosine to the reference: %.7f", least)
	}
	s := e.Stats()
	if s.Images != 100 || s.Failed != 0 || s.Device == "" || s.Provider == "" || s.Precision == "" || s.Decoder == "" ||
		len(s.SHA256) != 64 || len(s.Versions) == 0 {
		t.Errorf("stats: %+v", s)
	}
	for _, name := range []string{"decode", "resize", "normalize", "session"} {
		if stage := s.Stages[name]; stage.Busy <= 0 || stage.Images != 100 {
			t.Errorf("stage %s: %+v", name, stage)
		}
	}
}

func TestStreamOfFilesEqualsExtract(t *testing.T) {
	e := real(t, executor.Options{Precision: imgvec.FP32})
	paths := photos(t)[:12]
	batch, err := e.Extract(read(t, paths))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r, err := range e.Stream(t.Context(), files(paths)) {
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if c := testdata.Cosine(r.Features, batch[n].Features); r.ID != paths[n] || c < 0.999999 {
			t.Errorf("result %d: id %q, cosine %.7f to that of Extract", n, r.ID, c)
		}
		n++
	}
	if n != len(paths) {
		t.Errorf("%d results", n)
	}
}

func TestTwoRealExecutorsAtOnce(t *testing.T) {
	all := read(t, photos(t)[:6])
	a, b := real(t, executor.Options{}), real(t, executor.Options{Normalize: true, Batch: 3, Workers: 1})
	var wg sync.WaitGroup
	for _, e := range []*executor.Executor{a, b} {
		wg.Go(func() {
			for range 3 {
				if _, err := e.Extract(all); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnExplicitGPUNeverFallsBack(t *testing.T) {
	withoutGPU(t)
	path := testdata.Path(t, resnet)
	for _, device := range []string{"cuda", "cuda:0,2"} {
		_, err := executor.Open(t.Context(), executor.Options{Model: path, Device: device})
		if !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), device) || !strings.Contains(err.Error(), `use device "cpu"`) {
			t.Errorf("%s: %v", device, err)
		}
	}
}

// withoutGPU skips where a GPU takes the job.
func withoutGPU(t *testing.T) {
	t.Helper()
	if gpu.Look("").Usable {
		t.Skip("this machine has a GPU")
	}
}

func TestAutoSaysThatItFellBack(t *testing.T) {
	withoutGPU(t)
	var log bytes.Buffer
	e := real(t, executor.Options{Device: "auto", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	reasons := strings.Join(e.Stats().Reasons, "\n")
	if strings.Count(reasons, "chose the CPU") != 1 || strings.Count(log.String(), "chose the CPU") != 1 {
		t.Errorf("reasons %q, log %q", reasons, log.String())
	}
	if e := real(t, executor.Options{Device: "cpu"}); strings.Contains(strings.Join(e.Stats().Reasons, "\n"), "chose the CPU") {
		t.Errorf("a choice is explained that was the caller's: %q", e.Stats().Reasons)
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for _, opts := range []executor.Options{
		{Device: "tpu"}, {Device: "cpu:0"}, {Batch: -1}, {Workers: -1}, {Streams: 1 << 20}, {Precision: "fp8"},
		{DeviceTimeout: -time.Second}, {MaxQueueDelay: -1},
	} {
		if e, err := executor.Open(t.Context(), opts); err == nil {
			t.Errorf("%+v was accepted", opts)
			_ = e.Close()
		}
	}
	if _, err := executor.Open(t.Context(), executor.Options{Model: "no-such-model"}); !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("unknown model: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := executor.Open(ctx, executor.Options{Model: testdata.Path(t, resnet)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The rule of auto goes by what was recorded, whatever this machine would choose.
func TestAutoPrecisionGoesByTheRecordedCosine(t *testing.T) {
	testdata.Home(t)
	record := func(cosine float64) *model.Model {
		m := randomModel(t)
		if cosine > 0 {
			if err := m.Record(model.Cosine{Provider: cpu.OpenVINO, Version: "1", Precision: imgvec.BF16, Min: cosine, Mean: 1, Pictures: 32}); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	open := func(m *model.Model) executor.Stats {
		e, err := executor.OpenModel(t.Context(), m, executor.Options{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}()
		return e.Stats()
	}
	unknown, good, bad := open(record(0)), open(record(0.9995)), open(record(0.99))
	if bad.Precision != string(imgvec.FP32) {
		t.Errorf("a recorded cosine of 0.99 and still %s", bad.Precision)
	}
	if unknown.Precision != good.Precision {
		t.Errorf("%s where nothing is recorded, %s where it is good", unknown.Precision, good.Precision)
	}
	if good.Precision == string(imgvec.BF16) {
		if !strings.Contains(strings.Join(bad.Reasons, "\n"), "0.99000") || !strings.Contains(strings.Join(unknown.Reasons, "\n"), "model verify") {
			t.Errorf("reasons: %q, %q", bad.Reasons, unknown.Reasons)
		}
	}
}

// files are items that the workers open.
func files(paths []string) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for _, path := range paths {
			open := func() (io.ReadCloser, error) { return os.Open(path) }
			if !yield(imgvec.Item{ID: path, Open: open}) {
				return
			}
		}
	}
}

// randomModel is a small model in a folder of its own.
func randomModel(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.Random("efficientnet-lite0", 1, model.RandomOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
