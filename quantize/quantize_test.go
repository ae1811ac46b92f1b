package quantize

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/ort"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/model"
)

func TestSmallNetwork(t *testing.T) {
	testdata.Home(t)
	m := network(t, false)
	r, err := Run(t.Context(), m, Options{Items: drawn(32)})
	must(t, err)
	report := r.Report
	if report.Images != 32 || report.Calibrated != 12 || report.HeldOut != 16 || report.Failed != 0 || len(report.Methods) != 4 || len(report.Measured) == 0 {
		t.Errorf("%+v", report)
	}
	if report.Layers != 6 || len(report.Float) != 0 {
		t.Errorf("%d layers in int8, in float %v", report.Layers, report.Float)
	}
	for _, got := range report.Measured {
		if got.Mean < 0.998 || got.Min > got.P1 || got.P1 > got.Mean || got.Top1 < 0 || got.Top1 > 1 {
			t.Errorf("%+v", got)
		}
	}
	if report.Cosine() > report.Measured[0].Mean || report.best() < 0.998 {
		t.Errorf("%+v", report)
	}
	path := written(t, r)
	graph, err := ort.ReadGraph(path)
	must(t, err)
	if !graph.Quantised || !graph.Dequantises {
		t.Errorf("%+v computes in floats", graph)
	}
	if _, ok := graph.Output("logits"); !ok {
		t.Error("the scores are gone")
	}
	again, err := Run(t.Context(), m, Options{Items: drawn(32)})
	must(t, err)
	one, err := os.ReadFile(path)
	must(t, err)
	two, err := os.ReadFile(written(t, again))
	must(t, err)
	if !bytes.Equal(one, two) {
		t.Error("the same images give another model")
	}
}

// Every provider and every layout of sessions and streams computes the same, up to rounding: with more than one stream in a
// session OpenVINO computes garbage of such models, so cpu must not do that.
func TestLayouts(t *testing.T) {
	testdata.Home(t)
	m := network(t, false)
	r, err := Run(t.Context(), m, Options{Items: drawn(32)})
	must(t, err)
	path := written(t, r)
	q := &quantisation{model: m, opts: Options{Items: drawn(32)}}
	must(t, q.read(t.Context()))
	must(t, q.load())
	must(t, q.start())
	q.work = t.TempDir()
	want, err := q.vectors(t.Context(), q.float, &q.sets[measuring])
	must(t, err)
	for _, provider := range []string{cpu.CPU, cpu.OpenVINO} {
		for _, streams := range []int{1, 2, 3} {
			got, info, err := q.throughWith(t.Context(), path, m.Spec, cpu.Options{Precision: imgvec.INT8, Provider: provider, Streams: streams, Threads: 3})
			if errors.Is(err, imgvec.ErrNoDevice) {
				t.Logf("%s is not here: %v", provider, err)
				continue
			}
			must(t, err)
			if info.Precision != imgvec.INT8 {
				t.Errorf("%s computes in %s", provider, info.Precision)
			}
			if c := mean(cosines(want, vectors{features: got})); c < 0.998 {
				t.Errorf("%s with %d streams: cosine %v", provider, streams, c)
			}
		}
	}
}

