package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/similar"
)

// queriesAtOnce bounds the queries of --queries that are held in memory; more take several passes over the output.
const queriesAtOnce = 16384

// fromArgs searches for ids and image files.
func (l *likeness) fromArgs(ctx context.Context, args []string) error {
	group := make([]asked, len(args))
	var images []int
	rows, err := l.find(ctx, args)
	if err != nil {
		return err
	}
	for i, arg := range args {
		group[i] = asked{arg, similar.Query{Exclude: similar.None}}
		switch at, known := rows[dataset.EscapeName(arg)]; {
		case known:
			if err := l.fromRow(ctx, &group[i], at); err != nil {
				return err
			}
		case l.flags.as == asID:
			return fmt.Errorf("there is no id %q in %s (%s)", arg, l.flags.in, l.examples(ctx))
		case !isFile(arg) && l.flags.as == asAuto:
			return fmt.Errorf("%q is neither an id of %s (%s) nor a file", arg, l.flags.in, l.examples(ctx))
		default:
			images = append(images, i)
		}
	}
	if err := l.compute(ctx, group, images); err != nil {
		return err
	}
	return l.search(ctx, group)
}

// find looks the arguments up among the ids.
func (l *likeness) find(ctx context.Context, args []string) (map[string][]int64, error) {
	if l.flags.as == asImage {
		return nil, nil
	}
	ids := make([]string, len(args))
	for i, arg := range args {
		ids[i] = dataset.EscapeName(arg)
	}
	return similar.Find(ctx, l.in, ids)
}

// fromRow takes the vector of a row.
func (l *likeness) fromRow(ctx context.Context, q *asked, rows []int64) error {
	found, err := l.in.At(ctx, rows[:1], dataset.AllColumns)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("row %d of %s is gone: the file has changed", rows[0], l.flags.in)
	}
	row := found[0]
	if row.Features == nil {
		return fmt.Errorf("%q has no features in %s: it failed there: %s", q.name, l.flags.in, orUnknown(row.Error))
	}
	q.Vector = row.Features
	if !l.flags.includeSelf {
		q.Exclude = row.Row
	}
	if len(rows) > 1 {
		l.notes = append(l.notes, fmt.Sprintf("%s stands in %d rows; the vector is that of the first (row %d)", quote(printable(q.name)), len(rows), row.Row))
	}
	if l.flags.as == asAuto && isFile(q.name) {
		l.notes = append(l.notes, fmt.Sprintf("%s is an id of %s and a file: the vector is the one in %s (--as image computes it anew)",
			quote(printable(q.name)), l.flags.in, l.flags.in))
	}
	return nil
}

func orUnknown(text string) string {
	if text == "" {
		return "the reason is not known"
	}
	return printable(text)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// examples shows a person what ids look like.
func (l *likeness) examples(ctx context.Context) string {
	rows, err := l.in.At(ctx, []int64{0, 1}, dataset.Columns{IDs: true})
	if err != nil || len(rows) == 0 {
		return "it has no rows"
	}
	text := "they look like "
	for i, r := range rows {
		if i > 0 {
			text += ", "
		}
		text += strconv.Quote(shorten(r.ID, 80))
	}
	return text
}

// compute fills in the vectors of image files.
func (l *likeness) compute(ctx context.Context, group []asked, images []int) (err error) {
	if len(images) == 0 {
		return nil
	}
	ex, err := l.openModel(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ex.Close()) }()
	items := func(yield func(imgvec.Item) bool) {
		for _, i := range images {
			path := group[i].name
			if !yield(imgvec.Item{ID: path, Open: func() (io.ReadCloser, error) { return dataset.OpenFile(path) }}) {
				return
			}
		}
	}
	n := 0
	for r, err := range ex.Stream(ctx, items) {
		if err != nil {
			return err
		}
		if r.Err != nil {
			return fmt.Errorf("query %q: %s", r.ID, imageError(r.Err))
		}
		group[images[n]].Vector = r.Features
		n++
	}
	return nil
}

