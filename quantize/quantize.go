package quantize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// DefaultAim is Options.Aim.
const DefaultAim = 0.995

// Options say how a model is quantised.
type Options struct {
	// Items are the images, like those that the model will see. All are decoded and kept at model size; a few hundred do.
	Items iter.Seq[imgvec.Item]
	// Aim is the mean cosine to the float model from which on no more layers are left in float; 0: DefaultAim.
	Aim float64
	// Float are layers that stay in float whatever comes out, by the name of the node or of a part of the graph: "layer4" is
	// all layers whose names begin so.
	Float []string

	Preprocess preprocess.Options
	LibraryDir string // where ONNX Runtime lies; "": the usual places
	// Log gets a line for every step; may be nil.
	Log func(string)
}

// Result is a quantised model, not yet installed.
type Result struct {
	Report Report
	graph  *onnx.Edit
}

// Write writes the ONNX file.
func (r *Result) Write(w io.Writer) error {
	return r.graph.Write(w, "quantised to int8 by imgvec: "+r.Report.Model)
}

// Report is what Run did, and how good the result is.
type Report struct {
	Model      string // that was quantised
	Images     int    // that could be decoded
	Failed     int    // that could not
	Calibrated int    // images for the ranges
	HeldOut    int    // images that the result is measured on
	Layers     int    // that compute in int8
	Float      []FloatLayer
	Method     string   // that the ranges are set by
	Methods    []Method // that were tried
	Measured   []Measurement
}

// Method is a way to set ranges, and the mean cosine that it reached on the images for choosing.
type Method struct {
	Name   string
	Cosine float64
}

// FloatLayer is a layer that stays in float.
type FloatLayer struct {
	Name string
	Op   string
	// Alone is the mean cosine with this layer alone in int8; 0 where the caller named it.
	Alone float64
}

// Measurement is the result on the held-out images, on one execution provider.
type Measurement struct {
	Provider, Version string
	Mean, P1, Min     float64 // cosine of the features to the float model's; P1: the value that one in a hundred is below
	Top1              float64 // share of pictures with the same highest score; -1 where the model has no scores
}

// Cosine is the mean cosine of the result, the least of the providers'.
func (r *Report) Cosine() float64 {
	least := 1.0
	for _, m := range r.Measured {
		least = min(least, m.Mean)
	}
	return least
}

// Run quantises the model. The errors wrap imgvec.ErrModel where the model can't be quantised. What it writes meanwhile lies
// in the folder for temporary files, and is gone when it returns.
func Run(ctx context.Context, m *model.Model, opts Options) (*Result, error) {
	q := &quantisation{model: m, opts: opts}
	if q.opts.Aim == 0 {
		q.opts.Aim = DefaultAim
	}
	q.report.Model = m.Name
	graph, err := q.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("imgvec: quantise model %q: %w", m.Name, err)
	}
	return &Result{q.report, graph}, nil
}

// quantisation is one Run under way.
type quantisation struct {
	model  *model.Model
	opts   Options
	report Report
	work   string // folder for models that are tried

	sets    [3]set // by role
	float   *onnx.Edit
	layers  []onnx.Layer
	stay    map[string]bool // layers that stay in float
	logits  string          // output with a classifier's scores; "": none
	fixed   int             // batch that the model insists on; 0: any
	classes int
	tensors map[string]*histogram
	want    [3]vectors // what the float model gives, by role
}

func (q *quantisation) log(format string, args ...any) {
	if q.opts.Log != nil {
		q.opts.Log(fmt.Sprintf(format, args...))
	}
}

