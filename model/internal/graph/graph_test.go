package graph

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// trained is a checkpoint with random weights and lively batch norms, of the shapes that the architecture has. It is
// filled by recording what a builder asks for.
type trained struct {
	rng    *rand.Rand
	names  []string
	shapes map[string][]int64
	values map[string][]float32
}

func newTrained(seed uint64) *trained {
	return &trained{rng: rand.New(rand.NewPCG(seed, 1)), shapes: map[string][]int64{}, values: map[string][]float32{}}
}

// recorder makes tensors on demand, as randomWeights does, and keeps them.
type recorder struct{ *trained }

func (r recorder) Generate(name string, shape []int64) []float32 {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	v := make([]float32, n)
	for i := range v {
		switch {
		case len(shape) == 4:
			v[i] = float32(r.rng.NormFloat64() * math.Sqrt(2/float64(shape[1]*shape[2]*shape[3])))
		case strings.HasSuffix(name, "running_var"):
			v[i] = float32(0.2 + r.rng.Float64())
		case strings.HasSuffix(name, ".weight") && len(shape) == 1:
			v[i] = float32(0.3 + r.rng.Float64()/2)
		default:
			v[i] = float32(r.rng.NormFloat64() * 0.2)
		}
	}
	r.names = append(r.names, name)
	r.shapes[name] = shape
	r.values[name] = v
	return slices.Clone(v) // the builder folds in place
}

func (t *trained) Names() []string { return t.names }
func (t *trained) Shape(name string) ([]int64, bool) {
	s, ok := t.shapes[name]
	return s, ok
}
func (t *trained) Float32s(name string) ([]float32, error) { return slices.Clone(t.values[name]), nil }

func (t *trained) add(name string, shape ...int64) {
	recorder{t}.Generate(name, shape)
}

// record makes a checkpoint of an architecture.
func record(t *testing.T, arch string) *trained {
	t.Helper()
	r := recorder{newTrained(7)}
	size := 32
	if _, lite := lites[arch]; lite {
		size = 0
	}
	_, err := Build(arch, size, r)
	if err != nil {
		t.Fatal(err)
	}
	return r.trained
}

// eager computes a network as PyTorch does: convolution, then batch norm with running statistics, nothing folded.
type eager struct {
	*trained
	epsilon float64
}

func (e eager) convNorm(x tensor, conv, norm string, g geometry) tensor {
	out := int(e.shapes[conv+".weight"][0])
	g.kernel = int(e.shapes[conv+".weight"][2])
	y := convolve(x, e.values[conv+".weight"], make([]float32, out), g)
	gamma, beta := e.values[norm+".weight"], e.values[norm+".bias"]
	mean, variance := e.values[norm+".running_mean"], e.values[norm+".running_var"]
	area := y.h * y.w
	return each(y, func(i int, v float32) float32 {
		c := i / area
		return float32((float64(v)-float64(mean[c]))/math.Sqrt(float64(variance[c])+e.epsilon)*float64(gamma[c]) + float64(beta[c]))
	})
}

func relu(_ int, v float32) float32  { return max(v, 0) }
func relu6(_ int, v float32) float32 { return min(max(v, 0), 6) }

// torchResNet follows torchvision/models/resnet.py: a bottleneck's stride is on conv2.
func (e eager) torchResNet(x tensor, blocks []int, bottleneck bool) tensor {
	x = each(e.convNorm(x, "conv1", "bn1", geometry{stride: 2, top: 3, bottom: 3, group: 1}), relu)
	x = maxPool(x, 3, 2, 1)
	for stage, count := range blocks {
		for i := range count {
			name := fmt.Sprintf("layer%d.%d.", stage+1, i)
			stride := 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			identity, y := x, x
			three := func(stride int) geometry { return geometry{stride: stride, top: 1, bottom: 1, group: 1} }
			if bottleneck {
				y = each(e.convNorm(y, name+"conv1", name+"bn1", geometry{stride: 1, group: 1}), relu)
				y = each(e.convNorm(y, name+"conv2", name+"bn2", three(stride)), relu)
				y = e.convNorm(y, name+"conv3", name+"bn3", geometry{stride: 1, group: 1})
			} else {
				y = each(e.convNorm(y, name+"conv1", name+"bn1", three(stride)), relu)
				y = e.convNorm(y, name+"conv2", name+"bn2", three(1))
			}
			if _, ok := e.shapes[name+"downsample.0.weight"]; ok {
				identity = e.convNorm(x, name+"downsample.0", name+"downsample.1", geometry{stride: stride, group: 1})
			}
			x = each(y, func(k int, v float32) float32 { return max(v+identity.v[k], 0) })
		}
	}
	return average(x)
}

