package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sparkOptions are the flags of `bench spark`.
type sparkOptions struct {
	options
	data         string // folder for copies of the photos
	parquetRows  int
	articleRows  int
	batchRows    int
	master, conf string
	limit        time.Duration
}

// sparkConf is what docs/spark.md advises for files: some hundred photos in a task, some megabytes in a batch. By default, tasks
// have 31 of our photos, and batches are the whole task.
const sparkConf = "spark.sql.files.openCostInBytes=131072 spark.sql.execution.arrow.maxRecordsPerBatch=64"

// tinyModel is the name of a model that takes next to no time; see tinyFolder.
const tinyModel = "tiny"

func parseSpark(args []string) (sparkOptions, error) {
	var o sparkOptions
	f := flag.NewFlagSet("bench spark", flag.ContinueOnError)
	f.StringVar(&o.photos, "photos", defaultPhotos(), "folder of JPEG photos")
	f.StringVar(&o.data, "data", "data", "folder for the copies of the photos that Spark reads; most are links to one file")
	f.IntVar(&o.images, "rows", 6000, "rows a round; the photos are repeated to that number")
	f.IntVar(&o.parquetRows, "parquet-rows", 1000, "rows a round for the contender that writes Parquet")
	f.IntVar(&o.articleRows, "article-rows", 400, "rows a round for the plain UDF")
	f.IntVar(&o.batchRows, "batch-rows", 400, "rows a round for predict_batch_udf")
	f.IntVar(&o.rounds, "rounds", 5, "rounds")
	f.StringVar(&o.model, "model", "resnet50-random", "imgvec's model; tiny is one that takes no time, so that what is left is all but the model")
	f.StringVar(&o.master, "master", "local[2]", "Spark's master")
	f.StringVar(&o.conf, "conf", sparkConf, "settings of Spark for all contenders, as KEY=VALUE with blanks between")
	f.DurationVar(&o.limit, "for", 0, "begin no round after this `time`; 0 is no limit")
	f.StringVar(&o.python, "python", ".venv/bin/python", "Python with the packages of requirements.txt and requirements-spark.txt")
	f.StringVar(&o.imgvec, "imgvec", "../imgvec", "the built command")
	f.StringVar(&o.results, "results", "results", "folder for the results; empty writes none")
	f.StringVar(&o.only, "only", "", "names of the contenders to run, with commas; empty runs all")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.began, o.command = time.Now().UTC(), strings.Join(append([]string{"bench", "spark"}, args...), " ")
	return o, nil
}

// compareSpark is `bench spark`: it starts every contender, runs the rounds and reports.
func compareSpark(ctx context.Context, args []string) error {
	o, err := parseSpark(args)
	if err != nil {
		return err
	}
	if err := useProjectHome(); err != nil {
		return err
	}
	all, err := sparkContenders(&o)
	if err != nil {
		return err
	}
	for _, c := range all {
		defer c.stop()
		if err := c.begin(ctx); err != nil {
			return err
		}
	}
	if err := sparkRounds(ctx, &o, all); err != nil {
		return err
	}
	return reportSpark(os.Stdout, o, all)
}

// sparkRounds runs the rounds. One that is interrupted is dropped: those before it count, if there are any.
func sparkRounds(ctx context.Context, o *sparkOptions, all []*sparkContender) error {
	start := time.Now()
	for round := range o.rounds {
		if round > 0 && o.limit > 0 && time.Since(start) > o.limit {
			o.rounds = round
			return nil
		}
		for _, c := range all {
			if c.skipped != "" {
				continue
			}
			r, err := c.round()
			if ctx.Err() != nil && round > 0 {
				o.rounds = round
				for _, c := range all {
					c.keep(round)
				}
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: round %d: %w (%s says more)", c.name, round+1, err, c.log)
			}
			fmt.Fprintf(os.Stderr, "round %d  %-24s %8.1f rows/s  %7.3f ms CPU a row  others %.0f %%, load %.1f\n",
				round+1, c.name, r.rate(), r.cpuMillis(), 100*r.OthersShare, r.Load)
		}
	}
	return nil
}

// The contenders' names in `bench spark`. The report relates them to each other.
const (
	sparkExtract   = "imgvec-extract"
	sparkFeaturize = "spark-featurize"
	sparkParquet   = "spark-featurize-parquet"
	sparkArticle   = "spark-broadcast-udf"
	sparkBatch     = "spark-predict-batch"
	sparkRead      = "spark-read"
	sparkPython    = "spark-to-python"
	sparkFloats    = "spark-floats-back"
)

// sparkContenders makes the folders of photos, and who reads them. It settles the model's folder.
func sparkContenders(o *sparkOptions) ([]*sparkContender, error) {
	folders := map[int]string{}
	for _, n := range []int{warmRows, heatRows, o.images, o.parquetRows, o.articleRows, o.batchRows} {
		var err error
		if folders[n], err = photoFolder(o.data, o.photos, n); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := o.model
	if name == tinyModel {
		if name, err = tinyFolder(o.data); err != nil {
			return nil, err
		}
	}
	python := func(rows int, script string, flags ...string) []string {
		command := append([]string{o.python, filepath.Join("peers", script), folders[rows], "--warm", folders[warmRows], "--heat", folders[heatRows], "--master", o.master}, flags...)
		for _, pair := range strings.Fields(o.conf) {
			command = append(command, "--conf", pair)
		}
		return command
	}
	featurize := func(rows int, sink string) []string {
		return python(rows, "spark_featurize.py", "--model", name, "--sink", sink, "--imgvec", o.imgvec)
	}
	all := []*contender{
		{name: sparkExtract, what: "imgvec extract of the same files, to Parquet; loading not counted", command: []string{self, "spark-peer", o.imgvec, folders[o.images], name}},
		{name: sparkFeaturize, what: "imgvec.spark.featurize, server warm, nothing kept", command: featurize(o.images, "noop")},
		{name: sparkParquet, what: fmt.Sprintf("the same to Parquet, rounds of %d", o.parquetRows), command: featurize(o.parquetRows, "parquet")},
		{name: sparkArticle, what: fmt.Sprintf("a plain UDF, PyTorch, the model broadcast, fp32, rounds of %d", o.articleRows), peer: true, command: python(o.articleRows, "spark_article.py")},
		{name: sparkBatch, what: fmt.Sprintf("predict_batch_udf, PyTorch, bf16, batches of 32, rounds of %d", o.batchRows), peer: true, command: python(o.batchRows, "spark_predict_batch.py")},
		{name: sparkRead, what: "Spark reads the files, no more", command: python(o.images, "spark_transport.py", "--step", "read")},
		{name: sparkPython, what: "Spark reads, Python gets the bytes", command: python(o.images, "spark_transport.py", "--step", "python")},
		{name: sparkFloats, what: "Spark reads, Python gets the bytes and returns 2,048 floats", command: python(o.images, "spark_transport.py", "--step", "floats")},
	}
	chosen, err := choose(all, o.only)
	if err != nil {
		return nil, err
	}
	out := make([]*sparkContender, len(chosen))
	for i, c := range chosen {
		c.session, c.log = true, filepath.Join(o.data, c.name+".log")
		out[i] = &sparkContender{contender: c}
	}
	return out, nil
}
