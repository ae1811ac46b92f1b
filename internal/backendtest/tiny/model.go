package tiny

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/imgvec/imgvec"
)

// Output is the form of the features.
type Output string

// The forms. Dim features an image in each.
const (
	Flat    Output = ""        // [N, Dim]
	Pooled  Output = "pooled"  // [N, Dim, 1, 1]
	Tokens  Output = "tokens"  // [N, 4, Dim/4]
	Unnamed Output = "unnamed" // [N, Dim], and the file does not tell the shape
)

// Weird is a peculiarity of a model.
type Weird string

// The peculiarities.
const (
	StoredInt8 Weird = "stored int8" // int8 weights, DequantizeLinear before the convolution
	QDQ        Weird = "qdq"         // computes in int8: QuantizeLinear and DequantizeLinear around the convolution
	FailsInRun Weird = "fails"       // loads well, and its last node fails in every run
)

// Dim is the number of features of every model.
const Dim = 16

// Options choose a form of the model. The zero value is a float32 NCHW model of 16x16 pixels and any batch.
type Options struct {
	Size   int           // side of the input in pixels; 0: 16
	Batch  int           // fixed batch; 0: any
	Layout imgvec.Layout // "": NCHW
	DType  imgvec.DType  // of the input; "": float32. A float16 model computes and answers in float16
	Output Output
	Order  imgvec.ChannelOrder // "": RGB; changes the spec, not the file
	Weird  Weird
}

// Spec is the spec of the model.
func Spec(opts Options) imgvec.Spec { return opts.defaults().spec() }

// Write writes the model into the test's temporary folder and tells its spec.
func Write(t testing.TB, opts Options) (path string, spec imgvec.Spec) {
	t.Helper()
	opts = opts.defaults()
	path = filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, opts.model(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, opts.spec()
}

func (o Options) defaults() Options {
	if o.Size == 0 {
		o.Size = 16
	}
	if o.Layout == "" {
		o.Layout = imgvec.NCHW
	}
	if o.DType == "" {
		o.DType = imgvec.Float32
	}
	if o.Order == "" {
		o.Order = imgvec.RGB
	}
	return o
}

func (o Options) spec() imgvec.Spec {
	return imgvec.Spec{
		Model: "tiny", Input: "image", Layout: o.Layout, DType: o.DType, Feature: "features", Dim: Dim,
		Preset: imgvec.Preset{
			InputSize: imgvec.Size{Height: o.Size, Width: o.Size}, CropMode: imgvec.CropCenter, ResizeSize: o.Size,
			CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear, Scale: 255,
			Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: o.Order,
		},
	}
}

// model is the file's bytes.
func (o Options) model() []byte {
	kind := float32Type
	if o.DType == imgvec.Float16 {
		kind = float16Type
	}
	var g graph
	at := "image"
	if o.DType == imgvec.Uint8 {
		at = g.node("Cast", attributes{"to": int64(kind)}, at)
	}
	if o.Layout == imgvec.NHWC {
		at = g.node("Transpose", attributes{"perm": []int64{0, 3, 1, 2}}, at)
	}
	if o.Weird == QDQ {
		at = g.rounded(at, "in", 1./32)
	}
	at = g.node("Conv", attributes{"strides": []int64{2, 2}}, at, g.weights(kind, o.Weird == StoredInt8 || o.Weird == QDQ))
	at = g.node("Relu", nil, at)
	if o.Weird == QDQ {
		at = g.rounded(at, "out", 1./8)
	}
	at = g.node("GlobalAveragePool", nil, at)
	shape := []int64{int64(o.Batch), Dim}
	switch o.Output {
	case Pooled:
		shape = append(shape, 1, 1)
	case Tokens:
		shape = []int64{int64(o.Batch), 4, Dim / 4}
		at = g.node("Reshape", nil, at, g.int64s("tokens", 0, 4, Dim/4))
	default:
		at = g.node("Flatten", nil, at)
	}
	if o.Output == Unnamed {
		shape = nil
	}
	if o.Weird == FailsInRun {
		at = g.node("Reshape", nil, at, g.int64s("sevenths", 7, -1)) // no batch up to 6 has a multiple of 7 features
	}
	g.rename(at, "features")
	return g.bytes(o.input(), value{"features", kind, shape})
}

func (o Options) input() value {
	shape := []int64{int64(o.Batch), 3, int64(o.Size), int64(o.Size)}
	if o.Layout == imgvec.NHWC {
		shape = []int64{int64(o.Batch), int64(o.Size), int64(o.Size), 3}
	}
	kinds := map[imgvec.DType]int{imgvec.Float32: float32Type, imgvec.Float16: float16Type, imgvec.Uint8: uint8Type}
	return value{"image", kinds[o.DType], shape}
}
