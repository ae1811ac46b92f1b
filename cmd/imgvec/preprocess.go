package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

type preprocessFlags struct {
	engineFlags
	output string
	force  bool
}

func (a *app) preprocessCommand() *cobra.Command {
	f := &preprocessFlags{}
	cmd := &cobra.Command{
		Use:   "preprocess IMAGE... -o OUT.npy",
		Short: "Write the pixels that a model would see",
		Long: `Write the pixels that a model would see, after decoding, orientation, resizing and cropping: a NumPy array of uint8,
[images, height, width, 3], RGB, not normalised. For checking; an image that fails ends the command.`,
		Example: "  imgvec preprocess photo.jpg -o crop.npy --model resnet50",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.preprocess(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.output, "output", "o", "", "`file` to write (.npy)")
	flags.BoolVar(&f.force, "force", false, "replace an existing output")
	f.addModel(flags)
	f.addImages(flags)
	return cmd
}

func (f *preprocessFlags) check() error {
	if f.output == "" {
		return usagef("-o OUT.npy is missing")
	}
	if !strings.HasSuffix(strings.ToLower(f.output), ".npy") {
		return usagef("output %q: pixels are written as .npy only", f.output)
	}
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	return dataset.CheckOutput(f.output, f.force)
}

func (a *app) preprocess(ctx context.Context, inputs []string, f *preprocessFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	source, err := a.openInputs(ctx, inputs)
	if err != nil {
		return err
	}
	m, err := model.Open(f.model, model.OpenOptions{Output: f.modelOutput})
	if err != nil {
		return err
	}
	p, err := preprocess.New(m.Spec.Preset, f.preprocessing())
	if err != nil {
		return err
	}
	size := m.Spec.Preset.InputSize
	out, err := dataset.CreatePixels(f.output, size, f.force)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	rows := 0
	a.stop.report(func() string { return fmt.Sprintf("; %s was not written", f.output) })
	err = eachCrop(ctx, p, source, crops{m.Spec.ImageLen(), int64(f.maxBytes)}, func(pixels []uint8) error { rows++; return out.Write(pixels) })
	if err != nil {
		return err
	}
	if err := out.Finish(); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: uint8 [%d, %d, %d, 3], %s of model %s; %s\n", f.output, rows, size.Height, size.Width, images(int64(rows), ""), m.Name, p.Decoder())
	return nil
}

// crop is one image on its way to its pixels.
type crop struct {
	item   imgvec.Item
	pixels []uint8
	err    error
	done   sync.WaitGroup
}

// crops bounds what becomes of an image: the bytes of its pixels, and those that may be read of its file.
type crops struct {
	size     int
	maxBytes int64
}

// eachCrop preprocesses images on all cores and hands out their pixels in order.
func eachCrop(ctx context.Context, p *preprocess.Preprocessor, source *dataset.Source, limits crops, use func([]uint8) error) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	todo, order := make(chan *crop), make(chan *crop, 2*workers)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() {
		defer close(order)
		defer close(todo)
		for item := range source.Items(ctx) {
			c := &crop{item: item, pixels: make([]uint8, limits.size)}
			c.done.Add(1)
			select {
			case order <- c:
				todo <- c
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		wait.Go(func() {
			w := p.NewWorker()
			defer w.Close()
			for c := range todo {
				c.err = c.run(ctx, w, limits.maxBytes)
				c.done.Done()
			}
		})
	}
	for c := range order {
		c.done.Wait()
		if c.err != nil {
			return fmt.Errorf("image %q: %w", c.item.ID, c.err)
		}
		if err := use(c.pixels); err != nil {
			return err
		}
	}
	return errors.Join(source.Err(), ctx.Err())
}

func (c *crop) run(ctx context.Context, w *preprocess.Worker, maxBytes int64) error {
	r, err := c.item.Open()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	_, err = w.Into(ctx, c.pixels, data)
	return err
}
