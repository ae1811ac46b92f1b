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
	openvino, noOpenVINO := ort.StartOpenVINO(libraryDir)
	r.OpenVINO.Path, r.OpenVINO.Tried = openvino.Path, openvino.Tried
	if r.OpenVINO.Usable = noOpenVINO == nil; r.OpenVINO.Usable {
		r.OpenVINO.Version = openvinoVersion(openvino.Path)
	} else {
		r.OpenVINO.Error = noOpenVINO.Error()
	}
	auto, err := choose(imgvec.PrecisionAuto, "", r.Features, false)
	if err == nil && auto.provider == OpenVINO && noOpenVINO != nil {
		auto, err = auto.without(imgvec.PrecisionAuto, noOpenVINO)
	}
	if err != nil {
		panic("imgvec: BUG: no automatic precision: " + err.Error())
	}
	r.Precision, r.Provider, r.Reason = auto.precision, auto.provider, auto.reason
	return r
}
