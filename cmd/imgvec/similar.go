package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/similar"
)

type similarFlags struct {
	engineFlags
	in, queries, output, as, metric string
	idColumn, featuresColumn        string
	top                             int
	includeSelf, json, stats, force bool
}

// What --as takes.
const (
	asAuto  = "auto"
	asID    = "id"
	asImage = "image"
)

func (a *app) similarCommand() *cobra.Command {
	f := &similarFlags{top: 10}
	cmd := &cobra.Command{
		Use:   "similar QUERY... --in FEATURES",
		Short: "Find the nearest neighbours of images in an output",
		Long: `Find the nearest neighbours of images in an output of extract: exactly, every row is compared with every query.

QUERY is an id that stands in FEATURES, or an image file; of that the features are computed here, with the model and
precision that FEATURES names. A name that is both is taken for the id (--as image says otherwise). With --queries the rows
of another output, or of the same, are the queries. A query that is an id is not its own neighbour.

FEATURES is a file of any format that extract writes, a folder of shards, or another table with a column of lists of
floats. The neighbours are printed, or written as JSON lines (.jsonl) or Parquet: query, rank, id, score, row.`,
		Example: `  imgvec similar photos/cat.jpg --in features.parquet
  imgvec similar new.jpg --in features.parquet --top 3 --json
  imgvec similar --queries features.parquet --in features.parquet -o neighbours.parquet`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.similar(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.in, "in", "", "the output to search: a `file` or a folder of shards")
	flags.VarP(whole{&f.top, 1, 100000}, "top", "k", "neighbours a query")
	flags.StringVar(&f.metric, "metric", "cosine", "`measure` of nearness: cosine, dot, l2")
	flags.StringVar(&f.queries, "queries", "", "take the rows of this output (`file` or folder) for queries")
	flags.StringVar(&f.as, "as", asAuto, "`what` QUERY is: auto (an id of FEATURES if there is one, else an image file), id, image")
	flags.BoolVar(&f.includeSelf, "include-self", false, "a query that is a row is its own neighbour too")
	flags.BoolVar(&f.json, "json", false, "print JSON lines")
	flags.StringVarP(&f.output, "output", "o", "", "write the neighbours to this `file` (.jsonl, .parquet)")
	flags.BoolVar(&f.force, "force", false, "replace an existing output")
	flags.StringVar(&f.idColumn, "id-column", "", "`name` of the column of ids in others' tables (default id, else path, else the rows' numbers)")
	flags.StringVar(&f.featuresColumn, "features-column", "", "`name` of the column of vectors in others' tables (default features)")
	flags.StringVarP(&f.model, "model", "m", "", "registry `name`, model folder or .onnx file for images (default the one that FEATURES names)")
	flags.StringVar(&f.device, "device", "auto", "`where` the model runs: auto, cpu, cuda")
	flags.StringVar(&f.precision, "precision", "", "`arithmetic` of the model (default that of FEATURES)")
	f.addImages(flags)
	flags.BoolVar(&f.stats, "stats", false, "say how fast it was, and how much of the memory's bandwidth it used")
	return cmd
}

func (f *similarFlags) check(args []string) error {
	switch {
	case f.in == "":
		return usagef("--in FEATURES is missing: name the output to search, such as --in features.parquet")
	case len(args) == 0 && f.queries == "":
		return usagef("there is nothing to look for: give an image file or an id, or --queries FILE")
	case len(args) > 0 && f.queries != "":
		return usagef("queries come as arguments or by --queries, not both")
	case !slices.Contains([]string{asAuto, asID, asImage}, f.as):
		return usagef("--as %q is unknown (auto, id, image)", f.as)
	}
	if _, err := similar.ParseMetric(f.metric); err != nil {
		return usageError{err}
	}
	if f.output != "" {
		if ext := strings.ToLower(filepath.Ext(f.output)); ext != ".jsonl" && ext != ".parquet" {
			return usagef("output %q: neighbours are written as .jsonl or .parquet", f.output)
		}
		return dataset.CheckFile(f.output, f.force)
	}
	return nil
}

// likeness is one run of similar.
type likeness struct {
	*app
	flags *similarFlags
	in    *dataset.Vectors
	out   neighbourWriter
	stats similar.Stats
	notes []string // about queries, for the end
}

// asked is a query with what the person called it.
type asked struct {
	name string
	similar.Query
}

func (a *app) similar(ctx context.Context, args []string, f *similarFlags) (err error) {
	if err := f.check(args); err != nil {
		return err
	}
	l := &likeness{app: a, flags: f}
	if l.in, err = dataset.OpenVectors(f.in, f.columns()); err != nil {
		return err
	}
	if l.in.Meta().RandomWeights {
		fmt.Fprintln(a.stderr, a.paint(red, "these features are those of a model with random weights: what is near says nothing about the images"))
	}
	if l.out, err = a.neighbourWriter(f, len(args) > 1); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.out.abort()) }()
	if f.queries != "" {
		err = l.fromOutput(ctx)
	} else {
		err = l.fromArgs(ctx, args)
	}
	if f.output == "" && errors.Is(err, syscall.EPIPE) {
		return nil // the reader of standard output, such as head, has seen enough
	}
	if err != nil {
		return err
	}
	if err := l.out.finish(); err != nil {
		return err
	}
	l.summary()
	return nil
}

