package cpu

import (
	"runtime"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// Report is what this machine has for the CPU backend.
type Report struct {
	Library   ort.Environment  `json:"library"`         // ONNX Runtime: version, path, paths tried
	Error     string           `json:"error,omitempty"` // why it can't be used
	OpenVINO  ProviderReport   `json:"openvino"`
	CPU       ProviderReport   `json:"onnxruntime_cpu"`
	Features  Features         `json:"features"`
	Cores     int              `json:"cores"`     // of the machine, as the scheduler offers them
	Threads   int              `json:"threads"`   // that are used by default: a container's quota and GOMAXPROCS are honoured
	Precision imgvec.Precision `json:"precision"` // what auto is for a model whose accuracy allows it
	Provider  string           `json:"provider"`  // that it runs on then: OpenVINO or CPU
	Reason    string           `json:"reason"`    // why, in one line

	noOpenVINO error // why it can't be used
}

// ProviderReport is one execution provider.
type ProviderReport struct {
	Name    string   `json:"name"`
	Usable  bool     `json:"usable"`
	Version string   `json:"version,omitempty"`
	Path    string   `json:"path,omitempty"`
	Tried   []string `json:"tried,omitempty"`
	Error   string   `json:"error,omitempty"` // why it is not usable
}

// Probe opens the libraries as Open does (libraryDir is Options.LibraryDir) and tells what came of it. It loads no model.
func Probe(libraryDir string) Report {
	r := Report{
		OpenVINO: ProviderReport{Name: ort.OpenVINOName},
		CPU:      ProviderReport{Name: "CPUExecutionProvider"},
		Features: detect(),
		Cores:    runtime.NumCPU(),
		Threads:  runtime.GOMAXPROCS(0),
	}
	var err error
	if r.Library, err = ort.Start(libraryDir); err != nil {
		r.Error = err.Error()
		r.OpenVINO.Error, r.CPU.Error = "ONNX Runtime can't be used", "ONNX Runtime can't be used"
		r.Precision, r.Provider, r.Reason = imgvec.FP32, CPU, "nothing can run"
		return r
	}
	r.CPU.Usable, r.CPU.Version, r.CPU.Path = true, r.Library.Version, r.Library.Path
	openvino, err := ort.StartOpenVINO(libraryDir)
	r.OpenVINO.Path, r.OpenVINO.Tried, r.noOpenVINO = openvino.Path, openvino.Tried, err
	if r.OpenVINO.Usable = err == nil; r.OpenVINO.Usable {
		r.OpenVINO.Version = openvinoVersion(openvino.Path)
	} else {
		r.OpenVINO.Error = err.Error()
	}
	auto, err := r.choose(imgvec.PrecisionAuto, floats)
	if err != nil {
		panic("imgvec: BUG: no automatic precision: " + err.Error())
	}
	r.Precision, r.Provider, r.Reason = auto.precision, auto.provider, auto.reason
	return r
}

// Choice is how a model runs.
type Choice struct {
	Provider  string // OpenVINO or CPU
	Precision imgvec.Precision
	Reason    string // why, in one line; may be empty
}

// Choose is what Open takes for the model at path, as far as its file tells: that OpenVINO refuses the model turns out
// when it is opened. The errors are Open's.
func (r Report) Choose(path string, asked imgvec.Precision) (Choice, error) {
	graph, err := ort.ReadGraph(path)
	if err != nil {
		return Choice{}, err
	}
	c, err := r.choose(asked, formOf(graph))
	return Choice{c.provider, c.precision, c.reason}, err
}

// choose applies the package's rules to this machine.
func (r Report) choose(asked imgvec.Precision, model form) (choice, error) {
	c, err := choose(asked, "", r.Features, model)
	if err == nil && c.provider == OpenVINO && !r.OpenVINO.Usable {
		return c.without(asked, r.noOpenVINO)
	}
	return c, err
}