func (q *quantisation) run(ctx context.Context) (graph *onnx.Edit, err error) {
	if err := q.load(); err != nil {
		return nil, fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	if err := q.read(ctx); err != nil {
		return nil, err
	}
	if q.work, err = os.MkdirTemp("", "imgvec-quantize-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(q.work)) }()
	if err := q.start(); err != nil {
		return nil, err
	}
	if err := q.calibrate(ctx); err != nil {
		return nil, err
	}
	ranges, err := q.choose(ctx)
	if err != nil {
		return nil, err
	}
	if graph, err = q.leaveOut(ctx, ranges); err != nil {
		return nil, err
	}
	q.report.Layers = len(q.layers) - len(q.report.Float)
	return graph, q.measure(ctx, graph)
}

// load reads the model's graph and finds its layers.
func (q *quantisation) load() error {
	spec := q.model.Spec
	if spec.DType == imgvec.Uint8 {
		return errors.New("it takes pixels as uint8 and normalises them itself, which is not supported; export it with a float input")
	}
	file, err := os.Open(q.model.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	parsed, err := onnx.Parse(file, info.Size())
	if err != nil {
		return err
	}
	dir := filepath.Dir(q.model.Path)
	q.float, err = parsed.Edit(func(name string) (io.ReadSeekCloser, error) { return os.OpenInRoot(dir, name) })
	if err != nil {
		return err
	}
	if err := q.float.Simplify(); err != nil {
		return err
	}
	q.findLogits()
	q.layers = q.float.Layers(spec.Feature)
	if len(q.layers) == 0 {
		return errors.New("it has no convolution or matrix product with constant weights")
	}
	return q.keep()
}

// findLogits finds a classifier's scores: the output that the manifest names, or one of that name. Other outputs go.
func (q *quantisation) findLogits() {
	for _, v := range q.float.Outputs {
		named := v.Name == q.model.Manifest.Logits || q.model.Manifest.Logits == "" && strings.EqualFold(v.Name, "logits")
		if named && v.Name != q.model.Spec.Feature {
			q.logits = v.Name
		}
	}
	q.float.Prune(q.outputs()...)
}

// outputs are the features, and the scores where there are any.
func (q *quantisation) outputs() []string {
	if q.logits == "" {
		return []string{q.model.Spec.Feature}
	}
	return []string{q.model.Spec.Feature, q.logits}
}

// keep marks the layers that the caller wants in float.
func (q *quantisation) keep() error {
	q.stay = map[string]bool{}
	for _, name := range q.opts.Float {
		found := false
		for _, l := range q.layers {
			if l.Name == name || strings.HasPrefix(l.Name, name+".") || strings.HasPrefix(l.Name, name+"/") {
				q.stay[l.Name], found = true, true
			}
		}
		if !found {
			return fmt.Errorf("it has no layer %q to keep in float; the first and the last are %q and %q", name, q.layers[0].Name, q.layers[len(q.layers)-1].Name)
		}
	}
	for _, l := range q.layers {
		if q.stay[l.Name] {
			q.report.Float = append(q.report.Float, FloatLayer{Name: l.Name, Op: l.Op})
		}
	}
	if len(q.stay) == len(q.layers) {
		return errors.New("all its layers are to stay in float")
	}
	return nil
}

// write writes a graph into the work folder. The caller removes it.
func (q *quantisation) write(graph *onnx.Edit) (path string, err error) {
	file, err := os.CreateTemp(q.work, "*.onnx")
	if err != nil {
		return "", err
	}
	return file.Name(), errors.Join(graph.Write(file, ""), file.Close())
}

// quantised is the model with ranges, where the layers in stay compute in float.
func (q *quantisation) quantised(ranges map[string]onnx.Range, stay map[string]bool, only string) (*onnx.Edit, error) {
	graph, err := q.float.Quantise(q.layers, onnx.QDQOptions{Ranges: ranges, Float: stay, Only: only})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", imgvec.ErrModel, err)
	}
	return graph, nil
}

// values are the tensors that get a range, in any choice of layers.
func (q *quantisation) values() []string {
	values := q.float.QuantisedValues(q.layers)
	for _, l := range q.layers {
		for _, v := range []string{l.Input, l.Output} {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	return values
}
