package model

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func TestParseHub(t *testing.T) {
	for text, want := range map[string]hubAddress{
		"hf://facebook/dinov2-small/model.safetensors":                                              {"facebook/dinov2-small", "main", "model.safetensors"},
		"hf://a/b@" + commit + "/onnx/model.onnx":                                                   {"a/b", commit, "onnx/model.onnx"},
		"https://huggingface.co/a/b/resolve/main/x.bin?download=true":                               {"a/b", "main", "x.bin"},
		"https://huggingface.co/timm/resnet50.a1_in1k/blob/refs-pr-1/sub/pytorch_model.bin":         {"timm/resnet50.a1_in1k", "refs-pr-1", "sub/pytorch_model.bin"},
		"https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/" + commit + "/a.bin": {"laion/CLIP-ViT-B-32-laion2B-s34B-b79K", commit, "a.bin"},
	} {
		got, isHub, err := parseHub(text)
		if err != nil || !isHub || got != want {
			t.Errorf("%s: %+v, %v, %v", text, got, isHub, err)
		}
		again, _, err := parseHub(got.String())
		if err != nil || again != got {
			t.Errorf("%s: written as %s, which is %+v, %v", text, got, again, err)
		}
	}
	for _, bad := range []string{"hf://facebook/dinov2-small", "hf://a/b/", "hf://a/b@/f", "hf://a/../f", "hf://a/b/../../etc/passwd", "hf:///b/f", "hf://a b/c/d"} {
		if a, isHub, err := parseHub(bad); err == nil || !isHub {
			t.Errorf("%s: %+v, %v", bad, a, isHub)
		}
	}
	for _, other := range []string{"https://example.org/a/b/resolve/main/f", "https://huggingface.co/a/b", "resnet50"} {
		if _, isHub, err := parseHub(other); isHub || err != nil {
			t.Errorf("%s is no address of the hub's files: %v", other, err)
		}
	}
}

// quiet hides what the machine has: caches, mirrors, tokens.
func quiet(t *testing.T) (cache string) {
	t.Helper()
	cache = t.TempDir()
	for _, name := range []string{mirrorEnv, offlineEnv, endpointEnv, tokenEnv, "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	return cache
}

func TestPlaces(t *testing.T) {
	cache := quiet(t)
	torch, hf := torchHub+"resnet18-f37072fd.pth", "hf://a/b@"+commit+"/sub/m.safetensors"
	want := func(address string, places ...string) {
		t.Helper()
		if got := placesOf(address); !slices.Equal(got, places) {
			t.Errorf("%s is looked for in %q, expected %q", address, got, places)
		}
	}
	want(torch, torch)
	want(hf, "https://huggingface.co/a/b/resolve/"+commit+"/sub/m.safetensors")
	t.Setenv(mirrorEnv, "https://mirror.example/weights/ , file:///mnt/models")
	t.Setenv(endpointEnv, "https://hub.example/")
	want(torch, "https://mirror.example/weights/resnet18-f37072fd.pth", "/mnt/models/resnet18-f37072fd.pth", torch)
	want(hf, "https://mirror.example/weights/a/b/resolve/"+commit+"/sub/m.safetensors", "/mnt/models/a/b/sub/m.safetensors",
		"https://hub.example/a/b/resolve/"+commit+"/sub/m.safetensors")
	t.Setenv(mirrorEnv, "")
	theirs := write(t, filepath.Join(cache, "torch", "hub", "checkpoints", "resnet18-f37072fd.pth"), []byte("x"))
	want(torch, theirs, torch)
	theirs = write(t, filepath.Join(cache, "huggingface", "hub", "models--a--b", "snapshots", commit, "sub", "m.safetensors"), []byte("x"))
	want(hf, theirs, "https://hub.example/a/b/resolve/"+commit+"/sub/m.safetensors")
	if got := places(hf, ""); slices.Contains(got, theirs) {
		t.Error("a file of another program's cache is taken though no hash tells what it is")
	}
}

func placesOf(address string) []string { return places(address, strings.Repeat("0", 64)) }

func TestTheTokenIsForTheHubOnly(t *testing.T) {
	quiet(t)
	t.Setenv(tokenEnv, "secret")
	for address, want := range map[string]string{
		"https://huggingface.co/a/b/resolve/main/f": "secret", "https://huggingface.co.evil.example/a/b": "", "http://huggingface.co/a": "", torchHub + "x.pth": "",
	} {
		if got := token(address); got != want {
			t.Errorf("%s gets %q", address, got)
		}
	}
}

func TestCardLicense(t *testing.T) {
	for card, want := range map[string]string{
		"---\nlicense: apache-2.0\ntags:\n- vision\n---\n# Model": "apache-2.0 (says its model card)",
		"---\ntags: x\nlicense: \"mit\"\n---\n":                   "mit (says its model card)",
		"---\ntags: x\n---\nlicense: mit\n":                       "",
		"# Model\nlicense: mit\n":                                 "",
	} {
		path := write(t, filepath.Join(t.TempDir(), "README.md"), []byte(card))
		if got := cardLicense(path); got != want {
			t.Errorf("%q: %q, expected %q", card, got, want)
		}
	}
	if got := cardLicense(filepath.Join(t.TempDir(), "absent")); got != "" {
		t.Error(got)
	}
}
