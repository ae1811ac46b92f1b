package graph

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/onnx"
)

// liteBlock is one stage of inverted residual blocks of EfficientNet-B0, which the Lite family shares.
type liteBlock struct {
	repeats, kernel, stride, expand, out int64

	stage, index int // timm's place
}

var liteBlocks = []liteBlock{
	{repeats: 1, kernel: 3, stride: 1, expand: 1, out: 16}, {repeats: 2, kernel: 3, stride: 2, expand: 6, out: 24},
	{repeats: 2, kernel: 5, stride: 2, expand: 6, out: 40}, {repeats: 3, kernel: 3, stride: 2, expand: 6, out: 80},
	{repeats: 3, kernel: 5, stride: 1, expand: 6, out: 112}, {repeats: 4, kernel: 5, stride: 2, expand: 6, out: 192},
	{repeats: 1, kernel: 3, stride: 1, expand: 6, out: 320},
}

const (
	liteStem    = 32
	liteHead    = 1280
	liteEpsilon = 1e-3 // of TensorFlow's batch norm
)

// liteScale is how a member of the family grows out of the smallest: wider, deeper, on larger pictures.
type liteScale struct {
	width, depth float64
	size         int64
}

var lites = map[string]liteScale{
	"efficientnet-lite0": {1.0, 1.0, 224},
	"efficientnet-lite1": {1.0, 1.1, 240},
	"efficientnet-lite2": {1.1, 1.2, 260},
	"efficientnet-lite3": {1.2, 1.4, 280},
	"efficientnet-lite4": {1.4, 1.8, 300},
}

var liteFamily = family{
	name:   "EfficientNet-Lite0 to 4",
	archs:  slices.Collect(maps.Keys(lites)),
	side:   func(arch string) int { return int(lites[arch].size) },
	detect: detectLite,
	build:  EfficientNetLite,
}

// detectLite compares the widths of the blocks. EfficientNet proper has squeeze-and-excite, and is none.
func detectLite(src Source) (arch string, ok bool) {
	for arch, scale := range lites {
		if scale.fits(newLoader(arch, src, liteNaming(scale, src))) {
			return arch, true
		}
	}
	return "", false
}

func (s liteScale) fits(l *loader) bool {
	if !has(l.src, l.theirs("_conv_stem.weight")) || has(l.src, "_blocks.0._se_reduce.weight") || has(l.src, "blocks.0.0.se.conv_reduce.weight") {
		return false
	}
	blocks := s.blocks()
	for i, b := range blocks {
		if side(l.src, l.theirs(fmt.Sprintf("_blocks.%d._project_conv.weight", i)), 0) != b.out {
			return false
		}
		lastOfStage := i+1 == len(blocks) || blocks[i+1].stage != b.stage
		if lastOfStage && has(l.src, fmt.Sprintf("blocks.%d.%d.conv_dw.weight", b.stage, b.index+1)) {
			return false
		}
	}
	return !has(l.src, fmt.Sprintf("_blocks.%d._project_conv.weight", len(blocks)))
}

// EfficientNetLite builds arch ("efficientnet-lite0" to "efficientnet-lite4": no squeeze-and-excite, ReLU6) from a
// checkpoint with the names of efficientnet_lite_pytorch or timm (tf_efficientnet_lite0 to 4). Its features are the
// global average of the last convolution's activation. size 0 is the member's own. timm pads by the size of the pictures,
// so it takes others; efficientnet_lite_pytorch has the padding of the member's size built in.
func EfficientNetLite(arch string, size int, src Source) (*onnx.Builder, error) {
	scale, ok := lites[arch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is no EfficientNet-Lite that the project knows", arch)
	}
	names := liteNaming(scale, src)
	if size != 0 && size != int(scale.size) {
		if names == nil {
			return nil, fmt.Errorf("%s takes pictures of %d pixels, not %d", arch, scale.size, size)
		}
		scale.size = int64(size)
	}
	n := &network{Builder: onnx.NewBuilder(arch, arch+", batch norm folded"), loader: newLoader(arch, src, names)}
	n.Input(Input, onnx.Batched(3, scale.size, scale.size))
	n.zero, n.six = n.Weights("relu6.min", []float32{0}), n.Weights("relu6.max", []float32{6})
	at := scale.size
	x := n.sameConv(Input, "stem", "_conv_stem", norm{"_bn0", liteEpsilon}, conv{in: 3, out: liteStem, kernel: 3, stride: 2}, &at)
	x = n.relu6(x)
	in := int64(liteStem)
	for index, b := range scale.blocks() {
		x = n.invertedResidual(x, index, in, b, &at)
		in = b.out
	}
	x = n.sameConv(x, "head", "_conv_head", norm{"_bn1", liteEpsilon}, conv{in: in, out: liteHead, kernel: 1, stride: 1}, &at)
	x = n.relu6(x)
	n.classifier(x, "_fc", liteHead)
	return n.done()
}

