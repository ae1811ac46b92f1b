package ort

// OpenVINOName is the execution provider's device, exactly: the plugin may list "OpenVINOExecutionProvider.AUTO" too.
const OpenVINOName = "OpenVINOExecutionProvider"

// registration is the name under which the plugin is registered with ONNX Runtime.
const registration = "imgvec.openvino"

// OpenVINO says which OpenVINO plugin the process uses, or why none.
type OpenVINO struct {
	Path  string   `json:"path,omitempty"` // of the plugin; "" where the host program registered it
	Tried []string `json:"tried,omitempty"`
}
