package graph

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// renamed is a checkpoint whose tensors have another library's names.
func (t *trained) renamed(test *testing.T, name naming) *trained {
	test.Helper()
	other := newTrained(0)
	for _, own := range t.names {
		theirs := name(own)
		if _, twice := other.shapes[theirs]; twice {
			test.Fatalf("two tensors are named %s", theirs)
		}
		other.names = append(other.names, theirs)
		other.shapes[theirs], other.values[theirs] = t.shapes[own], t.values[own]
	}
	return other
}

// sum builds a checkpoint and hashes the file.
func sum(t *testing.T, arch string, size int, src Source) [sha256.Size]byte {
	t.Helper()
	b, err := Build(arch, size, src)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(file.Bytes())
}

// TestEveryNamingGivesTheSameGraph has the same weights under each name that a family is known by. What the libraries
// themselves have for names is tested with them (make test-models).
func TestEveryNamingGivesTheSameGraph(t *testing.T) {
	huggingFace := func(prefix string) naming {
		return func(own string) string { return convnextHuggingFace(prefix, own) }
	}
	for arch, namings := range map[string]map[string]naming{
		"resnet18":           {"Hugging Face": func(own string) string { return huggingFaceResNet("resnet.", own) }, "Hugging Face, no head": func(own string) string { return huggingFaceResNet("", own) }},
		"resnet50":           {"Hugging Face": func(own string) string { return huggingFaceResNet("resnet.", own) }},
		"efficientnet-lite0": {"timm": func(own string) string { return timmLite(lites["efficientnet-lite0"].blocks(), own) }},
		"efficientnet-lite1": {"timm": func(own string) string { return timmLite(lites["efficientnet-lite1"].blocks(), own) }},
		"convnext-atto":      {"torchvision": convnextTorchvision, "authors": convnextAuthors, "Hugging Face": huggingFace("convnext."), "Hugging Face, no head": huggingFace("")},
		"convnextv2-atto":    {"authors": convnextAuthors, "Hugging Face": huggingFace("convnextv2.")},
	} {
		t.Run(arch, func(t *testing.T) {
			own := record(t, arch)
			size := 64
			if strings.HasPrefix(arch, "efficientnet") {
				size = 0
			}
			want := sum(t, arch, size, own)
			for library, name := range namings {
				theirs := own.renamed(t, name)
				if found, err := Detect(theirs); found != arch || err != nil {
					t.Errorf("%s: found %q, %v", library, found, err)
				}
				got := sum(t, arch, size, theirs)
				differs := strings.HasPrefix(arch, "convnext") && strings.HasPrefix(library, "Hugging Face") // its last epsilon does
				if (got == want) == differs {
					t.Errorf("%s: the same graph: %v, expected %v", library, got == want, !differs)
				}
			}
			if found, err := Detect(own); found != arch || err != nil {
				t.Errorf("found %q, %v", found, err)
			}
		})
	}
}

func TestDetectSaysWhatIsThere(t *testing.T) {
	weights := record(t, "resnet18")
	weights.shapes["layer1.0.conv2.weight"] = []int64{128, 128, 3, 3} // a wide one
	_, err := Detect(weights)
	if err == nil || !strings.Contains(err.Error(), "ResNet-18 to 152") || !strings.Contains(err.Error(), "conv1.weight [64 3 7 7]") {
		t.Errorf("%v", err)
	}
	if arch, err := Detect(newTrained(0)); err == nil {
		t.Errorf("no tensors at all are a %s", arch)
	}
}

func TestMembersOfTheSameFamilyAreToldApart(t *testing.T) {
	for _, arch := range []string{"resnet34", "resnet101", "resnet152", "efficientnet-lite2", "efficientnet-lite3", "efficientnet-lite4", "convnext-pico", "convnext-nano"} {
		if found, err := Detect(record(t, arch)); found != arch || err != nil {
			t.Errorf("%s: found %q, %v", arch, found, err)
		}
	}
}