func randomImage(size int) tensor {
	rng := rand.New(rand.NewPCG(3, 4))
	x := newTensor(3, size, size)
	for i := range x.v {
		x.v[i] = float32(rng.NormFloat64())
	}
	return x
}

// wantSame holds the features to float32's rounding: folding moves a rounding, nothing else.
func wantSame(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d features, expected %d", len(got), len(want))
	}
	if cosine := testdata.Cosine(got, want); cosine < 0.9999999 {
		t.Errorf("cosine %v to the network as PyTorch computes it", cosine)
	}
	scale := float64(slices.Max(want)) - float64(slices.Min(want))
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-5*scale {
			t.Fatalf("feature %d: %v, expected %v", i, got[i], want[i])
		}
	}
}

func TestResNetComputesWhatPyTorchComputes(t *testing.T) {
	for arch, blocks := range map[string][]int{"resnet18": {2, 2, 2, 2}, "resnet50": {3, 4, 6, 3}} {
		t.Run(arch, func(t *testing.T) {
			weights := record(t, arch)
			image := randomImage(37) // odd sizes at every stage, so that a misplaced stride or padding shows
			b, err := ResNet(arch, 37, weights)
			if err != nil {
				t.Fatal(err)
			}
			values := interpret(t, b, image)
			want := eager{weights, 1e-5}.torchResNet(image, blocks, arch == "resnet50")
			wantSame(t, values[Features].v, want.v)
			wantSame(t, values[Logits].v, linear(want, weights.values["fc.weight"], weights.values["fc.bias"]).v)
		})
	}
}

// tensorFlowSame pads so that the output has ceil(size/stride) pixels, the odd pixel after.
func tensorFlowSame(size, kernel, stride, group int) geometry {
	total := max(((size+stride-1)/stride-1)*stride+kernel-size, 0)
	return geometry{stride: stride, top: total / 2, bottom: total - total/2, group: group}
}

func TestLiteComputesWhatPyTorchComputes(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds")
	}
	weights := record(t, "efficientnet-lite0")
	b, err := EfficientNetLite("efficientnet-lite0", 0, weights)
	if err != nil {
		t.Fatal(err)
	}
	image := randomImage(224)
	values := interpret(t, b, image)
	e := eager{weights, 1e-3}
	x := each(e.convNorm(image, "_conv_stem", "_bn0", tensorFlowSame(224, 3, 2, 1)), relu6)
	// (kernel, stride, expansion) of the blocks of efficientnet_lite0, one by one.
	for i, c := range [][3]int{{3, 1, 1}, {3, 2, 6}, {3, 1, 6}, {5, 2, 6}, {5, 1, 6}, {3, 2, 6}, {3, 1, 6}, {3, 1, 6},
		{5, 1, 6}, {5, 1, 6}, {5, 1, 6}, {5, 2, 6}, {5, 1, 6}, {5, 1, 6}, {5, 1, 6}, {3, 1, 6}} {
		key, y := fmt.Sprintf("_blocks.%d.", i), x
		if c[2] != 1 {
			y = each(e.convNorm(y, key+"_expand_conv", key+"_bn0", geometry{stride: 1, group: 1}), relu6)
		}
		y = each(e.convNorm(y, key+"_depthwise_conv", key+"_bn1", tensorFlowSame(y.h, c[0], c[1], y.c)), relu6)
		y = e.convNorm(y, key+"_project_conv", key+"_bn2", geometry{stride: 1, group: 1})
		if c[1] == 1 && y.c == x.c {
			y = each(y, func(k int, v float32) float32 { return v + x.v[k] })
		}
		x = y
	}
	x = average(each(e.convNorm(x, "_conv_head", "_bn1", geometry{stride: 1, group: 1}), relu6))
	wantSame(t, values[Features].v, x.v)
}

func TestMismatchedCheckpoints(t *testing.T) {
	weights := record(t, "resnet18")
	remove := func(name string) {
		weights.names = slices.DeleteFunc(weights.names, func(n string) bool { return n == name })
		delete(weights.shapes, name)
	}
	remove("layer2.0.bn1.running_var")
	remove("layer4.1.conv2.weight")
	weights.add("layer5.0.conv1.weight", 1)
	weights.add("bn1.num_batches_tracked") // a counter, not a weight
	weights.shapes["conv1.weight"] = []int64{64, 1, 7, 7}
	_, err := ResNet("resnet18", 224, weights)
	var bad *MismatchError
	if !errors.As(err, &bad) {
		t.Fatalf("%v, expected a MismatchError", err)
	}
	if !slices.Equal(bad.Missing, []string{"layer2.0.bn1.running_var", "layer4.1.conv2.weight"}) {
		t.Errorf("missing: %v", bad.Missing)
	}
	if !slices.Equal(bad.Unexpected, []string{"layer5.0.conv1.weight"}) {
		t.Errorf("unexpected: %v", bad.Unexpected)
	}
	if !slices.Equal(bad.Misshapen, []string{"conv1.weight: [64 1 7 7], expected [64 3 7 7]"}) {
		t.Errorf("misshapen: %v", bad.Misshapen)
	}
	for _, word := range []string{"resnet18", "2 missing", "1 unexpected", "1 misshapen", "layer5.0.conv1.weight"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in %q", word, err)
		}
	}
}

