package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec/dataset"
)

// longFlags are for runs of hours: shards, going on after an interruption, and reads that fail for a passing reason.
type longFlags struct {
	shardRows, readRetries int
	shardFormat            string
	resume                 bool
	retryFailed            string
	checkpoint             time.Duration

	set *pflag.FlagSet // all flags of the command
}

// Bounds of a part of a run with --resume: what is lost where the process is killed.
const (
	partBytes = 64 << 20
	partRows  = 10_000
	partTime  = 30 * time.Second // where --checkpoint does not say
)

func (f *longFlags) add(flags *pflag.FlagSet) {
	f.set, f.readRetries = flags, 3
	flags.Var(whole{&f.shardRows, 1, 1 << 40}, "shard-rows", "make OUT a folder of files of that many rows, and write _SUCCESS when all are there")
	flags.StringVar(&f.shardFormat, "shard-format", "", "`format` of the files: parquet, arrow, arrows, npy, jsonl (default by the folder's extension, else parquet)")
	flags.BoolVar(&f.resume, "resume", false, "go on with an interrupted run, if there is one; if not begin, and keep what is done so that this one can be gone on with")
	flags.Var(period{&f.checkpoint}, "checkpoint", "`time` after which what is done is kept, where --resume writes one file (default 30s)")
	flags.StringVar(&f.retryFailed, "retry-failed", "", "run the images again that failed in this `output`, and replace it, or write -o; of tables give the INPUTs too")
	flags.Var(whole{&f.readRetries, 0, 100}, "read-retries", "how often a read is tried again that fails for a passing reason, such as a network's")
}

func (f *longFlags) check() error {
	switch {
	case f.shardFormat != "" && f.shardRows == 0:
		return usagef("--shard-format is for folders of shards: give --shard-rows too, or choose the format by OUT's extension")
	case f.checkpoint != 0 && (!f.resume || f.shardRows > 0):
		return usagef("--checkpoint is for one file that is written with --resume; of shards each finished one is kept")
	case f.retryFailed != "" && (f.resume || f.shardRows > 0):
		return usagef("--retry-failed keeps the files of the output as they are: leave --resume and --shard-rows out")
	}
	return nil
}

// inParts tells whether the output is written so that a later run can go on with it.
func (f *longFlags) inParts() bool { return f.resume || f.shardRows > 0 }

// checkOutput looks whether the output could begin.
func (f *extractFlags) checkOutput(inputs []string) error {
	switch {
	case f.retryFailed != "":
		return f.checkRetry()
	case f.resume && slices.Contains(inputs, "-"):
		return usagef("--resume reads the inputs again, and standard input can't be: write the list to a file and give @FILE")
	case f.resume && f.force && f.shardRows > 0:
		return usagef("--force begins anew and --resume goes on: give one of them")
	case f.shardRows > 0:
		return dataset.CheckShards(f.output, f.partsOptions())
	case f.resume:
		return dataset.CheckParts(f.output, f.partsOptions())
	}
	if err := dataset.CheckOutput(f.output, f.force); err != nil || f.output == "-" {
		return err
	}
	return dataset.CheckNoParts(f.output, f.force)
}

func (f *extractFlags) partsOptions() dataset.PartsOptions {
	return dataset.PartsOptions{
		WriterOptions: f.writerOptions(), Format: dataset.Format(f.shardFormat), Rows: int64(f.shardRows), Resume: f.resume,
	}
}

func (f *extractFlags) writerOptions() dataset.WriterOptions {
	return dataset.WriterOptions{DType: dataset.DType(f.dtype), Force: f.force}
}

// create begins the output, or goes on with an interrupted one.
func (x *extraction) create(ctx context.Context) (err error) {
	f := x.flags
	if !f.inParts() {
		opts := f.writerOptions()
		opts.Stdout, opts.Kept = x.stdout, x.source.Kept()
		if f.force && f.output != "-" {
			if err := dataset.DropParts(f.output); err != nil {
				return err
			}
		}
		x.out, err = dataset.Create(f.output, x.meta(), opts)
		return err
	}
	opts := f.partsOptions()
	opts.Kept = x.source.Kept()
	opts.Run, opts.Given, opts.State = x.settings(), x.inputs, x.tally.part
	opts.Inputs = func(context.Context) (string, error) { return x.digest() }
	open := dataset.OpenShards
	if f.shardRows == 0 {
		open = dataset.OpenParts
		opts.Rows, opts.Every = x.rowsOfPart(), cmp.Or(f.checkpoint, partTime)
	}
	meta := x.meta()
	meta.Run = runOf(opts)
	parts, err := open(ctx, f.output, meta, opts)
	if err != nil {
		return err
	}
	x.parts, x.out = parts, parts
	return x.goOn()
}

