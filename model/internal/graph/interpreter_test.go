package graph

import (
	"bytes"
	"math"
	"testing"

	"github.com/imgvec/imgvec/internal/onnx"
)

// tensor is one image's activation: channels, rows, columns.
type tensor struct {
	c, h, w int
	v       []float32
}

func newTensor(c, h, w int) tensor { return tensor{c, h, w, make([]float32, c*h*w)} }

// interpreter runs a built graph on one image, one plain loop an operation.
type interpreter struct {
	t      *testing.T
	m      *onnx.Model
	values map[string]tensor
}

func interpret(t *testing.T, b *onnx.Builder, input tensor) map[string]tensor {
	t.Helper()
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	i := &interpreter{t, m, map[string]tensor{Input: input}}
	for _, n := range m.Graph.Nodes {
		x := i.values[n.Inputs[0]]
		i.values[n.Outputs[0]] = i.node(&n, x)
	}
	return i.values
}

func (i *interpreter) node(n *onnx.Node, x tensor) tensor {
	switch n.Op {
	case "Conv":
		return convolve(x, i.floats(n.Inputs[1]), i.floats(n.Inputs[2]), geometry{
			kernel: ints(n, "kernel_shape")[0], stride: ints(n, "strides")[0], top: ints(n, "pads")[0], bottom: ints(n, "pads")[2], group: int(n.IntAttr("group", 1)),
		})
	case "Relu":
		return each(x, func(_ int, v float32) float32 { return max(v, 0) })
	case "Clip":
		low, high := i.floats(n.Inputs[1])[0], i.floats(n.Inputs[2])[0]
		return each(x, func(_ int, v float32) float32 { return min(max(v, low), high) })
	case "Add":
		other := i.values[n.Inputs[1]]
		return each(x, func(k int, v float32) float32 { return v + other.v[k] })
	case "MaxPool":
		return maxPool(x, ints(n, "kernel_shape")[0], ints(n, "strides")[0], ints(n, "pads")[0])
	case "GlobalAveragePool":
		return average(x)
	case "Flatten":
		return x
	case "Gemm":
		return linear(x, i.floats(n.Inputs[1]), i.floats(n.Inputs[2]))
	}
	i.t.Fatalf("operation %s is not known to the interpreter", n.Op)
	return tensor{}
}

func (i *interpreter) floats(name string) []float32 {
	i.t.Helper()
	values, err := i.m.Floats(name)
	if err != nil {
		i.t.Fatal(err)
	}
	return values
}

func ints(n *onnx.Node, name string) []int {
	for _, a := range n.Attrs {
		if a.Name == name {
			out := make([]int, len(a.Ints))
			for i, v := range a.Ints {
				out[i] = int(v)
			}
			return out
		}
	}
	return nil
}

type geometry struct{ kernel, stride, top, bottom, group int }

// convolve has the same padding for rows and columns.
func convolve(x tensor, weight, bias []float32, g geometry) tensor {
	out := newTensor(len(bias), (x.h+g.top+g.bottom-g.kernel)/g.stride+1, (x.w+g.top+g.bottom-g.kernel)/g.stride+1)
	in, outs := x.c/g.group, out.c/g.group
	for o := range out.c {
		filter := weight[o*in*g.kernel*g.kernel:]
		first := o / outs * in
		for y := range out.h {
			for column := range out.w {
				sum := float64(bias[o])
				for c := range in {
					for ky := range g.kernel {
						sy := y*g.stride + ky - g.top
						if sy < 0 || sy >= x.h {
							continue
						}
						for kx := range g.kernel {
							sx := column*g.stride + kx - g.top
							if sx >= 0 && sx < x.w {
								sum += float64(x.v[((first+c)*x.h+sy)*x.w+sx]) * float64(filter[(c*g.kernel+ky)*g.kernel+kx])
							}
						}
					}
				}
				out.v[(o*out.h+y)*out.w+column] = float32(sum)
			}
		}
	}
	return out
}

func maxPool(x tensor, kernel, stride, pad int) tensor {
	out := newTensor(x.c, (x.h+2*pad-kernel)/stride+1, (x.w+2*pad-kernel)/stride+1)
	for c := range out.c {
		for y := range out.h {
			for column := range out.w {
				most := float32(math.Inf(-1))
				for ky := range kernel {
					for kx := range kernel {
						sy, sx := y*stride+ky-pad, column*stride+kx-pad
						if sy >= 0 && sy < x.h && sx >= 0 && sx < x.w {
							most = max(most, x.v[(c*x.h+sy)*x.w+sx])
						}
					}
				}
				out.v[(c*out.h+y)*out.w+column] = most
			}
		}
	}
	return out
}

func average(x tensor) tensor {
	out := newTensor(x.c, 1, 1)
	area := x.h * x.w
	for c := range x.c {
		sum := 0.0
		for _, v := range x.v[c*area : (c+1)*area] {
			sum += float64(v)
		}
		out.v[c] = float32(sum / float64(area))
	}
	return out
}

func linear(x tensor, weight, bias []float32) tensor {
	out := newTensor(len(bias), 1, 1)
	for o := range bias {
		sum := float64(bias[o])
		for i, v := range x.v {
			sum += float64(v) * float64(weight[o*len(x.v)+i])
		}
		out.v[o] = float32(sum)
	}
	return out
}

func each(x tensor, f func(i int, v float32) float32) tensor {
	out := newTensor(x.c, x.h, x.w)
	for i, v := range x.v {
		out.v[i] = f(i, v)
	}
	return out
}
