package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/quantize"
)

// quantizeFlags are the flags of model quantize.
type quantizeFlags struct {
	images        []string
	output        string
	most          int
	minCosine     float64
	aim           float64
	float         []string
	force, accept bool
}

// defaultMinCosine is the mean cosine to the float model below which a quantised one is refused.
const defaultMinCosine = 0.99

func (a *app) modelQuantize() *cobra.Command {
	f := &quantizeFlags{}
	cmd := &cobra.Command{
		Use:   "quantize NAME --images DIR -o NAME-int8",
		Short: "Make an int8 model of one in floats, for speed on CPUs, and measure what it loses",
		Long: `Make an int8 model of one in floats: weights in 8 bits with a scale for each channel, activations in 8 bits with a range for
each tensor, measured on images. Of the images three in eight are for those ranges, one in eight is for choosing between ways to set them and
for finding layers that hurt, which stay in float, and the other half measures the result: the cosine of its features to the float
model's and, where the model is a classifier, how often both see the same class. Take a few hundred images that are like
those to come; at least ` + fmt.Sprint(quantize.MinImages) + `.

The result is a model like any other: imgvec extract --model NAME-int8. It computes in int8 on every CPU, fast on those
with VNNI or AMX.`,
		Example: `  imgvec model quantize resnet50 --images photos/ -o resnet50-int8
  imgvec model quantize ./tower.onnx --images 'shop/**/*.jpg' -o tower-int8 --min-cosine 0.98`,
		Args:              one("NAME", "a model (imgvec model list shows them)"),
		ValidArgsFunction: modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.quantize(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.images, "images", nil, "`input` with images, as extract takes it (a folder, a pattern, @LIST, an archive); may be given again")
	flags.StringVarP(&f.output, "output", "o", "", "`name` to install the result under")
	flags.Var(whole{&f.most, quantize.MinImages, 1 << 20}, "max-images", "take so many, evenly from all (default 400)")
	flags.Float64Var(&f.minCosine, "min-cosine", defaultMinCosine, "refuse a result whose mean `cosine` is below it")
	flags.Float64Var(&f.aim, "aim", quantize.DefaultAim, "leave layers in float until the mean `cosine` reaches it")
	flags.StringArrayVar(&f.float, "float", nil, "keep this `layer`, or all whose names begin so, in float; may be given again")
	flags.BoolVar(&f.accept, "accept", false, "install the result whatever its cosine is")
	flags.BoolVar(&f.force, "force", false, "replace an installed model of this name that was made of something else")
	return cmd
}

func (f *quantizeFlags) check() error {
	switch {
	case len(f.images) == 0:
		return usagef("--images DIR is missing: name a folder with images like those to come")
	case f.output == "":
		return usagef("-o NAME is missing: the name to install the result under, such as resnet50-int8")
	case f.minCosine < -1 || f.minCosine > 1 || f.aim < -1 || f.aim > 1:
		return usagef("--min-cosine %v and --aim %v: a cosine lies between -1 and 1", f.minCosine, f.aim)
	}
	if f.most == 0 {
		f.most = 400
	}
	return nil
}

func (a *app) quantize(ctx context.Context, name string, f *quantizeFlags) error {
	m, err := model.Open(name, model.OpenOptions{})
	if err != nil {
		return err
	}
	to := model.QuantisedOptions{Name: f.output, Force: f.force}
	if err := m.CheckQuantised(to); err != nil {
		return err
	}
	source, err := a.openInputs(ctx, f.images, dataset.SourceOptions{})
	if err != nil {
		return err
	}
	items, err := some(ctx, source, f.most)
	if err != nil {
		return err
	}
	start := time.Now()
	r, err := quantize.Run(ctx, m, quantize.Options{Items: items, Aim: f.aim, Float: f.float, Log: func(line string) {
		fmt.Fprintf(a.stderr, "%6s  %s\n", wholeSeconds(time.Since(start)), oneLine(plain(line)))
	}})
	if err != nil {
		return err
	}
	if err := source.Err(); err != nil {
		return err
	}
	a.printQuantised(r.Report)
	least := r.Report.Cosine()
	if least < f.minCosine && !f.accept {
		return fmt.Errorf("the mean cosine is %.5f, below --min-cosine %v, so %q is not installed; more images or --float may help, "+
			"--min-cosine lowers the bar, --accept installs it as it is", least, f.minCosine, f.output)
	}
	made, err := m.InstallQuantised(to, quantisationOf(r.Report), r.Write)
	if err != nil {
		return err
	}
	return a.installed(ctx, made)
}

// some takes about most of a source's items, evenly where their number is known.
func some(ctx context.Context, source *dataset.Source, most int) (iter.Seq[imgvec.Item], error) {
	n, known, err := source.Count(ctx)
	if err != nil {
		return nil, err
	}
	every := int64(1)
	if known {
		every = max(1, (n+int64(most)-1)/int64(most))
	}
	return func(yield func(imgvec.Item) bool) {
		at, taken := int64(0), 0
		for item := range source.Items(ctx) {
			if at++; (at-1)%every != 0 {
				continue
			}
			if taken++; taken > most || !yield(item) {
				return
			}
		}
	}, nil
}

// printQuantised tells a person what was made and how good it is.
func (a *app) printQuantised(r quantize.Report) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in int8: %d layers; ranges by %s, from %s\n", r.Model, r.Layers, r.Method, images(int64(r.Calibrated), ""))
	if r.Failed > 0 {
		fmt.Fprintf(&b, "  %s could not be decoded and were left out\n", images(int64(r.Failed), ""))
	}
	for _, layer := range r.Float {
		fmt.Fprintf(&b, "  in float: %s\n", layer)
	}
	for _, c := range quantisationOf(r).Cosines {
		fmt.Fprintf(&b, "  against float, %s; %s held out\n", floatCosine(c), images(int64(r.HeldOut), ""))
	}
	fmt.Fprint(a.stderr, b.String())
}

