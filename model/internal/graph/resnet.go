package graph

import (
	"fmt"

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

// ResNetDim is the features an image of a ResNet; ok is false where arch is none.
func ResNetDim(arch string) (dim int, ok bool) {
	layout, ok := resnets[arch]
	if !ok {
		return 0, false
	}
	return int(512 * layout.expansion()), true
}

func (l resnetLayout) expansion() int64 {
	if l.bottleneck {
		return 4
	}
	return 1
}

// ResNet builds arch ("resnet18" to "resnet152") for pictures of size x size from a checkpoint with torchvision's
// names, which timm shares; [TorchvisionNames] gives them to Hugging Face's. Its features are the global average of the
// last block. The number of classes is that of the checkpoint.
func ResNet(arch string, size int, src Source) (*onnx.Builder, error) {
	layout, ok := resnets[arch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is no ResNet that the project knows", arch)
	}
	n := &network{Builder: onnx.NewBuilder(arch, arch+" (v1.5), batch norm folded"), loader: newLoader(arch, src)}
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
	n.classifier(x, "fc", in, n.classes("fc.weight"))
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

// classes is the number of rows of the classifier's weights, 1000 where the checkpoint does not tell.
func (n *network) classes(name string) int64 {
	if shape, ok := n.src.Shape(name); ok && len(shape) == 2 && shape[0] > 0 && shape[0] < 1<<20 {
		return shape[0]
	}
	return 1000
}
