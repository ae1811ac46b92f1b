package executor

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model"
)

// TestRemedyNamesTheModel: what a person is told to type must find the model that is meant.
func TestRemedyNamesTheModel(t *testing.T) {
	t.Setenv("IMGVEC_HOME", t.TempDir())
	for _, c := range []struct {
		want string
		m    model.Model
	}{
		{"resnet50", model.Model{Name: "resnet50", Dir: filepath.Join(home.Models(), "resnet50"), Path: filepath.Join(home.Models(), "resnet50", "model.onnx"), Source: "https://example.org/resnet50.pth"}},
		{"/m/squeezenet1.1.onnx", model.Model{Name: "squeezenet1.1.onnx", Dir: "/m", Path: "/m/squeezenet1.1.onnx", Source: "/m/squeezenet1.1.onnx"}},
		{"'my models/it'\\''s.onnx'", model.Model{Name: "it's", Dir: "my models", Path: "my models/it's.onnx", Source: "my models/it's.onnx"}},
		{"x.onnx", model.Model{Name: "x", Dir: ".", Path: "/home/.cache/cut.onnx", Source: "x.onnx"}},
		{"./-x.onnx", model.Model{Name: "x", Dir: ".", Path: "-x.onnx", Source: "-x.onnx"}},
		{"copies/resnet50/model.onnx", model.Model{Name: "resnet50", Dir: "copies/resnet50", Path: "copies/resnet50/model.onnx", Source: "https://example.org/x.onnx"}},
	} {
		_, why := cpuPrecision(&c.m, imgvec.PrecisionAuto)
		if text := why(imgvec.BF16); !strings.HasSuffix(text, ": imgvec model verify "+c.want) {
			t.Errorf("%s: %s", c.want, text)
		}
	}
}