// blocks lists the blocks of a member one by one. The first and the last stage are not deepened.
func (s liteScale) blocks() []liteBlock {
	var all []liteBlock
	for i, stage := range liteBlocks {
		repeats := stage.repeats
		if i > 0 && i < len(liteBlocks)-1 {
			repeats = int64(math.Ceil(float64(repeats) * s.depth))
		}
		stage.out = s.channels(stage.out)
		for r := range repeats {
			b := stage
			b.stage, b.index = i, int(r)
			if r > 0 {
				b.stride = 1
			}
			all = append(all, b)
		}
	}
	return all
}

// channels scales a number of channels and rounds it to a multiple of 8, as EfficientNet does.
func (s liteScale) channels(n int64) int64 {
	wide := float64(n) * s.width
	rounded := max(8, int64(wide+4)/8*8)
	if float64(rounded) < 0.9*wide {
		rounded += 8
	}
	return rounded
}

// invertedResidual is MBConv: expand 1x1, depthwise kxk, project 1x1, and the input added where the shape allows.
func (n *network) invertedResidual(x string, index int, in int64, b liteBlock, size *int64) string {
	name, key := fmt.Sprintf("block%d", index), fmt.Sprintf("_blocks.%d.", index)
	skip, wide := x, in*b.expand
	if b.expand != 1 {
		x = n.sameConv(x, name+".expand", key+"_expand_conv", norm{key + "_bn0", liteEpsilon}, conv{in: in, out: wide, kernel: 1, stride: 1}, size)
		x = n.relu6(x)
	}
	depthwise := conv{in: wide, out: wide, kernel: b.kernel, stride: b.stride, group: wide}
	x = n.sameConv(x, name+".depthwise", key+"_depthwise_conv", norm{key + "_bn1", liteEpsilon}, depthwise, size)
	x = n.relu6(x)
	x = n.sameConv(x, name+".project", key+"_project_conv", norm{key + "_bn2", liteEpsilon}, conv{in: wide, out: b.out, kernel: 1, stride: 1}, size)
	if b.stride == 1 && in == b.out {
		x = n.Node("Add", name+".add", []string{x, skip})
	}
	return x
}

func (n *network) relu6(x string) string {
	return n.Node("Clip", x+".relu6", []string{x, n.zero, n.six})
}

// sameConv pads as TensorFlow's "same": the output is ceil(size/stride), and an odd rest goes to the right and below.
func (n *network) sameConv(x, name, key string, bn norm, c conv, size *int64) string {
	out := (*size + c.stride - 1) / c.stride
	total := max((out-1)*c.stride+c.kernel-*size, 0)
	c.before, c.after = total/2, total-total/2
	*size = out
	return n.conv(x, name, key, bn, c)
}

// liteNaming finds out whose names a checkpoint has: efficientnet_lite_pytorch's, which are the builder's, or timm's.
func liteNaming(scale liteScale, src Source) naming {
	if !has(src, "conv_stem.weight") {
		return nil
	}
	blocks := scale.blocks()
	return func(own string) string { return timmLite(blocks, own) }
}

// timmLite is the name in timm/models/efficientnet.py of a tensor of efficientnet_lite_pytorch's.
func timmLite(blocks []liteBlock, own string) string {
	var number int
	if n, _ := fmt.Sscanf(own, "_blocks.%d.", &number); n != 1 || number >= len(blocks) {
		return strings.NewReplacer("_bn1.", "bn2.", "_bn0.", "bn1.", "_fc.", "classifier.", "_conv", "conv").Replace(own)
	}
	layer := strings.TrimPrefix(own, fmt.Sprintf("_blocks.%d.", number))
	names := strings.NewReplacer("_expand_conv", "conv_pw", "_bn0", "bn1", "_depthwise_conv", "conv_dw", "_bn1", "bn2", "_project_conv", "conv_pwl", "_bn2", "bn3")
	if blocks[number].expand == 1 { // a depthwise-separable block, without the first convolution
		names = strings.NewReplacer("_depthwise_conv", "conv_dw", "_bn1", "bn1", "_project_conv", "conv_pw", "_bn2", "bn2")
	}
	return fmt.Sprintf("blocks.%d.%d.%s", blocks[number].stage, blocks[number].index, names.Replace(layer))
}
