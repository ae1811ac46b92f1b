package gpu

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// The execution providers that Options.Provider names.
const (
	TensorRT = "tensorrt"
	CUDA     = "cuda"
)

// What Options take for zero.
const (
	defaultStreams = 2
	defaultBatch   = 64
)

// Options say how to open a model on one device. The zero value but for Device and Precision is the default.
type Options struct {
	Device    string           // one of Devices' names: "cuda:0"
	Precision imgvec.Precision // FP16, FP32; INT8 for a quantised model. Never auto: the caller decides
	Provider  string           // "": TensorRT where it can be used and the precision is FP16 or INT8, else CUDA; TensorRT; CUDA
	Streams   int              // batches in flight; 0: 2
	Batch     int              // images of the largest bucket; 0: 64
	Normalize bool             // scale each feature vector to length 1 (L2), on the device

	LibraryDir string // where ONNX Runtime and its providers lie; "": the usual places
	CacheDir   string // of converted models and TensorRT engines; "": HOME/cache/gpu, see package home
	// Session holds further options under ONNX Runtime's own keys, in place of ours: those of TensorRT's provider
	// ("trt_builder_optimization_level"), of the CUDA provider ("use_tf32", "prefer_nhwc", "cudnn_conv_algo_search",
	// "gpu_mem_limit"; also where it stands behind TensorRT), and of the session ("session.disable_prepacking"). Those of a
	// provider that does not run the model are left out.
	Session map[string]string
	// Deterministic leaves cuDNN no choice by trial, which may give other last bits in another stream, device or run.
	Deterministic bool
	// Log gets what a person should know while the model opens: that an engine is built, a damaged cache is made anew, or
	// another provider is taken. May be nil.
	Log func(string)
}

// Info says what runs the model, for summaries and metadata.
type Info struct {
	Device    string            `json:"device"`   // "cuda:0 (NVIDIA H100 80GB HBM3)"
	Provider  string            `json:"provider"` // "TensorRT 10.15.1", "ONNX Runtime CUDA 13.0", "ONNX Runtime CPU (simulated GPU)"
	Precision imgvec.Precision  `json:"precision"`
	Streams   int               `json:"streams"`
	Batch     int               `json:"batch"`     // images of the largest bucket
	Buckets   []int             `json:"buckets"`   // sizes that batches run in, rising
	Graphs    bool              `json:"graphs"`    // each bucket is a CUDA graph
	NUMANode  int               `json:"numa_node"` // that the device hangs on; -1: unknown
	Versions  map[string]string `json:"versions"`  // of libraries, by name
	Reason    string            `json:"reason"`    // why this provider, in one line; "" where it was asked for
}

// withDefaults fills the zero values in, after it has refused what can't be.
func (o Options) withDefaults(spec imgvec.Spec) (Options, error) {
	if err := o.check(spec); err != nil {
		return o, err
	}
	if o.Streams == 0 {
		o.Streams = defaultStreams
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if spec.MaxBatch > 0 {
		o.Batch = min(o.Batch, spec.MaxBatch)
	}
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(home.Dir(), "cache", "gpu")
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return o, nil
}

func (o Options) check(spec imgvec.Spec) error {
	switch {
	case o.Provider != "" && o.Provider != TensorRT && o.Provider != CUDA:
		return fmt.Errorf("imgvec: open model on a GPU: provider %q is unknown (%s, %s)", o.Provider, TensorRT, CUDA)
	case o.Streams < 0 || o.Streams > 64 || o.Batch < 0 || o.Batch > 1<<16:
		return fmt.Errorf("imgvec: open model on a GPU: %d streams of batches of %d images are out of range", o.Streams, o.Batch)
	case spec.Dim <= 0 || spec.MaxBatch < 0:
		return fmt.Errorf("imgvec: open model %q: %w: %d features, batches of %d", spec.Model, imgvec.ErrModel, spec.Dim, spec.MaxBatch)
	}
	if err := spec.Preset.Check(); err != nil {
		return fmt.Errorf("imgvec: open model %q: %w: %w", spec.Model, imgvec.ErrModel, err)
	}
	return o.checkPrecision()
}

func (o Options) checkPrecision() error {
	switch o.Precision {
	case imgvec.FP16, imgvec.FP32, imgvec.INT8:
		return nil
	case imgvec.BF16:
		return refuse(o.Precision, "GPUs are as fast in fp16, which is more exact")
	}
	return refuse(o.Precision, "it is none that a GPU can be asked for (fp16, fp32, int8)")
}

func refuse(p imgvec.Precision, why string) error {
	return fmt.Errorf("imgvec: open model on a GPU in %s: %w: %s", p, imgvec.ErrPrecision, why)
}

// prefix of device names; the ordinal follows.
const prefix = string(imgvec.DeviceCUDA) + ":"

// ordinal is the device's number.
func (o Options) ordinal() (int, error) {
	text, ok := strings.CutPrefix(o.Device, prefix)
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("imgvec: open GPU %q: %w: it is no name that gpu.Devices gives (cuda:0)", o.Device, imgvec.ErrNoDevice)
	}
	return n, nil
}
