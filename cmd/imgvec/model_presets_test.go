package main

import (
	"encoding/json"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestModelPresets(t *testing.T) {
	o := command(t, "model", "presets", "resnet50_weights")
	o.want(t, 0)
	want := "ResNet50_Weights.IMAGENET1K_V1  short side resized to 256 (bilinear); centre of 224x224 cut out, odd margins rounded half to even; " +
		"RGB / 255, mean [0.485 0.456 0.406], std [0.229 0.224 0.225]\n" +
		"ResNet50_Weights.IMAGENET1K_V2  short side resized to 232 (bilinear); centre of 224x224 cut out, odd margins rounded half to even; " +
		"RGB / 255, mean [0.485 0.456 0.406], std [0.229 0.224 0.225]\n"
	if o.stdout != want {
		t.Errorf("got\n%swant\n%s", o.stdout, want)
	}
	o = command(t, "model", "presets", "facebook/dinov3-vits16-", "--json")
	o.want(t, 0)
	var rows []struct {
		Name   string
		Preset imgvec.Preset
	}
	if err := json.Unmarshal([]byte(o.stdout), &rows); err != nil || len(rows) != 1 || rows[0].Preset.Domain != imgvec.DomainFloat {
		t.Errorf("%v, %v", rows, err)
	}
	command(t, "model", "presets", "nothing-like-it").want(t, 2, `no preset's name holds "nothing-like-it"`)
	command(t, "model", "presets", "a", "b").want(t, 2)
}
