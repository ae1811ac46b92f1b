package graph

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/imgvec/imgvec/internal/onnx"
)

// convnextLayout is one member of the ConvNeXt family: the blocks and the channels of its four stages.
type convnextLayout struct {
	blocks [4]int
	widths [4]int64
	v2     bool // global response normalisation in place of the layer scale
}

func doubling(width int64, v2 bool, blocks ...int) convnextLayout {
	return convnextLayout{[4]int(blocks), [4]int64{width, 2 * width, 4 * width, 8 * width}, v2}
}

// convnexts are the published sizes: those of the papers, and timm's smaller ones of the first version.
var convnexts = map[string]convnextLayout{
	"convnext-atto": doubling(40, false, 2, 2, 6, 2), "convnext-femto": doubling(48, false, 2, 2, 6, 2),
	"convnext-pico": doubling(64, false, 2, 2, 6, 2), "convnext-nano": doubling(80, false, 2, 2, 8, 2),
	"convnext-tiny": doubling(96, false, 3, 3, 9, 3), "convnext-small": doubling(96, false, 3, 3, 27, 3),
	"convnext-base": doubling(128, false, 3, 3, 27, 3), "convnext-large": doubling(192, false, 3, 3, 27, 3),
	"convnext-xlarge": doubling(256, false, 3, 3, 27, 3),
	"convnextv2-atto": doubling(40, true, 2, 2, 6, 2), "convnextv2-femto": doubling(48, true, 2, 2, 6, 2),
	"convnextv2-pico": doubling(64, true, 2, 2, 6, 2), "convnextv2-nano": doubling(80, true, 2, 2, 8, 2),
	"convnextv2-tiny": doubling(96, true, 3, 3, 9, 3), "convnextv2-small": doubling(96, true, 3, 3, 27, 3),
	"convnextv2-base": doubling(128, true, 3, 3, 27, 3), "convnextv2-large": doubling(192, true, 3, 3, 27, 3),
	"convnextv2-huge": doubling(352, true, 3, 3, 27, 3),
}

const (
	convnextAny     = "convnext" // the sizes are the checkpoint's
	convnextSide    = 224
	convnextEpsilon = 1e-6 // of every layer norm but Hugging Face's last
	grnEpsilon      = 1e-6 // of global response normalisation, added to a mean
)

var convnextFamily = family{
	name:   "ConvNeXt and ConvNeXt V2",
	archs:  append(slices.Collect(maps.Keys(convnexts)), convnextAny),
	side:   func(string) int { return convnextSide },
	detect: detectConvNeXt,
	build:  ConvNeXt,
}

// convnextSizes reads the member's sizes from a checkpoint.
func convnextSizes(l *loader) (have convnextLayout, ok bool) {
	for stage := range have.blocks {
		have.blocks[stage] = counted(l.src, func(i int) string { return l.theirs(fmt.Sprintf("stages.%d.blocks.%d.conv_dw.weight", stage, i)) })
		shape, _ := l.shape(fmt.Sprintf("stages.%d.blocks.0.conv_dw.weight", stage))
		if len(shape) != 4 || shape[0] <= 0 || shape[0] > maxWidth {
			return have, false
		}
		have.widths[stage] = shape[0]
	}
	have.v2 = has(l.src, l.theirs("stages.0.blocks.0.mlp.grn.weight"))
	return have, true
}

// maxWidth bounds the channels that a checkpoint's shapes can make a builder believe in.
const maxWidth = 1 << 14

func detectConvNeXt(src Source) (arch string, ok bool) {
	l := newLoader("", src, convnextNaming(src).of)
	have, ok := convnextSizes(l)
	if !ok {
		return "", false
	}
	for arch, layout := range convnexts {
		if layout == have {
			return arch, true
		}
	}
	return convnextAny, true
}

// convnext is a ConvNeXt while it is built.
type convnext struct {
	network
	convnextLayout
	headEpsilon float64
	scaled      bool   // the blocks have layer scales
	grnEpsilon  string // a constant
}

// ConvNeXt builds arch for pictures of size x size (0: 224) from a checkpoint with the names of torchvision, timm,
// Hugging Face or the authors; "convnext" takes the sizes from the checkpoint. Its features are what the classifier
// sees: the global average of the last stage after the last layer norm, which is Hugging Face's pooler_output, timm's
// forward_head(pre_logits=True) and the input of torchvision's classifier.2. In timm's "hnf" members the norm comes
// before the average.
func ConvNeXt(arch string, size int, src Source) (*onnx.Builder, error) {
	if size == 0 {
		size = convnextSide
	}
	names := convnextNaming(src)
	l := newLoader(arch, src, names.of)
	layout, named := convnexts[arch]
	if !named {
		var ok bool
		if layout, ok = convnextSizes(l); !ok {
			return nil, errors.New("the checkpoint is no ConvNeXt: the depthwise convolutions of four stages are not there")
		}
	}
	if layout.widths[0] == xxlargeWidth {
		return nil, errors.New("convnext-xxlarge is not supported: its layer norms have another epsilon")
	}
	b := onnx.NewBuilder(arch, arch)
	b.UseOpset(layersOpset)
	n := &convnext{network: network{Builder: b, loader: l}, convnextLayout: layout, headEpsilon: names.headEpsilon}
	if _, made := src.(Generator); made {
		n.scaled = !n.v2
	} else {
		n.scaled = has(src, l.theirs("stages.0.blocks.0.gamma"))
	}
	n.Input(Input, onnx.Batched(3, int64(size), int64(size)))
	x := n.biasedConv(Input, "stem", "stem.0", conv{in: 3, out: n.widths[0], kernel: 4, stride: 4})
	x = n.channelNorm(x, "stem.norm", "stem.1", n.widths[0])
	for stage, count := range n.blocks {
		key := fmt.Sprintf("stages.%d", stage)
		if stage > 0 {
			before := n.widths[stage-1]
			x = n.channelNorm(x, key+".norm", key+".downsample.0", before)
			x = n.biasedConv(x, key+".downsample", key+".downsample.1", conv{in: before, out: n.widths[stage], kernel: 2, stride: 2})
		}
		for i := range count {
			x = n.block(x, fmt.Sprintf("%s.blocks.%d", key, i), n.widths[stage])
		}
	}
	n.head(x)
	return n.done()
}

