package graph

import (
	"fmt"
	"maps"
	"slices"

	"github.com/imgvec/imgvec/internal/onnx"
)

// resnetLayout is one row of the ResNet family, version 1.5: the stride of a bottleneck is on its 3x3 convolution.
type resnetLayout struct {
	blocks     [4]int
	bottleneck bool
}

var resnets = map[string]resnetLayout{
	"resnet18":  {[4]int{2, 2, 2, 2}, false},
	"resnet34":  {[4]int{3, 4, 6, 3}, false},
	"resnet50":  {[4]int{3, 4, 6, 3}, true},
	"resnet101": {[4]int{3, 4, 23, 3}, true},
	"resnet152": {[4]int{3, 8, 36, 3}, true},
}

const resnetEpsilon = 1e-5 // of PyTorch's batch norm

const resnetSide = 224

var resnetFamily = family{
	name:   "ResNet-18 to 152",
	archs:  slices.Collect(maps.Keys(resnets)),
	side:   func(string) int { return resnetSide },
	detect: detectResNet,
	build:  ResNet,
}

// detectResNet counts the blocks of the four stages. A wider or grouped relative has the same names and other shapes.
func detectResNet(src Source) (arch string, ok bool) {
	l := newLoader("", src, resnetNaming(src))
	var have resnetLayout
	for stage := range have.blocks {
		have.blocks[stage] = counted(src, func(i int) string { return l.theirs(fmt.Sprintf("layer%d.%d.conv1.weight", stage+1, i)) })
	}
	have.bottleneck = has(src, l.theirs("layer1.0.conv3.weight"))
	second, _ := l.shape("layer1.0.conv2.weight")
	if !slices.Equal(second, []int64{64, 64, 3, 3}) || !has(src, l.theirs("conv1.weight")) {
		return "", false
	}
	for arch, layout := range resnets {
		if layout == have {
			return arch, true
		}
	}
	return "", false
}

func (l resnetLayout) expansion() int64 {
	if l.bottleneck {
		return 4
	}
	return 1
}

// ResNet builds arch ("resnet18" to "resnet152") for pictures of size x size (0: 224) from a checkpoint with the names
// of torchvision and timm, or with Hugging Face's. Its features are the global average of the last block.
func ResNet(arch string, size int, src Source) (*onnx.Builder, error) {
	layout, ok := resnets[arch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is no ResNet that the project knows", arch)
	}
	if size == 0 {
		size = resnetSide
	}
	n := &network{Builder: onnx.NewBuilder(arch, arch+" (v1.5), batch norm folded"), loader: newLoader(arch, src, resnetNaming(src))}
	n.Input(Input, onnx.Batched(3, int64(size), int64(size)))
	x := n.conv(Input, "conv1", "conv1", norm{"bn1", resnetEpsilon}, conv{in: 3, out: 64, kernel: 7, stride: 2, before: 3, after: 3})
	x = n.Node("Relu", "relu1", []string{x})
	x = n.Node("MaxPool", "maxpool", []string{x}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2))
	in := int64(64)
	for stage, count := range layout.blocks {
		width := int64(64) << stage
		for i := range count {
			b := residual{key: fmt.Sprintf("layer%d.%d", stage+1, i), in: in, width: width, out: width * layout.expansion(), stride: 1}
			if i == 0 && stage > 0 {
				b.stride = 2
			}
			x = n.residual(x, b, layout.bottleneck, i == 0)
			in = b.out
		}
	}
	n.classifier(x, "fc", in)
	return n.done()
}

// residual is the shape of one block.
type residual struct {
	key                    string
	in, width, out, stride int64
}

func (n *network) residual(x string, b residual, bottleneck, first bool) string {
	skip := x
	step := func(x, id string, c conv) string {
		return n.conv(x, b.key+".conv"+id, b.key+".conv"+id, norm{b.key + ".bn" + id, resnetEpsilon}, c)
	}
	relu := func(x, id string) string { return n.Node("Relu", b.key+".relu"+id, []string{x}) }
	if bottleneck {
		x = relu(step(x, "1", conv{in: b.in, out: b.width, kernel: 1, stride: 1}), "1")
		x = relu(step(x, "2", conv{in: b.width, out: b.width, kernel: 3, stride: b.stride, before: 1, after: 1}), "2")
		x = step(x, "3", conv{in: b.width, out: b.out, kernel: 1, stride: 1})
	} else {
		x = relu(step(x, "1", conv{in: b.in, out: b.width, kernel: 3, stride: b.stride, before: 1, after: 1}), "1")
		x = step(x, "2", conv{in: b.width, out: b.out, kernel: 3, stride: 1, before: 1, after: 1})
	}
	if first && (b.stride != 1 || b.in != b.out) {
		key := b.key + ".downsample"
		skip = n.conv(skip, key, key+".0", norm{key + ".1", resnetEpsilon}, conv{in: b.in, out: b.out, kernel: 1, stride: b.stride})
	}
	return relu(n.Node("Add", b.key+".add", []string{x, skip}), "")
}
