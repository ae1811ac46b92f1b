package main

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/preprocess"
)

// What --on-error takes.
const (
	onErrorKeep = "keep"
	onErrorSkip = "skip"
	onErrorFail = "fail"
)

// extractFlags are the flags of extract.
type extractFlags struct {
	engineFlags
	inputFlags
	longFlags
	output, dtype        string
	force                bool
	onError              string
	maxFailures          int
	progress, statistics string
}

func (a *app) extractCommand() *cobra.Command {
	f := &extractFlags{maxFailures: -1}
	cmd := &cobra.Command{
		Use:   "extract INPUT... -o OUT",
		Short: "Write the feature vectors of images to a file",
		Long: `Write the feature vectors of images to a file, one row an image, in the order of the input.

INPUT is a file, a folder (with all folders below it), a pattern in quotes ('photos/**/*.jpg', 'shard-{000..099}.tar'),
@LIST (a file with one path a line), or - (the same from standard input). Folders and patterns take the files whose names
end like an image's; a file given by its own name is always a row.

A tar archive (.tar, .tar.gz, .tar.zst) gives a row for each image in it, whose id is the name up to the first dot, as in
a WebDataset. A table (.parquet, .arrow, .arrows, .feather) gives one for each of its rows: the column of images, or of
their paths, is found by name and type; ids are row numbers, or --id-column. Folders and patterns without an image stand
for their tables and archives. URLs (s3://, gs://, azblob://, https://) are read as files are. What of a table or an
archive can't be read is rows that say so; the rest comes.

OUT is a Parquet file (.parquet), an Arrow IPC file (.arrow) or stream (.arrows), NumPy (.npy, with the ids in
OUT.npy.ids.jsonl) or JSON lines (.jsonl); - is an Arrow stream on standard output. It appears when it is whole.
Parquet and Arrow name the model and what ran it in their metadata. Features of a model with random weights are marked
there, and in JSON lines and the ids of NumPy by "random_weights": true in each row.

An image that can't be read or decoded does not stop the run: its row has no features and says why.

Runs of hours: with --shard-rows OUT is a folder of files, written one after the other, with an empty file _SUCCESS when
all are there. What such a run has finished stays when it is interrupted, however it was, and the same command with
--resume goes on. One file is resumed too where it was begun with --resume: what is done lies in OUT.parts until the end.
--retry-failed OUT runs the images again that failed, and carries the other rows over.`,
		Example: `  imgvec extract photos/ -o features.parquet
  imgvec extract photos/ -o features/ --shard-rows 100000 --resume
  imgvec extract --retry-failed features/
  imgvec extract 'shards/{000..099}.tar' -o features.parquet --keep-columns json
  imgvec extract products.parquet -o features.parquet --id-column sku --keep-columns '*'
  imgvec extract 'shop/**/*.jpg' logo.png -o features.npy --model resnet50
  find /data -name '*.jpg' -newer last | imgvec extract - -o - | python3 consume.py`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.extract(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.output, "output", "o", "", "`file` to write, its extension chooses the format; a folder with --shard-rows")
	flags.BoolVar(&f.force, "force", false, "replace an existing output")
	f.engineFlags.add(flags)
	flags.StringVar(&f.dtype, "features-dtype", "float32", "`type` that features are stored in: float32, float16")
	flags.BoolVar(&f.normalize, "normalize", false, "scale each vector to length 1 (L2)")
	flags.StringVar(&f.onError, "on-error", onErrorKeep, "`what` becomes of an image that fails: keep (a row that says why), skip (no row), fail (end the run)")
	flags.Var(whole{&f.maxFailures, 0, 1 << 40}, "max-failures", "end with status 3 when more images failed, before a --resume too (default no limit)")
	f.inputFlags.add(flags)
	f.longFlags.add(flags)
	flags.StringVar(&f.progress, "progress", "auto", "`how` to show progress: auto (a bar on a terminal, else a line every 10 s), json, none")
	flags.StringVar(&f.statistics, "stats", "", "write a report of the run to this `file` (JSON)")
	return cmd
}

// check finds what is wrong with the flags before anything is loaded.
func (f *extractFlags) check(inputs []string) error {
	if f.output == "" && f.retryFailed == "" {
		return usagef("-o OUT is missing: name the file to write, such as -o features.parquet")
	}
	if _, err := dataset.ParseDType(f.dtype); err != nil {
		return err
	}
	if !slices.Contains([]string{onErrorKeep, onErrorSkip, onErrorFail}, f.onError) {
		return usagef("--on-error %q is unknown (keep, skip, fail)", f.onError)
	}
	if err := checkProgress(f.progress); err != nil {
		return err
	}
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	if err := f.inputFlags.check(); err != nil {
		return err
	}
	if err := f.longFlags.check(); err != nil {
		return err
	}
	if f.statistics != "" {
		if err := checkStats(f.statistics, cmp.Or(f.output, f.retryFailed), f.force); err != nil {
			return err
		}
	}
	if f.output == "-" && isTerminal(os.Stdout) {
		return usagef("-o - writes binary data to standard output, which is a terminal: send it to a program or a file")
	}
	return f.checkOutput(inputs)
}

// engineFlags are the flags that choose and tune the model's executor.
type engineFlags struct {
	model, modelOutput, device, precision string
	batch, workers                        int
	provider, cacheDir                    string
	providerOptions                       []string // KEY=VALUE
	deviceTimeout                         time.Duration
	exif, gray16                          string
	maxPixels                             int
	maxBytes, decodeMemory                size
	deterministic, normalize              bool
}

func (f *engineFlags) options() executor.Options {
	session, _ := f.session() // check has seen its error
	return executor.Options{
		Device: f.device, Precision: imgvec.Precision(f.precision), Batch: f.batch, Workers: f.workers,
		Provider: f.provider, Session: session, CacheDir: f.cacheDir, DeviceTimeout: f.deviceTimeout,
		Deterministic: f.deterministic, Normalize: f.normalize, Preprocess: f.preprocessing(),
	}
}

func (f *engineFlags) preprocessing() preprocess.Options {
	return preprocess.Options{
		Exif: preprocess.ExifMode(f.exif), MaxPixels: int64(f.maxPixels), MaxBytes: int64(f.maxBytes),
		DecodeMemory: int64(f.decodeMemory), Gray16: preprocess.Gray16Mode(f.gray16),
	}
}