// xxlargeWidth is the first width of timm's largest.
const xxlargeWidth = 384

// head ends the graph: features, and logits where there is a classifier.
func (n *convnext) head(x string) {
	dim := n.widths[3]
	if normFirst := has(n.src, "norm_pre.weight"); normFirst {
		x = n.channelNorm(x, "norm", "norm_pre", dim)
		n.classifier(x, "head.fc", dim)
		return
	}
	pooled := n.Node("GlobalAveragePool", "pool", []string{x})
	flat := n.Node("Flatten", "pool.flat", []string{pooled}, onnx.Int("axis", 1))
	n.layerNorm(flat, Features, "head.norm", dim, n.headEpsilon)
	n.Output(Features, onnx.Batched(dim))
	n.logits(Features, "head.fc", dim)
}

// block is a depthwise 7x7 convolution, a layer norm, and a perceptron four times as wide at every place. The perceptron
// is two 1x1 convolutions rather than matrix products between two transpositions: ConvNeXt-T took 10.3 s of CPU time for
// 100 photos with ONNX Runtime 1.30 in fp32, and 11.7 with matrix products; in OpenVINO 2026.4 in bf16 both took 6.8 to
// 7.2 (imgvec extract on an AMD EPYC of family 25, model 17, 2 cores, one run each).
func (n *convnext) block(x, key string, width int64) string {
	wide := 4 * width
	y := n.biasedConv(x, key+".conv_dw", key+".conv_dw", conv{in: width, out: width, kernel: 7, stride: 1, before: 3, after: 3, group: width})
	y = n.channelNorm(y, key+".norm", key+".norm", width)
	y = n.pointwise(y, key+".mlp.fc1", width, wide, nil)
	y = n.gelu(y)
	if n.v2 {
		y = n.responseNorm(y, key+".mlp.grn", wide)
	}
	var scale []float32
	if n.scaled {
		scale = n.loadFlat(key+".gamma", []int64{width}, []int64{width, 1, 1})
	}
	y = n.pointwise(y, key+".mlp.fc2", wide, width, scale)
	return n.Node("Add", key+".add", []string{y, x})
}

// pointwise is a linear layer over channels, as a 1x1 convolution; its results are multiplied by scale, which is folded
// into the weights. nil: by nothing.
func (n *convnext) pointwise(x, key string, in, out int64, scale []float32) string {
	weight := n.loadFlat(key+".weight", []int64{out, in}, []int64{out, in, 1, 1})
	bias := n.load(key+".bias", out)
	if scale != nil && !n.failed() {
		for o := range out {
			row := weight[o*in : (o+1)*in]
			for i := range row {
				row[i] *= scale[o]
			}
			bias[o] *= scale[o]
		}
	}
	inputs := []string{x, n.Weights(key+".weight", weight, out, in, 1, 1), n.Weights(key+".bias", bias, out)}
	return n.Node("Conv", key, inputs, onnx.Ints("kernel_shape", 1, 1))
}

// channelNorm is a layer norm over the channels of [N,C,H,W].
func (n *convnext) channelNorm(x, name, key string, width int64) string {
	last := n.Node("Transpose", name+".last", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))
	normed := n.layerNorm(last, name, key, width, convnextEpsilon)
	return n.Node("Transpose", name+".first", []string{normed}, onnx.Ints("perm", 0, 3, 1, 2))
}

// responseNorm is ConvNeXt V2's global response normalisation: x*(1 + gamma*g/mean(g)) + beta, with g the length of each
// channel over all places of the picture.
func (n *convnext) responseNorm(x, key string, width int64) string {
	flat := [][]int64{{width}, {1, 1, 1, width}}
	gamma := n.Weights(key+".gamma", n.loadFlat(key+".weight", flat...), 1, width, 1, 1)
	beta := n.Weights(key+".beta", n.loadFlat(key+".bias", flat...), 1, width, 1, 1)
	if n.grnEpsilon == "" {
		n.grnEpsilon = n.Weights("grn.epsilon", []float32{grnEpsilon})
	}
	length := n.Node("ReduceL2", key+".length", []string{x}, onnx.Ints("axes", 2, 3), onnx.Int("keepdims", 1))
	mean := n.Node("ReduceMean", key+".mean", []string{length}, onnx.Ints("axes", 1), onnx.Int("keepdims", 1))
	share := n.Node("Div", key+".share", []string{length, n.Node("Add", key+".floor", []string{mean, n.grnEpsilon})})
	scaled := n.Node("Mul", key+".scaled", []string{x, n.Node("Mul", key+".gain", []string{share, gamma})})
	return n.Node("Add", key, []string{n.Node("Add", key+".shifted", []string{scaled, beta}), x})
}