// openModel opens the model that made the output, and refuses any other: vectors of two models have nothing in common.
func (l *likeness) openModel(ctx context.Context) (*executor.Executor, error) {
	meta, f := l.in.Meta(), l.flags
	name := f.model
	if name == "" {
		name = meta.Model
	}
	if name == "" {
		return nil, usagef("%s does not say which model made it, so the features of an image can't be computed: name it (--model)", f.in)
	}
	m, err := model.Open(name, model.OpenOptions{})
	if err == nil && m.SHA256 == meta.ModelSHA256 && m.Spec.Feature != meta.Feature {
		m, err = model.Open(name, model.OpenOptions{Output: meta.Feature})
	}
	if err != nil {
		return nil, fmt.Errorf("%s was made by model %q, which is needed for the features of an image: %w", f.in, meta.Model, err)
	}
	if err := sameModel(meta, m, f.in); err != nil {
		return nil, err
	}
	options := f.options()
	options.Normalize = meta.Normalized
	if f.precision == "" {
		options.Precision = meta.Precision
	}
	options.Logger = slog.New(&warnings{to: func() io.Writer { return l.stderr }})
	ex, err := executor.OpenModel(ctx, m, options)
	if errors.Is(err, imgvec.ErrPrecision) && f.precision == "" {
		return nil, fmt.Errorf("%s was made in %s: %w (--precision fp32 gives vectors that are close to its own)", f.in, meta.Precision, err)
	}
	return ex, err
}

func sameModel(meta dataset.Meta, m *model.Model, in string) error {
	switch {
	case meta.ModelSHA256 != "" && m.SHA256 != meta.ModelSHA256:
		return fmt.Errorf("%s was made by model %q with SHA-256 %s; %q here has %s: vectors of different models can't be compared (--model names another file or folder)",
			in, meta.Model, meta.ModelSHA256, m.Name, m.SHA256)
	case meta.Preset != imgvec.Preset{} && m.Spec.Preset != meta.Preset:
		return fmt.Errorf("%s was made with another preprocessing than model %q has now: %+v there, %+v here", in, m.Name, meta.Preset, m.Spec.Preset)
	case m.Spec.Dim != meta.Dim:
		return fmt.Errorf("%s has %d features a row, model %q gives %d", in, meta.Dim, m.Name, m.Spec.Dim)
	}
	return nil
}

// fromOutput searches for the rows of an output, a group at a time.
func (l *likeness) fromOutput(ctx context.Context) error {
	from, err := dataset.OpenVectors(l.flags.queries, l.flags.columns())
	if err != nil {
		return err
	}
	a, b := from.Meta(), l.in.Meta()
	if a.ModelSHA256 != "" && b.ModelSHA256 != "" && (a.ModelSHA256 != b.ModelSHA256 || a.Feature != b.Feature) {
		return fmt.Errorf("%s was made by model %q, %s by %q: vectors of different models can't be compared", l.flags.queries, a.Model, l.flags.in, b.Model)
	}
	same := sameFile(l.flags.queries, l.flags.in)
	var group []asked
	var empty int64
	for row, err := range from.All(ctx, dataset.Columns{IDs: true, Features: true}) {
		if err != nil {
			return err
		}
		if row.Features == nil || !hasDirection(row.Features) {
			empty++
			continue
		}
		q := asked{row.ID, similar.Query{Vector: row.Features, Exclude: similar.None}}
		if same && !l.flags.includeSelf {
			q.Exclude = row.Row
		}
		if group = append(group, q); len(group) == queriesAtOnce {
			if err := l.searchGroup(ctx, group, same); err != nil {
				return err
			}
			group = group[:0]
		}
	}
	if empty > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s of %s have no usable vector and are no queries", numbered(empty, "row"), l.flags.queries))
	}
	return l.searchGroup(ctx, group, same)
}

// searchGroup leaves out the rows of the queries' own ids, which in the same output are known by number.
func (l *likeness) searchGroup(ctx context.Context, group []asked, same bool) error {
	if len(group) == 0 {
		return nil
	}
	if !same && !l.flags.includeSelf {
		ids := make([]string, len(group))
		for i, q := range group {
			ids[i] = q.name
		}
		rows, err := similar.Find(ctx, l.in, ids)
		if err != nil {
			return err
		}
		for i, q := range group {
			if at := rows[q.name]; len(at) > 0 {
				group[i].Exclude = at[0]
			}
		}
	}
	return l.search(ctx, group)
}

// hasDirection tells whether a vector can be a query.
func hasDirection(v []float32) bool {
	var sum float32
	for _, x := range v {
		sum += x * x
	}
	return sum > 0 && sum-sum == 0
}
