package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

// maxBenchImages bounds the images that bench holds in memory; more are left out.
const maxBenchImages = 1000

type benchFlags struct {
	engineFlags
	scenarios []string
	rounds    int
	seconds   float64
	asJSON    bool
}

func (a *app) benchCommand() *cobra.Command {
	f := &benchFlags{rounds: 5}
	cmd := &cobra.Command{
		Use:   "bench [INPUT...]",
		Short: "Measure how fast each stage and the whole are on this machine",
		Long: `Measure how many images a second each stage alone and the whole do on this machine, what part that is of the bound that
the stages set, and how long one call takes. The stages take turns, and the median of the rounds counts. Without INPUT
it takes pictures that the project draws; the rate of decoding depends on the images, so give your own. The machine
should have nothing else to do.`,
		Example: "  imgvec bench photos/\n  imgvec bench --model resnet50 --scenario offline-jpeg --rounds 7 --json",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.bench(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&f.scenarios, "scenario", nil, "`list` of offline-jpeg, offline-u8, offline-device (on a GPU), single (default all)")
	flags.Var(whole{&f.rounds, 1, 1000}, "rounds", "rounds to measure")
	flags.Float64Var(&f.seconds, "seconds", 3, "how long a stage runs in a round")
	flags.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	f.add(flags)
	return cmd
}

// options checks the flags, and is all that can be said before the model and the images are read.
func (f *benchFlags) options() (measure.Options, error) {
	o := measure.Options{Executor: f.engineFlags.options(), Rounds: f.rounds, Turn: time.Duration(f.seconds * float64(time.Second))}
	for _, name := range f.scenarios {
		s := measure.Scenario(strings.TrimSpace(name))
		if !slices.Contains(measure.Scenarios(), s) {
			return o, usagef("--scenario %q is unknown (offline-jpeg, offline-u8, offline-device, single)", name)
		}
		o.Scenarios = append(o.Scenarios, s)
	}
	if f.seconds <= 0 || f.seconds > 3600 {
		return o, usagef("--seconds %v is out of range", f.seconds)
	}
	return o, f.check()
}

func (a *app) bench(ctx context.Context, inputs []string, f *benchFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if o.Images, err = a.benchImages(ctx, inputs, int64(f.maxBytes)); err != nil {
		return err
	}
	if o.Model, err = model.Open(f.model, model.OpenOptions{Output: f.modelOutput}); err != nil {
		return err
	}
	o.Log = func(line string) { fmt.Fprintln(a.stderr, line) }
	o.Executor.Logger = slog.New(&warnings{to: func() io.Writer { return a.stderr }})
	report, err := measure.Run(ctx, o)
	if err != nil {
		return err
	}
	if f.asJSON {
		return a.printJSON(report)
	}
	return a.printBench(report, o.Model.Random)
}

// benchImages are those of the inputs, else the pictures that the project draws.
func (a *app) benchImages(ctx context.Context, inputs []string, maxBytes int64) ([][]byte, error) {
	if len(inputs) == 0 {
		return model.ReferencePictures(), nil
	}
	return a.readImages(ctx, inputs, maxBytes)
}

// readImages reads images into memory.
func (a *app) readImages(ctx context.Context, inputs []string, maxBytes int64) ([][]byte, error) {
	source, err := a.openInputs(ctx, inputs, dataset.SourceOptions{})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for item := range source.Items(ctx) {
		if len(out) == maxBenchImages {
			fmt.Fprintf(a.stderr, "taking the first %s\n", images(maxBenchImages, ""))
			break
		}
		data, err := readItem(item.Open, maxBytes)
		if err != nil {
			return nil, fmt.Errorf("image %q: %w", item.ID, err)
		}
		out = append(out, data)
	}
	return out, source.Err()
}

// readItem reads an image, and of one that is too large a byte more than is allowed: whoever decodes it refuses it.
func readItem(open func() (io.ReadCloser, error), maxBytes int64) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxBytes+1))
}

func (a *app) printBench(r *measure.Report, random bool) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	name := r.Model
	if random {
		name += " (RANDOM WEIGHTS: for speed only)"
	}
	fmt.Fprintf(w, "%s on %s, %s, %s\n", name, r.Device, r.Provider, r.Precision)
	fmt.Fprintf(w, "%s; %d images, %d not decodable; %d cores, batch %d, %d workers, %d streams\n\n", r.Decoder, r.Images, r.Failed, r.Cores, r.Batch, r.Workers, r.Streams)
	if len(r.Stages) > 0 {
		fmt.Fprintf(w, "img/s, median of %d rounds\t\tleast\tmost\n", r.Rounds)
	}
	for _, row := range []struct{ key, text string }{
		{measure.StageDecode, "decode, resize, crop alone"}, {measure.StageInfer, "model alone (offline-u8)"},
		{measure.StageSteps, "the same, one batch at a time"}, {measure.StageDevice, "pixels on the device (offline-device)"}, {measure.StageWhole, "the whole (offline-jpeg)"},
	} {
		if s := r.Stages[row.key]; s != nil {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\n", row.text, s.Median, s.Min, s.Max)
		}
	}
	if r.Bound != nil {
		fmt.Fprintf(w, "bound: %s\t%.1f\t%.1f\t%.1f\n", r.Formula, r.Bound.Median, r.Bound.Min, r.Bound.Max)
		fmt.Fprintf(w, "share of the bound\t%.1f%%\t%.1f%%\t%.1f%%\n", 100*r.Share.Median, 100*r.Share.Min, 100*r.Share.Max)
	}
	printBusy(w, r)
	for _, l := range r.Single {
		fmt.Fprintf(w, "one call of %d (single)\tp50 %s\tp99 %s\t%.1f img/s\n", l.Images, ms(l.P50), ms(l.P99), l.PerSecond)
	}
	fmt.Fprintf(w, "paid once: model loaded in %s, first call %s\n", ms(r.Load), ms(r.First))
	return w.Flush()
}

func printBusy(w io.Writer, r *measure.Report) {
	for _, step := range []string{"read", "decode", "resize", "h2d", "normalize", "session", "d2h"} {
		if b, ok := r.Busy[step]; ok {
			fmt.Fprintf(w, "  in it: %s\t%s an image\t%.1f%%\n", step, ms(b.PerImage), 100*b.Share)
		}
	}
	for _, step := range []string{"h2d", "normalize", "session", "d2h"} {
		if b, ok := r.Steps[step]; ok {
			fmt.Fprintf(w, "  on the device, one batch at a time: %s\t%s an image\t%.1f%%\n", step, ms(b.PerImage), 100*b.Share)
		}
	}
	if r.Efficiency > 0 {
		fmt.Fprintf(w, "slowest of them / offline-u8 (overlap)\t%.1f%%\n", 100*r.Efficiency)
	}
	if r.Overlap > 0 {
		fmt.Fprintf(w, "workers busy\t%.1f%%\n", 100*r.Overlap)
	}
}

func ms(d time.Duration) string {
	switch v := float64(d) / float64(time.Millisecond); {
	case v < 1:
		return fmt.Sprintf("%.3f ms", v)
	case v < 100:
		return fmt.Sprintf("%.2f ms", v)
	default:
		return fmt.Sprintf("%.0f ms", v)
	}
}
