package ort

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
)

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
	Versions map[string]string `json:"versions,omitempty"` // of each library that tells, by its name: "cuDNN": "9.14.0"
	Tried    []string          `json:"tried,omitempty"`    // every path looked at
}

// DeviceOptions say how to open a model on a device.
type DeviceOptions struct {
	Provider GPUProvider
	Ordinal  int     // of the device, as CUDA counts
	Stream   uintptr // CUstream on which everything is queued; 0: the provider makes its own, and Run waits for it
	// Options are further ones of the provider, under ONNX Runtime's own keys; those that a field stands for are
	// overwritten. With TensorRT, those of the CUDA provider behind it begin with "cuda.". Entries of the session's
	// configuration begin with "session." as ONNX Runtime names them. Host takes those of the session only.
	Options map[string]string
	// Graph: a binding with a number is captured as a CUDA graph in its first run, which runs the model several times and
	// waits for it, and replayed from then on. While it captures, a call on another thread that allocates or frees device
	// memory or waits for the device fails, and the capture with it, unless that thread is relaxed, as internal/cuda's are. A
	// model that can't be captured, because work on data is left to the CPU, is an error of OpenDevice.
	Graph bool
	Fold  bool // as in Options
}

// DeviceTensor is memory on a device seen as a tensor. The memory stays its owner's.
type DeviceTensor struct {
	Addr    uint64 // of the first byte
	Element ElementType
	Shape   []int64
}

// bytes is the size of the tensor's memory.
func (t DeviceTensor) bytes() int { return Elements(t.Shape) * t.Element.Size() }

// behind is the prefix of options for the CUDA provider behind TensorRT, ofSession that of the session's own.
const (
	behind    = "cuda."
	ofSession = "session."
)

// Keys of provider options that a field of DeviceOptions stands for, and of a run's.
const (
	keyDevice    = "device_id"
	keyHasStream = "has_user_compute_stream"
	keyStream    = "user_compute_stream"
	keyGraph     = "enable_cuda_graph"
	keyTRTGraph  = "trt_cuda_graph_enable"
	keyNoSync    = "disable_synchronize_execution_providers"
	keyGraphID   = "gpu_graph_id"
)

// cuda are the options of the CUDA provider, the only one or the one behind TensorRT. They must be set in one call: each
// sets all that it does not name back.
func (o DeviceOptions) cuda() map[string]string {
	options := map[string]string{}
	for key, value := range o.Options {
		switch rest, second := strings.CutPrefix(key, behind); {
		case o.Provider == TensorRT && second:
			options[rest] = value
		case o.Provider == CUDA && !strings.HasPrefix(key, ofSession):
			options[key] = value
		}
	}
	o.place(options)
	options[keyGraph] = flag(o.Graph && o.Provider == CUDA)
	return options
}

// tensorRT are the options of the TensorRT provider.
func (o DeviceOptions) tensorRT() map[string]string {
	options := map[string]string{}
	for key, value := range o.Options {
		if !strings.HasPrefix(key, behind) && !strings.HasPrefix(key, ofSession) {
			options[key] = value
		}
	}
	o.place(options)
	options[keyTRTGraph] = flag(o.Graph)
	return options
}

// place sets the device and the stream. A stream counts only where both of its keys are there.
func (o DeviceOptions) place(options map[string]string) {
	options[keyDevice] = strconv.Itoa(o.Ordinal)
	delete(options, keyHasStream)
	delete(options, keyStream)
	if o.Stream != 0 {
		options[keyHasStream] = "1"
		options[keyStream] = strconv.FormatUint(uint64(o.Stream), 10)
	}
}

// session are the session's own entries.
func (o DeviceOptions) session() map[string]string {
	entries := map[string]string{"session.intra_op.allow_spinning": "0"}
	if o.Fold {
		entries[foldKey] = "1"
	}
	maps.Copy(entries, o.Options)
	maps.DeleteFunc(entries, func(key, _ string) bool { return !strings.HasPrefix(key, ofSession) })
	return entries
}

// run are the entries of a run's options: graph is the binding's number, 0 for none.
func (o DeviceOptions) run(graph int) map[string]string {
	entries := map[string]string{}
	if o.Stream != 0 {
		entries[keyNoSync] = "1"
	}
	switch {
	case o.Graph && graph > 0:
		entries[keyGraphID] = strconv.Itoa(graph)
	case o.Graph:
		entries[keyGraphID] = "-1" // neither captured nor replayed
	}
	return entries
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// fits tells why a tensor can't be bound.
func (t DeviceTensor) fits() error {
	for _, d := range t.Shape {
		if d <= 0 {
			return fmt.Errorf("imgvec: BUG: bind a tensor of shape %v", t.Shape)
		}
	}
	if t.Addr == 0 || t.bytes() == 0 {
		return fmt.Errorf("imgvec: BUG: bind a tensor of %v at %#x", t.Element, t.Addr)
	}
	return nil
}

// deviceError makes a failure of ONNX Runtime on a device ours: out of memory and a device that is gone for this process
// are told apart by the words, because ONNX Runtime's code is the same for all.
func deviceError(op string, code int, text string) error {
	wrapped := &imgvec.NativeError{Lib: "onnxruntime", Op: op, Code: code, Msg: text}
	switch {
	case outOfMemory(text):
		return fmt.Errorf("%w: %w", imgvec.ErrOutOfMemory, wrapped)
	case deviceLost(text):
		return fmt.Errorf("device lost: %w: %w", imgvec.ErrNoDevice, wrapped)
	}
	return wrapped
}
