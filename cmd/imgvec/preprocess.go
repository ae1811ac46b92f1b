package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/internal/crops"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

type preprocessFlags struct {
	engineFlags
	inputFlags
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
	f.addColumns(flags)
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
	if err := f.inputFlags.check(); err != nil {
		return err
	}
	return dataset.CheckOutput(f.output, f.force)
}

func (a *app) preprocess(ctx context.Context, inputs []string, f *preprocessFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	source, err := a.openInputs(ctx, inputs, f.sourceOptions(f.maxBytes))
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
	a.stop.report(func() string { return "; " + fate(out, f.output) })
	limits := crops.Options{Size: m.Spec.ImageLen(), MaxBytes: int64(f.maxBytes)}
	err = crops.Each(ctx, p, source.Items(ctx), limits, func(pixels []uint8) error { rows++; return out.Write(pixels) })
	if err := errors.Join(err, source.Err()); err != nil {
		return err
	}
	if err := out.Finish(); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: uint8 [%d, %d, %d, 3], %s of model %s; %s\n", f.output, rows, size.Height, size.Width, images(int64(rows), ""), m.Name, p.Decoder())
	return nil
}