// The layer whose input no range fits stays in float, and no other.
func TestLayersThatHurt(t *testing.T) {
	testdata.Home(t)
	r, err := Run(t.Context(), network(t, true), Options{Items: drawn(32)})
	must(t, err)
	if len(r.Report.Float) != 1 || r.Report.Float[0].Name != "shrink" || r.Report.Float[0].Alone > 0.99 || r.Report.Layers != 5 {
		t.Errorf("%d layers in int8, in float %v", r.Report.Layers, r.Report.Float)
	}
	if r.Report.Cosine() < 0.995 || r.Report.best() > 0.99 {
		t.Errorf("cosine %v with it in float, %v without", r.Report.Cosine(), r.Report.best())
	}
	if line := r.Report.Float[0].String(); !strings.Contains(line, "shrink (Conv)") || !strings.Contains(line, "0.") {
		t.Error(line)
	}
	low, err := Run(t.Context(), network(t, true), Options{Items: drawn(32), Aim: -1})
	must(t, err)
	if len(low.Report.Float) != 0 || low.Report.Cosine() > 0.99 {
		t.Errorf("without an aim: cosine %v, in float %v", low.Report.Cosine(), low.Report.Float)
	}
	asked, err := Run(t.Context(), network(t, true), Options{Items: drawn(32), Aim: -1, Float: []string{"shrink"}})
	must(t, err)
	if len(asked.Report.Float) != 1 || asked.Report.Cosine() < 0.995 || !strings.Contains(asked.Report.Float[0].String(), "as asked") {
		t.Errorf("as asked: cosine %v, in float %v", asked.Report.Cosine(), asked.Report.Float)
	}
}

func TestRefusals(t *testing.T) {
	testdata.Home(t)
	m := network(t, false)
	bytes := *m
	bytes.Spec.DType = imgvec.Uint8
	int8 := *m
	r, err := Run(t.Context(), m, Options{Items: drawn(32)})
	must(t, err)
	int8.Path = written(t, r)
	broken := append([]imgvec.Item{}, imgvec.Item{ID: "bad", Data: []byte("no image")})
	for name, c := range map[string]struct {
		m    *model.Model
		opts Options
		want string
	}{
		"too few":       {m, Options{Items: drawn(31)}, "31 images could be decoded, and at least 32"},
		"broken images": {m, Options{Items: func(yield func(imgvec.Item) bool) { yield(broken[0]) }}, "0 images could be decoded"},
		"no layer":      {m, Options{Items: drawn(32), Float: []string{"lost"}}, `no layer "lost"`},
		"all in float":  {m, Options{Items: drawn(32), Float: []string{"stem", "first", "main", "skip", "stretch", "shrink"}}, "all its layers"},
		"uint8 input":   {&bytes, Options{Items: drawn(32)}, "uint8"},
		"int8 already":  {&int8, Options{Items: drawn(32)}, "computes in int8"},
	} {
		if _, err := Run(t.Context(), c.m, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Run(t.Context(), &int8, Options{Items: drawn(32)}); !errors.Is(err, onnx.ErrQuantised) || !errors.Is(err, imgvec.ErrModel) {
		t.Errorf("%v wraps neither", err)
	}
}

// Nothing is left of a run that is given up, whenever that is.
func TestGivenUp(t *testing.T) {
	testdata.Home(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	m := network(t, true)
	for step := range 12 {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("enough")
		lines := 0
		_, err := Run(ctx, m, Options{Items: drawn(32), Log: func(string) {
			if lines++; lines > step {
				cancel(stop)
			}
		}})
		left, globErr := filepath.Glob(filepath.Join(temp, "imgvec-*"))
		if err == nil && lines > step || err != nil && !errors.Is(err, stop) || globErr != nil || len(left) > 0 {
			t.Errorf("after %d lines: %v; left behind: %v", step, err, left)
		}
		cancel(nil)
	}
}

// The bar of the real ResNet-50, on photos that were not used for its ranges.
func TestResNet50(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	testdata.Home(t)
	m, err := model.Open(testdata.Path(t, "models/resnet50-pruned-int8w.onnx"), model.OpenOptions{})
	must(t, err)
	r, err := Run(t.Context(), m, Options{Items: photos(t, 2), Log: func(line string) { t.Log(line) }})
	must(t, err)
	for _, got := range r.Report.Measured {
		t.Logf("%+v", got)
		if got.Mean < 0.995 || got.Top1 < 0.8 {
			t.Errorf("%s: mean cosine %v, the same class in %v", got.Provider, got.Mean, got.Top1)
		}
	}
	if r.Report.Layers != 53 || len(r.Report.Measured) == 0 {
		t.Errorf("%+v", r.Report)
	}
}
