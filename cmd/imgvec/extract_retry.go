package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
)

// checkRetry looks whether --retry-failed could write what it would.
func (f *extractFlags) checkRetry() error {
	if _, err := os.Stat(f.retryFailed); err != nil {
		return usagef("--retry-failed %q: there is no such output", f.retryFailed)
	}
	switch {
	case f.output == "":
		return nil
	case f.output != "-" && sameFile(f.output, f.retryFailed):
		return usagef("-o and --retry-failed name the same output: leave -o out to have it replaced")
	}
	return dataset.CheckOutput(f.output, f.force)
}

// retry runs the images again that have failed in an output.
func (x *extraction) retry(ctx context.Context) (err error) {
	f := x.flags
	if len(x.inputs) > 0 {
		if x.source, err = x.openInputs(ctx, x.inputs, f.sourceOptions(f.maxBytes)); err != nil {
			return err
		}
	}
	opts := dataset.MendOptions{Inputs: x.source, Objects: x.objects, InPlace: f.output == ""}
	if x.mending, err = dataset.OpenMending(ctx, f.retryFailed, opts); err != nil {
		return err
	}
	if opts.InPlace && x.mending.Failed() == 0 {
		fmt.Fprintf(x.stderr, "nothing to do: none of the %s rows of %s has failed\n", count(x.mending.Rows()), f.retryFailed)
		return nil
	}
	if err := x.load(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.ex.Close()) }()
	if err := x.sameModel(x.mending.Meta()); err != nil {
		return err
	}
	if err := x.mend(ctx); err != nil {
		return err
	}
	return x.end()
}

// mend writes the output anew.
func (x *extraction) mend(ctx context.Context) (err error) {
	unlock, err := x.mending.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	to := dataset.MendTo{Meta: x.mending.Meta(), Opts: x.flags.writerOptions(), Each: x.mendRow}
	to.Opts.DType, to.Opts.Stdout = x.mending.DType(), x.stdout
	if x.source != nil {
		to.Opts.Kept = x.source.Kept()
	}
	if to.Meta.ModelSHA256 == "" {
		to.Meta = x.meta()
	}
	if x.flags.output != "" {
		if to.Out, err = dataset.Create(x.flags.output, to.Meta, to.Opts); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, to.Out.Abort()) }()
	}
	x.tally.start = time.Now()
	x.stop.report(x.farMending)
	x.tally.total.Store(x.mending.Failed())
	x.show = x.progress(x.flags.progress, x.tally)
	defer x.show.stop()
	run := func(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error] {
		return x.ex.Stream(ctx, x.retried(ctx, items))
	}
	err = x.mending.Write(ctx, run, to)
	if err == nil && to.Out != nil {
		err = to.Out.Finish()
	}
	x.running = time.Since(x.tally.start)
	return err
}

// mendRow counts an image that was run again.
func (x *extraction) mendRow(r *imgvec.Result) (leave bool, err error) {
	x.tally.add(r)
	if r.Err != nil && x.flags.onError == onErrorFail {
		return false, fmt.Errorf("image %q: %s (--on-error fail)", r.ID, imageError(r.Err))
	}
	leave = r.Err != nil && x.flags.onError == onErrorSkip
	if !leave {
		x.rows++
	}
	return leave, nil
}

// farMending is far for a run with --retry-failed. Each file is replaced when it is whole, and so none is lost.
func (x *extraction) farMending() string {
	x.finalLine(context.Canceled)
	return fmt.Sprintf("after %s run again in %s; what was not replaced is as it was: run the same command again",
		images(x.tally.done.Load(), ""), duration(time.Since(x.tally.start)))
}

// sameModel makes sure that the rows which are run again are of the same kind as the others. A format without metadata
// says only how many features its rows have.
func (x *extraction) sameModel(old dataset.Meta) error {
	now, name := x.meta(), x.flags.retryFailed
	if old.ModelSHA256 == "" {
		if old.Dim != 0 && old.Dim != now.Dim {
			return usagef("--retry-failed %q: its rows have %d features, those of %s %d: give the --model that wrote it", name, old.Dim, now.Model, now.Dim)
		}
		fmt.Fprintf(x.stderr, "%s does not say which model wrote it: make sure that it was %s, with the same options\n", name, now.Model)
		return nil
	}
	oldPreset, _ := json.Marshal(old.Preset)
	nowPreset, _ := json.Marshal(now.Preset)
	for _, c := range []struct{ what, old, now, flag string }{
		{"the model", old.Model + " (SHA-256 " + old.ModelSHA256 + ")", now.Model + " (SHA-256 " + now.ModelSHA256 + ")", "--model " + old.Model},
		{"the output of the model", old.Feature, now.Feature, "--model-output " + old.Feature},
		{"the precision", string(old.Precision), string(now.Precision), "--precision " + string(old.Precision)},
		{"--normalize", fmt.Sprint(old.Normalized), fmt.Sprint(now.Normalized), fmt.Sprintf("--normalize=%v", old.Normalized)},
		{"the preset", string(oldPreset), string(nowPreset), "the model folder that wrote it"},
	} {
		if c.old != c.now {
			return usagef("--retry-failed %q: %s was %s and is %s now: give %s, or run all images again", name, c.what, c.old, c.now, c.flag)
		}
	}
	return nil
}

// mended tells a person what has become of the output.
func (x *extraction) mended() string {
	carried, fixed := x.mending.Carried()
	return fmt.Sprintf("%s: %s run again have features now, %s not; %s rows were carried over\n",
		x.outputName(), count(fixed), count(x.tally.done.Load()-fixed), count(carried))
}

// outputName is what is written, in the words of the person.
func (x *extraction) outputName() string { return cmp.Or(x.flags.output, x.flags.retryFailed) }

// ignored is how many files were passed by because their names are no image's.
func (x *extraction) ignored() int64 {
	if x.source == nil {
		return 0
	}
	return x.source.Ignored()
}
