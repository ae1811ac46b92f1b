package ort

// GPUProvider is an execution provider for sessions whose tensors stay on a device.
type GPUProvider string

// The providers. Host is ONNX Runtime's CPU provider on the memory of the simulated driver, which is host memory: it
// computes what a GPU would, through the same code, and is for tests only.
const (
	CUDA     GPUProvider = "cuda"
	TensorRT GPUProvider = "tensorrt"
	Host     GPUProvider = "host"
)

// GPULibraries says which libraries a provider uses.
type GPULibraries struct {
	Provider string            `json:"provider,omitempty"` // for people: "ONNX Runtime 1.30.0, CUDA 13.0"
	Path     string            `json:"path,omitempty"`     // of the provider's own library
	Versions map[string]string `json:"versions,omitempty"` // "ONNX Runtime", "CUDA", "cuDNN", "cuBLAS", "TensorRT": as far as the libraries tell
	Tried    []string          `json:"tried,omitempty"`    // every path looked at
}

// DeviceOptions say how to open a model on a device.
type DeviceOptions struct {
	Provider GPUProvider
	Ordinal  int     // of the device, as CUDA counts
	Stream   uintptr // CUstream on which everything is queued; 0: the provider makes its own
	// Options are further ones of the provider, under ONNX Runtime's own keys. With TensorRT, those of the CUDA provider
	// behind it begin with "cuda.".
	Options map[string]string
	// Graph: a binding with a number is captured as a CUDA graph at its first runs and replayed later. A model that has
	// nodes off the device is an error then.
	Graph bool
}

// DeviceTensor is memory on a device seen as a tensor. The memory stays its owner's.
type DeviceTensor struct {
	Addr    uint64 // of the first byte
	Element ElementType
	Shape   []int64
}

// bytes is the size of the tensor's memory.
func (t DeviceTensor) bytes() int { return Elements(t.Shape) * t.Element.Size() }