func (f *similarFlags) columns() dataset.VectorsOptions {
	return dataset.VectorsOptions{IDColumn: f.idColumn, FeaturesColumn: f.featuresColumn}
}

// search looks up a group of queries and writes their neighbours.
func (l *likeness) search(ctx context.Context, group []asked) error {
	queries := make([]similar.Query, len(group))
	for i, q := range group {
		queries[i] = q.Query
	}
	r, err := similar.Search(ctx, l.in, queries, similar.Options{Metric: similar.Metric(l.flags.metric), Top: l.flags.top})
	if err != nil {
		return err
	}
	elapsed, compute := l.stats.Elapsed, l.stats.Compute
	l.stats = r.Stats
	l.stats.Elapsed += elapsed
	l.stats.Compute += compute
	ids, err := l.ids(ctx, r)
	if err != nil {
		return err
	}
	for i, q := range group {
		if err := l.out.write(q.name, r.Neighbours[i], ids); err != nil {
			return err
		}
	}
	return nil
}

// ids are the names of the rows that were found.
func (l *likeness) ids(ctx context.Context, r *similar.Result) (map[int64]string, error) {
	var rows []int64
	for _, list := range r.Neighbours {
		for _, n := range list {
			rows = append(rows, n.Row)
		}
	}
	found, err := l.in.At(ctx, rows, dataset.Columns{IDs: true})
	ids := make(map[int64]string, len(found))
	for _, row := range found {
		ids[row.Row] = row.ID
	}
	return ids, err
}

// summary says what was gone through.
func (l *likeness) summary() {
	s := l.stats
	for _, note := range l.notes {
		fmt.Fprintln(l.stderr, note)
	}
	var left []string
	if s.Failed > 0 {
		left = append(left, count(s.Failed)+" without features")
	}
	if s.Unusable > 0 {
		left = append(left, count(s.Unusable)+" whose vector is zero or no number")
	}
	if len(left) > 0 {
		fmt.Fprintf(l.stderr, "%s of %s rows compared; left out: %s\n", count(s.Vectors), count(s.Rows), listed(left))
	}
	if l.flags.output != "" {
		fmt.Fprintf(l.stderr, "%s: %s of %s\n", l.flags.output, numbered(l.out.lines(), "neighbour"), numbered(l.out.queries(), "query"))
	}
	if l.flags.stats {
		l.speed()
	}
}

func (l *likeness) speed() {
	s, queries := l.stats, l.out.queries()
	passes := (queries + queriesAtOnce - 1) / queriesAtOnce
	seconds := s.Elapsed.Seconds()
	bytes := float64(s.Bytes) * float64(passes)
	rows := float64(s.Rows) * float64(passes)
	memory := similar.ReadBandwidth(s.Workers)
	comparing := s.Compute.Seconds() / float64(s.Workers)
	fmt.Fprintf(l.stderr, "%s rows and %s in %.3f s: %s rows a second, %.2f GB/s of vectors (%.0f %% of the %.1f GB/s that reading memory alone reaches here)\n",
		count(int64(rows)), numbered(queries, "query"), seconds, count(int64(rows/seconds)), bytes/seconds/1e9, 100*bytes/seconds/memory, memory/1e9)
	fmt.Fprintf(l.stderr, "comparing took %.0f %% of it (%.2f GB/s, %.1f billion products of numbers a second; %s, %d cores), reading and decoding the rest\n",
		100*comparing/seconds, bytes/comparing/1e9, rows*float64(queries)/float64(passes)*float64(l.in.Meta().Dim)/comparing/1e9, s.Level, s.Workers)
}