// runOf is what tells an output that is complete from that of another run: a hash of the options and of the inputs as
// they were given.
func runOf(opts dataset.PartsOptions) string {
	text, err := json.Marshal([]any{opts.Run, opts.Given})
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// rowsOfPart is how many rows a part holds that will be joined.
func (x *extraction) rowsOfPart() int64 {
	const perValue = 4
	return int64(max(1, min(partRows, partBytes/(x.ex.Spec().Dim*perValue))))
}

// goOn takes over what earlier runs have done.
func (x *extraction) goOn() error {
	before := x.parts.Before()
	if before.Redone != "" {
		fmt.Fprintf(x.stderr, "%s is missing or is not as it was written: it and what follows is done again\n", before.Redone)
	}
	if err := x.tally.resume(before.States); err != nil {
		return err
	}
	if x.tally.before != before.Items {
		return fmt.Errorf("the counts of the interrupted run don't fit its parts (%d images, %d): begin anew with --force", x.tally.before, before.Items)
	}
	x.rows = before.Rows
	if before.Parts > 0 && x.flags.progress != "json" {
		fmt.Fprintf(x.stderr, "going on behind %s\n", images(before.Items, "that are done"))
	}
	return nil
}

// digests reads the names of the inputs beside the loading of the model, to compare them with those of an interrupted
// run or to note them for the next one.
func (x *extraction) digests(ctx context.Context) {
	x.digest = sync.OnceValues(func() (string, error) {
		sum, err := x.source.Digest(ctx)
		if errors.Is(err, dataset.ErrUsage) && !x.flags.resume {
			return "", nil // they can't be read twice: another run won't go on
		}
		return sum, err
	})
	if x.flags.inParts() {
		go x.digest() //nolint:errcheck // whoever needs it asks again
	}
}

// neutral are the flags that change how a run goes and not what it writes; settings has the others. What auto came to is
// among them by what the executor says of itself.
var neutral = []string{
	"output", "force", "model", "device", "precision", "batch", "workers", "provider", "provider-option", "cache-dir", "device-timeout",
	"max-failures", "resume", "retry-failed", "read-retries", "checkpoint", "progress", "stats", "shard-format", "read-ahead", "help",
}

// settings is what the rows depend on beside the inputs.
func (x *extraction) settings() []dataset.Setting {
	meta := x.meta()
	preset := x.ex.Spec().Preset
	list := []dataset.Setting{
		{Name: "the model", Value: meta.Model + " (SHA-256 " + meta.ModelSHA256 + ")"},
		{Name: "the preset", Value: fmt.Sprintf("%+v", preset)},
		{Name: "the model's output", Value: meta.Feature + " of " + strconv.Itoa(meta.Dim)},
		{Name: "the precision", Value: string(meta.Precision)},
		{Name: "the execution provider", Value: meta.Provider},
		{Name: "the decoder", Value: meta.Decoder},
	}
	if x.flags.shardRows > 0 {
		format, _ := dataset.ShardFormat(x.flags.output, x.flags.shardFormat) // check has seen its error
		list = append(list, dataset.Setting{Name: "the format", Value: string(format)})
	}
	if x.flags.set == nil {
		return list
	}
	x.flags.set.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(neutral, flag.Name) {
			list = append(list, dataset.Setting{Name: "--" + flag.Name, Value: strings.TrimSpace(flag.Value.String())})
		}
	})
	return list
}

// keep saves what is done of a run that ends early.
func (x *extraction) keep(err error) error {
	if err == nil || x.parts == nil {
		return err
	}
	return errors.Join(err, x.parts.Keep())
}

// resumable says how to go on with an output in parts that is not whole; "" where there is nothing to go on with.
func (x *extraction) resumable() string {
	if x.parts == nil {
		return ""
	}
	n, items, _ := x.parts.Done()
	if n == 0 {
		return ""
	}
	text := images(items, "") + " are kept in " + dataset.PartsFolder(x.flags.output)
	if x.flags.shardRows > 0 {
		text = images(items, "") + " are kept in " + count(int64(n)) + " finished files of " + filepath.Clean(x.flags.output)
	}
	how := "run the same command with --resume to go on"
	if x.flags.resume {
		how = "run the same command again to go on"
	}
	return text + ": " + how
}

// resumeHint adds to an error of a run that can be gone on with how that is done.
func (x *extraction) resumeHint(err error) error {
	if _, stopped := x.stop.code(); stopped || err == nil {
		return err
	}
	if how := x.resumable(); how != "" {
		return fmt.Errorf("%w\n%s", err, how)
	}
	return err
}
