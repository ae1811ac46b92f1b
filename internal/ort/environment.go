package ort

import "sync"

// Environment says which ONNX Runtime the process uses.
type Environment struct {
	Version string   `json:"version,omitempty"`
	Path    string   `json:"path,omitempty"` // of the library; "" where the host program opened it
	By      string   `json:"by,omitempty"`   // why that one: "option", a variable's name, "executable", "home", "cache", "loader", "host program"
	Tried   []string `json:"tried,omitempty"`
}

// telemetryVariable turns off the uploader of ONNX Runtime's official builds, before the environment exists.
const telemetryVariable = "ORT_DISABLE_TELEMETRY"

// process is what exists once per process: ONNX Runtime allows one environment, and one that was destroyed can't be
// made again. A failed start is not kept: the library may be installed meanwhile.
var process struct {
	sync.Mutex
	started     bool
	environment Environment
	plugin      plugin
	gpu         map[GPUProvider]GPULibraries // those that started
}