func TestBadNumbersAreRefused(t *testing.T) {
	for name, value := range map[string]float32{"layer1.0.bn1.running_var": -1, "fc.bias": float32(math.NaN()), "conv1.weight": float32(math.Inf(1))} {
		weights := record(t, "resnet18")
		weights.values[name][0] = value
		if _, err := ResNet("resnet18", 224, weights); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of %v: %v", name, value, err)
		}
	}
}

func TestClassesAreTheCheckpoints(t *testing.T) {
	weights := record(t, "resnet18")
	weights.shapes["fc.weight"], weights.values["fc.weight"] = []int64{7, 512}, make([]float32, 7*512)
	weights.shapes["fc.bias"], weights.values["fc.bias"] = []int64{7}, make([]float32, 7)
	b, err := ResNet("resnet18", 33, weights)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(interpret(t, b, randomImage(33))[Logits].v); n != 7 {
		t.Errorf("%d logits, expected 7", n)
	}
}

// hfName is Hugging Face's name of a torchvision tensor, after modeling_resnet.py.
func hfName(name string) string {
	kind := func(layer string) string {
		if strings.HasPrefix(layer, "conv") || layer == "0" {
			return "convolution"
		}
		return "normalization"
	}
	parts := strings.Split(name, ".")
	tail := parts[len(parts)-1]
	switch {
	case parts[0] == "fc":
		return "classifier.1." + tail
	case !strings.HasPrefix(name, "layer"):
		return "resnet.embedder.embedder." + kind(parts[0]) + "." + tail
	}
	stage := int(parts[0][len("layer")] - '1')
	at := fmt.Sprintf("resnet.encoder.stages.%d.layers.%s.", stage, parts[1])
	if parts[2] == "downsample" {
		return at + "shortcut." + kind(parts[3]) + "." + tail
	}
	layer := int(parts[2][len(parts[2])-1] - '1')
	return fmt.Sprintf("%slayer.%d.%s.%s", at, layer, kind(parts[2]), tail)
}

func TestHuggingFaceNames(t *testing.T) {
	weights := record(t, "resnet50")
	var theirs []string
	for _, name := range weights.names {
		theirs = append(theirs, hfName(name))
	}
	for _, prefix := range []string{"resnet.", ""} {
		for i, name := range weights.names {
			want := strings.Replace(theirs[i], "resnet.", prefix, 1)
			if got := huggingFaceResNet(prefix, name); got != want {
				t.Errorf("%s became %s, expected %s", name, got, want)
			}
		}
	}
}

func TestRandomWeightsAreSaneAndTheSame(t *testing.T) {
	var sums [2][sha256.Size]byte
	for i := range sums {
		src, err := RandomWeights("resnet18", 5)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ResNet("resnet18", 64, src)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := b.Write(&file); err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(file.Bytes())
	}
	if sums[0] != sums[1] {
		t.Error("the same seed gave two files")
	}
	one, _ := RandomWeights("resnet50", 0)
	b, err := ResNet("resnet50", 33, one)
	if err != nil {
		t.Fatal(err)
	}
	features := interpret(t, b, randomImage(33))[Features].v
	least, most := slices.Min(features), slices.Max(features)
	if !(most > 0.1 && most < 1000 && least >= 0) {
		t.Errorf("features from %v to %v: activations die or explode", least, most)
	}
	other, _ := RandomWeights("resnet50", 1)
	if slices.Equal(one.Generate("conv1.weight", []int64{2, 3, 7, 7}), other.Generate("conv1.weight", []int64{2, 3, 7, 7})) {
		t.Error("two seeds gave the same weights")
	}
}

func TestRandomWeightsAreNormal(t *testing.T) {
	v := randomWeights{1}.Generate("layer1.0.conv1.weight", []int64{256, 64, 3, 3})
	sum, squares := 0.0, 0.0
	for _, x := range v {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	n := float64(len(v))
	want := math.Sqrt(2.0 / (64 * 9))
	if std := math.Sqrt(squares / n); math.Abs(std/want-1) > 0.01 || math.Abs(sum/n) > want/100 {
		t.Errorf("mean %v, deviation %v, expected 0 and %v", sum/n, std, want)
	}
}
