package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/report"
)

type reportFlags struct {
	output, title, images    string
	idColumn, featuresColumn string
	sample                   int
	near                     float64
	force                    bool
}

func (a *app) reportCommand() *cobra.Command {
	f := &reportFlags{sample: 24}
	cmd := &cobra.Command{
		Use:   "report FEATURES -o REPORT.html",
		Short: "Make a page that shows what an output holds",
		Long: `Make a page of HTML that shows what an output of extract holds: a map of the images, the nearest neighbours of some,
near-duplicates, failures by reason, sizes and lengths, and which model made it. The page is one file that needs no network.

Thumbnails are made of the images that are still found under their ids, from this folder or from --images. Images in tar
files and tables have none.`,
		Example: `  imgvec report features.parquet -o report.html
  imgvec report features.parquet -o report.html --images /mnt/photos --title "Shop photos, May"`,
		Args: one("FEATURES", "an output of extract (.parquet, .arrow, .npy, .jsonl) or a folder of shards"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.makeReport(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.output, "output", "o", "", "`file` to write (.html)")
	flags.BoolVar(&f.force, "force", false, "replace an existing output")
	flags.StringVar(&f.title, "title", "", "`title` of the page (default the output's name)")
	flags.StringVar(&f.images, "images", "", "`folder` that the ids are looked for in (default the working folder)")
	flags.Var(whole{&f.sample, 1, 200}, "sample", "images whose neighbours are shown")
	flags.Float64Var(&f.near, "near", 0.95, "`cosine` from which on images are near-duplicates")
	flags.StringVar(&f.idColumn, "id-column", "", "`name` of the column of ids in others' tables (default id, else path, else the rows' numbers)")
	flags.StringVar(&f.featuresColumn, "features-column", "", "`name` of the column of vectors in others' tables (default features)")
	return cmd
}

func (f *reportFlags) check() error {
	switch ext := strings.ToLower(filepath.Ext(f.output)); {
	case f.output == "":
		return usagef("-o REPORT.html is missing: name the file to write")
	case ext != ".html" && ext != ".htm":
		return usagef("output %q: a report is written as .html", f.output)
	case !(f.near > 0.5 && f.near <= 1):
		return usagef("--near %v must be over 0.5 and at most 1", f.near)
	}
	if f.images != "" {
		if info, err := os.Stat(f.images); err != nil || !info.IsDir() {
			return usagef("--images %q is no folder", f.images)
		}
	}
	return dataset.CheckFile(f.output, f.force)
}

func (a *app) makeReport(ctx context.Context, in string, f *reportFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	v, err := dataset.OpenVectors(in, dataset.VectorsOptions{IDColumn: f.idColumn, FeaturesColumn: f.featuresColumn})
	if err != nil {
		return err
	}
	start := time.Now()
	options := report.Options{Title: f.title, Images: f.images, Sample: f.sample, Near: f.near}
	if a.onTerminal() {
		options.Progress = func(what string) { fmt.Fprintf(a.stderr, "\r\x1b[K%s", what) }
		defer fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	page, err := report.Build(ctx, v, options)
	if err != nil {
		return err
	}
	out, err := dataset.CreateFile(f.output, f.force)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	a.stop.report(func() string { return "; " + fate(out, f.output) })
	if err := page.Write(out); err != nil {
		return err
	}
	if err := out.Finish(); err != nil {
		return err
	}
	if a.onTerminal() {
		fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	info, err := os.Stat(f.output)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: %s in %s; open it in a browser\n", f.output, bytesText(info.Size()), duration(time.Since(start)))
	if page.Thumbs.Made == 0 {
		fmt.Fprintln(a.stderr, "no image was found under its id, so there are no thumbnails: run it where the ids are paths, or name the folder (--images)")
	}
	return nil
}