// quantisationOf is what the manifest keeps of a report.
func quantisationOf(r quantize.Report) model.Quantisation {
	q := model.Quantisation{By: "imgvec " + version, Method: r.Method, Calibrated: r.Calibrated, HeldOut: r.HeldOut, Layers: r.Layers}
	for _, layer := range r.Float {
		q.Float = append(q.Float, layer.Name)
	}
	for _, m := range r.Measured {
		c := model.FloatCosine{Provider: m.Provider, Version: m.Version, Mean: m.Mean, P1: m.P1, Min: m.Min}
		if m.Top1 >= 0 {
			c.Top1 = &m.Top1
		}
		q.Cosines = append(q.Cosines, c)
	}
	return q
}

// quantisedPairs are the lines of model info about how a model was quantised; none for a float one.
func quantisedPairs(q *model.Quantisation) [][2]string {
	if q == nil {
		return nil
	}
	pairs := [][2]string{{"precision", fmt.Sprintf("%s, quantised from %s (SHA-256 %.12s…) by %s", q.Precision, q.From, q.FromSHA256, q.By)},
		{"", fmt.Sprintf("%d layers; ranges by %s, from %s", q.Layers, q.Method, images(int64(q.Calibrated), ""))}}
	if len(q.Float) > 0 {
		pairs = append(pairs, [2]string{"", "in float: " + strings.Join(q.Float, ", ")})
	}
	for _, c := range q.Cosines {
		pairs = append(pairs, [2]string{"against float", floatCosine(c) + "; " + images(int64(q.HeldOut), "") + " held out"})
	}
	return pairs
}

func floatCosine(c model.FloatCosine) string {
	text := fmt.Sprintf("%s %s: cosine mean %.5f, one in a hundred below %.5f, least %.5f", c.Provider, c.Version, c.Mean, c.P1, c.Min)
	if c.Top1 != nil {
		text += fmt.Sprintf("; the same class in %.1f %%", 100**c.Top1)
	}
	return text
}

// againstFloat is what the doctor says of a quantised model.
func againstFloat(q model.Quantisation) string {
	text := ""
	for _, c := range q.Cosines {
		text += fmt.Sprintf("; %s %s: mean cosine to %s in float %.5f", c.Provider, q.Precision, q.From, c.Mean)
	}
	return text
}
