package executor

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/preprocess"
)

// defaultMaxQueueDelay is for how long a batch that is not full waits for more images of a slow input.
const defaultMaxQueueDelay = 20 * time.Millisecond

// Options say what an executor runs, where and how. The zero value is the default model on the best device in the best
// precision that holds its accuracy.
type Options struct {
	// Model is the name of an installed model, a model folder, or an ONNX file; "" is model.Default.
	Model string
	// Output names the graph's output that holds the features; "": the model's manifest tells, or it is found.
	Output string
	// Device is "auto" (or ""), "cpu", "cuda", "cuda:0,2": see imgvec.ParseDevices. auto is every GPU that works, and the
	// CPU where none does; of devices that are named each must work.
	Device string
	// Precision is what the session computes in; "" and auto: the device's best that holds the model's accuracy.
	Precision imgvec.Precision

	Batch   int // images a batch; 0: by device, 8 on a CPU, 64 on a GPU
	Workers int // goroutines that decode; 0: one a core, and on GPUs one more for each stream, since those only wait
	Streams int // batches that run at once on one device; 0: by device, 2 on a GPU

	// Provider is the execution provider on GPUs: gpu.TensorRT ("tensorrt") or gpu.CUDA ("cuda"); "": TensorRT where it can
	// be used, else CUDA. With one named the CPU is no choice for auto.
	Provider string
	// Session holds options of the GPUs' provider under ONNX Runtime's own keys ("gpu_mem_limit", ...): see gpu.Options.
	Session map[string]string
	// CacheDir is where models converted for GPUs and TensorRT's engines are kept; "": cache/gpu in the home folder.
	CacheDir string

	// Preprocess holds the limits on images and how odd ones are read.
	Preprocess preprocess.Options
	// Deterministic pads every batch to one size, so that an image's features do not depend on how many others were
	// there: devices choose their kernels by shape, and sums in another order differ in their last bits.
	Deterministic bool
	// Normalize scales each feature vector to length 1 (L2).
	Normalize bool

	// MaxQueueDelay is for how long a Stream whose input is slow waits with a batch that is not full; 0: 20 ms.
	MaxQueueDelay time.Duration
	// DeviceTimeout is the time after which a GPU that does not answer to a batch counts as lost; 0: 2 minutes. It must be
	// longer than the slowest batch. A CPU has none.
	DeviceTimeout time.Duration

	// Logger gets what a person should know: a fallback, a retry, a lost device. nil: nobody does, but Stats has it.
	Logger *slog.Logger
	// LibraryDir is where ONNX Runtime lies; "": the usual places.
	LibraryDir string
}

func (o Options) check() error {
	switch {
	case o.Batch < 0 || o.Batch > 1<<16:
		return fmt.Errorf("imgvec: open executor: batch of %d images is out of range (1 to 65536)", o.Batch)
	case o.Workers < 0 || o.Workers > 1<<12:
		return fmt.Errorf("imgvec: open executor: %d workers are out of range (1 to 4096)", o.Workers)
	case o.Streams < 0 || o.Streams > 1<<12:
		return fmt.Errorf("imgvec: open executor: %d streams are out of range (1 to 4096)", o.Streams)
	case o.MaxQueueDelay < 0 || o.DeviceTimeout < 0:
		return fmt.Errorf("imgvec: open executor: a queue delay of %v or device timeout of %v is negative", o.MaxQueueDelay, o.DeviceTimeout)
	}
	if err := o.checkProvider(); err != nil {
		return err
	}
	_, err := imgvec.ParsePrecision(string(o.Precision))
	return err
}

func (o Options) checkProvider() error {
	if o.Provider != "" && o.Provider != gpu.TensorRT && o.Provider != gpu.CUDA {
		return fmt.Errorf("imgvec: open executor: provider %q is unknown (%s, %s)", o.Provider, gpu.TensorRT, gpu.CUDA)
	}
	if o.Device == string(imgvec.DeviceCPU) && (o.Provider != "" || len(o.Session) > 0) {
		return fmt.Errorf("imgvec: open executor: device %q has no provider to choose or to tune: that is for GPUs", o.Device)
	}
	return nil
}

// config is what the options say of an executor, without its devices.
func (o Options) config(spec imgvec.Spec) config {
	c := config{
		spec: spec, deterministic: o.Deterministic, normalize: o.Normalize,
		delay: o.MaxQueueDelay, maxRead: o.Preprocess.MaxBytes, log: o.Logger,
	}
	if c.delay == 0 {
		c.delay = defaultMaxQueueDelay
	}
	if c.maxRead <= 0 {
		c.maxRead = preprocess.DefaultMaxBytes
	}
	return c
}
