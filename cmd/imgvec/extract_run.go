package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
)

// extraction is one run of extract.
type extraction struct {
	*app
	flags   *extractFlags
	source  *dataset.Source
	model   *model.Model
	ex      *executor.Executor
	inputs  []string // as given
	digest  func() (string, error)
	out     dataset.Writer
	parts   *dataset.Parts   // out, where a later run can go on with it; else nil
	mending *dataset.Mending // the output whose failed rows are run again; else nil
	tally   *tally
	show    progress

	loading time.Duration // of the model
	running time.Duration // from the first image to the whole output
	writing time.Duration // of it, in the writer
	rows    int64
	told    sync.Once // of the last line of --progress json
	atStart []string  // what was printed while the model was loaded
}

func (a *app) extract(ctx context.Context, inputs []string, f *extractFlags) (err error) {
	if err := f.check(inputs); err != nil {
		return err
	}
	x := &extraction{app: a, flags: f, inputs: inputs, tally: newTally(), show: silence{a.stderr}}
	defer func() { x.finalLine(err) }()
	if f.retryFailed != "" {
		return x.retry(ctx)
	}
	if x.source, err = a.openInputs(ctx, inputs, f.sourceOptions(f.maxBytes)); err != nil {
		return err
	}
	x.digests(ctx)
	if err := x.load(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.ex.Close()) }()
	err = x.run(ctx)
	if errors.Is(err, dataset.ErrComplete) {
		fmt.Fprintln(x.stderr, plain(err.Error()))
		return nil
	}
	if err != nil {
		return err
	}
	return x.end()
}

// openInputs opens the source and makes sure that there is something to do.
func (a *app) openInputs(ctx context.Context, inputs []string, opts dataset.SourceOptions) (*dataset.Source, error) {
	opts.Stdin, opts.Objects = a.stdin, a.objects
	source, err := dataset.OpenContext(ctx, inputs, opts)
	if err != nil {
		return nil, err
	}
	some, err := source.Any(ctx)
	if err == nil && !some {
		err = nothingToDo(inputs)
	}
	return source, err
}

func nothingToDo(inputs []string) error {
	isList := func(arg string) bool { return arg == "-" || strings.HasPrefix(arg, "@") }
	switch {
	case len(inputs) == 1 && inputs[0] == "-":
		return errors.New("nothing to do: the list on standard input is empty")
	case len(inputs) == 1 && isList(inputs[0]):
		return fmt.Errorf("nothing to do: the list is empty: %q", inputs[0][1:])
	case !slices.ContainsFunc(inputs, func(arg string) bool { return !isList(arg) }):
		return fmt.Errorf("nothing to do: the lists are empty: %s", quoted(inputs))
	}
	return fmt.Errorf("nothing to do: no images in %s (folders and patterns take %s, or tables and tar archives where there is no image)", quoted(inputs), listed(dataset.Extensions))
}

func (x *extraction) load(ctx context.Context) (err error) {
	start := time.Now()
	if x.model, err = model.Open(x.flags.model, model.OpenOptions{Output: x.flags.modelOutput}); err != nil {
		return err
	}
	options := x.flags.options()
	w := &warnings{to: func() io.Writer { return x.show }}
	options.Logger = slog.New(w)
	x.ex, err = executor.OpenModel(ctx, x.model, options)
	x.loading, x.atStart = time.Since(start), w.taken()
	return err
}

// run takes the images through the model into the output, which is whole when it returns nil.
func (x *extraction) run(ctx context.Context) (err error) {
	if err := x.create(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(x.resumeHint(err), x.out.Abort()) }()
	x.tally.start = time.Now()
	x.stop.report(x.far)
	x.show = x.progress(x.flags.progress, x.tally)
	defer x.show.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go x.countInputs(ctx)
	if err := x.keep(x.rowsOut(ctx)); err != nil {
		return err
	}
	err = x.timed(x.out.Finish)
	x.running = time.Since(x.tally.start)
	return err
}

func (x *extraction) rowsOut(ctx context.Context) error {
	for r, err := range x.ex.Stream(ctx, x.items(ctx)) {
		if err != nil {
			return err
		}
		x.tally.add(&r)
		if r.Err != nil && x.flags.onError == onErrorFail {
			return fmt.Errorf("image %q: %s (--on-error fail)", r.ID, imageError(r.Err))
		}
		if r.Err != nil && x.flags.onError == onErrorSkip {
			x.skip()
			continue
		}
		x.rows++
		if err := x.timed(func() error { return x.out.Write(dataset.Row{Result: r}) }); err != nil {
			return err
		}
	}
	return x.source.Err()
}

// items are the inputs that earlier runs have not done.
func (x *extraction) items(ctx context.Context) iter.Seq[imgvec.Item] {
	items := x.source.Items(ctx)
	if x.tally.before > 0 {
		items = x.source.ItemsFrom(ctx, x.tally.before)
	}
	return x.retried(ctx, items)
}

func (x *extraction) retried(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq[imgvec.Item] {
	return dataset.Retry(ctx, items, dataset.RetryOptions{Tries: 1 + x.flags.readRetries, Retries: &x.tally.retries})
}

func (x *extraction) skip() {
	if x.parts != nil {
		x.parts.Skip()
	}
}

func (x *extraction) timed(write func() error) error {
	start := time.Now()
	err := write()
	x.writing += time.Since(start)
	return err
}

// countInputs finds the total for the progress. It runs beside the first images; where it can't, there is none.
func (x *extraction) countInputs(ctx context.Context) {
	if n, known, err := x.source.Count(ctx); err == nil && known {
		x.tally.total.Store(n)
	}
}

// far says how far the run has come, for a person who has interrupted it.
func (x *extraction) far() string {
	x.finalLine(context.Canceled)
	text := "after " + images(x.tally.done.Load(), "")
	if total := x.tally.total.Load(); total > 0 {
		text = fmt.Sprintf("after %s of %s", count(x.tally.done.Load()), images(total, ""))
	}
	text += " in " + duration(time.Since(x.tally.start))
	if x.flags.output == "-" {
		return text + "; the stream on standard output is broken off"
	}
	if how := x.resumable(); how != "" && !x.out.Discard() {
		return text + "; " + how
	}
	return text + "; " + fate(x.out, x.flags.output)
}

// fate gives up an output that another goroutine may be at work on, and says what has become of it.
func fate(out interface{ Discard() bool }, name string) string {
	if out.Discard() {
		return name + " is written, and whole"
	}
	return name + " was not written"
}

func (x *extraction) meta() dataset.Meta {
	spec, stats := x.ex.Spec(), x.ex.Stats()
	return dataset.Meta{
		Model: stats.Model, ModelSHA256: stats.SHA256, RandomWeights: x.model.Random, Preset: spec.Preset, Feature: spec.Feature,
		Dim: spec.Dim, Normalized: x.flags.normalize, Precision: imgvec.Precision(stats.Precision), Provider: stats.Provider,
		Device: stats.Device, Decoder: stats.Decoder, Version: version,
	}
}

// end reports on a run whose output is whole.
func (x *extraction) end() error {
	if x.flags.progress != "json" {
		x.summary()
	}
	if x.flags.statistics != "" {
		if err := x.writeReport(x.flags.statistics); err != nil {
			return err
		}
	}
	if limit, failed := x.flags.maxFailures, x.tally.failed.Load(); limit >= 0 && failed > int64(limit) {
		return failuresError{failed, int64(limit)}
	}
	return nil
}
