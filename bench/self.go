package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// peer is one of imgvec's own contenders. run does all files once.
type peer struct {
	run      func(context.Context) error
	close    func() error
	versions map[string]string
}

// serve is the other side of contender: it warms up, says so, and does a round for each "go".
func serve(ctx context.Context, name, list, modelName string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	files := strings.Fields(string(text))
	m, err := model.Open(modelName, model.OpenOptions{})
	if err != nil {
		return err
	}
	p, err := open(ctx, name, files, m)
	if err != nil {
		return err
	}
	return errors.Join(rounds(ctx, p, len(files)), p.close())
}

func rounds(ctx context.Context, p *peer, images int) error {
	if err := p.run(ctx); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "versions": p.versions}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() == "go"; {
		start := time.Now()
		if err := p.run(ctx); err != nil {
			return err
		}
		if err := out.Encode(map[string]any{"images": images, "seconds": time.Since(start).Seconds()}); err != nil {
			return err
		}
	}
	return nil
}

func open(ctx context.Context, name string, files []string, m *model.Model) (*peer, error) {
	switch name {
	case library:
		return openLibrary(ctx, files, m)
	case decodeOnly:
		return openDecode(files, m, runtime.GOMAXPROCS(0))
	case onePrep:
		return openDecode(files, m, 1)
	case inferOnly:
		return openInfer(ctx, files, m)
	}
	return nil, fmt.Errorf("no peer %q", name)
}

// openLibrary is what a program does that uses imgvec.
func openLibrary(ctx context.Context, files []string, m *model.Model) (*peer, error) {
	ex, err := executor.OpenModel(ctx, m, executor.Options{})
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context) error {
		for r, err := range ex.Stream(ctx, items(files)) {
			if err != nil {
				return err
			}
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	}
	s := ex.Stats()
	versions := map[string]string{"device": s.Device, "provider": s.Provider, "precision": s.Precision, "decoder": s.Decoder}
	return &peer{run: run, close: ex.Close, versions: versions}, nil
}

func items(files []string) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		for _, path := range files {
			open := func() (io.ReadCloser, error) { return os.Open(path) }
			if !yield(imgvec.Item{ID: path, Open: open}) {
				return
			}
		}
	}
}

// chosenPrecision is what the executor computes the model in by itself: the bound must be that of the same arithmetic.
func chosenPrecision(ctx context.Context, m *model.Model) (imgvec.Precision, error) {
	ex, err := executor.OpenModel(ctx, m, executor.Options{})
	if err != nil {
		return "", err
	}
	return imgvec.Precision(ex.Stats().Precision), ex.Close()
}

// openDecode is steps 1 to 3: read, decode, resize and crop, one worker on each of so many goroutines.
func openDecode(files []string, m *model.Model, workers int) (*peer, error) {
	pre, err := preprocess.New(m.Spec.Preset, preprocess.Options{})
	if err != nil {
		return nil, err
	}
	work := make([]*preprocess.Worker, workers)
	for i := range work {
		work[i] = pre.NewWorker()
	}
	run := func(ctx context.Context) error {
		return share(len(files), workers, func(worker, i int, dst []uint8) error {
			data, err := os.ReadFile(files[i])
			if err != nil {
				return err
			}
			_, err = work[worker].Into(ctx, dst, data)
			return err
		}, m.Spec.ImageLen())
	}
	closeAll := func() error {
		for _, w := range work {
			w.Close()
		}
		return nil
	}
	return &peer{run: run, close: closeAll, versions: map[string]string{"decoder": pre.Decoder()}}, nil
}

// share runs do for 0..n-1 on so many goroutines, each with scratch of its own.
func share(n, workers int, do func(worker, i int, scratch []uint8) error, scratch int) error {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		group.Go(func() {
			buf := make([]uint8, scratch)
			for i := next.Add(1) - 1; i < int64(n) && errs[w] == nil; i = next.Add(1) - 1 {
				errs[w] = do(w, int(i), buf)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// inferBatch is the batch that the executor uses on a CPU.
const inferBatch = 8

// openInfer is steps 5 and 6: the model alone, on real pixels that were decoded before.
func openInfer(ctx context.Context, files []string, m *model.Model) (*peer, error) {
	precision, err := chosenPrecision(ctx, m)
	if err != nil {
		return nil, err
	}
	backend, err := cpu.Open(ctx, m.Path, m.Spec, cpu.Options{Precision: precision})
	if err != nil {
		return nil, err
	}
	batches, err := fill(ctx, files, m)
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context) error {
		// Each goroutine computes into features of its own: batches repeat, and two may run at once.
		return share((len(files)+inferBatch-1)/inferBatch, backend.Streams(), func(_, i int, _ []uint8) error {
			b := batches[i%len(batches)]
			own, err := imgvec.NewBatch(m.Spec, b.Pixels, make([]float32, inferBatch*m.Spec.Dim))
			if err != nil {
				return err
			}
			own.SetLen(min(inferBatch, len(files)-i*inferBatch))
			return backend.Run(ctx, own)
		}, 0)
	}
	info := backend.Info()
	versions := map[string]string{"device": info.Device, "provider": info.Provider, "precision": string(info.Precision)}
	return &peer{run: run, close: backend.Close, versions: versions}, nil
}

// fill decodes the first photos into batches; the pixels of a few dozen different ones do for measuring a model.
func fill(ctx context.Context, files []string, m *model.Model) ([]*imgvec.Batch, error) {
	pre, err := preprocess.New(m.Spec.Preset, preprocess.Options{})
	if err != nil {
		return nil, err
	}
	worker := pre.NewWorker()
	defer worker.Close()
	batches := make([]*imgvec.Batch, min(12, (len(files)+inferBatch-1)/inferBatch))
	for i := range batches {
		pixels := make([]uint8, inferBatch*m.Spec.ImageLen())
		if batches[i], err = imgvec.NewBatch(m.Spec, pixels, make([]float32, inferBatch*m.Spec.Dim)); err != nil {
			return nil, err
		}
		for j := range inferBatch {
			data, err := os.ReadFile(files[(i*inferBatch+j)%len(files)])
			if err != nil {
				return nil, err
			}
			if _, err := worker.Into(ctx, batches[i].Image(j), data); err != nil {
				return nil, err
			}
		}
	}
	return batches, nil
}
