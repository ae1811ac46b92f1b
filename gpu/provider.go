package gpu

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/ort"
)

// simulatedProvider is what runs the network on the simulated driver.
const simulatedProvider = "ONNX Runtime CPU (simulated GPU)"

// chooseProvider takes the provider that was asked for, or the fastest one that this machine can use.
func (o *opening) chooseProvider() error {
	switch {
	case o.driver.Simulated:
		return o.use(ort.Host, "")
	case o.Provider == CUDA:
		return o.use(ort.CUDA, "")
	case o.Provider == TensorRT:
		return o.use(ort.TensorRT, "")
	case o.Precision == imgvec.FP32:
		return o.use(ort.CUDA, "fp32: TensorRT would use TF32")
	}
	err := o.use(ort.TensorRT, "")
	if err == nil {
		return nil
	}
	return o.use(ort.CUDA, "TensorRT is not used: "+short(err))
}

// use opens a provider's libraries.
func (o *opening) use(p ort.GPUProvider, reason string) (err error) {
	o.provider, o.reason = p, reason
	o.libraries, err = ort.StartGPU(p, o.LibraryDir)
	ort.FixSignals()
	return err
}

// short is the first line of an error: the report of imgvec doctor has the rest.
func short(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(text, ":")
}

// graphs tells whether each bucket becomes a CUDA graph.
func (o *opening) graphs() bool {
	return o.provider == ort.CUDA && o.Session["enable_cuda_graph"] != "0" ||
		o.provider == ort.TensorRT && o.Session["trt_cuda_graph_enable"] == "1"
}

// session is how to open one stream's session.
func (o *opening) session(compute uintptr) ort.DeviceOptions {
	d := ort.DeviceOptions{Provider: o.provider, Ordinal: o.device.Ordinal, Stream: compute, Graph: o.graphs(), Fold: o.fold}
	switch o.provider {
	case ort.CUDA:
		d.Options = o.cudaOptions("")
	case ort.TensorRT:
		d.Options = o.tensorRTOptions()
		maps.Copy(d.Options, o.cudaOptions("cuda."))
	default:
		return d
	}
	maps.Copy(d.Options, o.Session)
	return d
}

// cudaOptions are ours for the CUDA provider: cuDNN may try every algorithm and use what workspace it likes, and fp32 is
// fp32.
func (o *opening) cudaOptions(prefix string) map[string]string {
	return map[string]string{
		prefix + "cudnn_conv_algo_search":       "EXHAUSTIVE",
		prefix + "cudnn_conv_use_max_workspace": "1",
		prefix + "arena_extend_strategy":        "kSameAsRequested",
		prefix + "use_tf32":                     "0",
	}
}

// tensorRTOptions are ours for TensorRT: one profile a bucket, so that kernels are chosen for exactly its size.
func (o *opening) tensorRTOptions() map[string]string {
	shapes := o.profile(buckets(o.batch, o.fit.Fixed))
	options := map[string]string{
		"trt_profile_min_shapes":  shapes,
		"trt_profile_opt_shapes":  shapes,
		"trt_profile_max_shapes":  shapes,
		"trt_engine_cache_enable": "1",
		"trt_engine_cache_path":   o.engines,
		"trt_timing_cache_enable": "1",
		"trt_timing_cache_path":   o.engines,
	}
	if o.Precision == imgvec.FP16 {
		options["trt_fp16_enable"] = "1"
	}
	return options
}

// profile writes the input's shape for each bucket as ONNX Runtime wants it: "input:1x3x224x224,input:8x3x224x224".
func (o *opening) profile(sizes []int) string {
	list := make([]string, len(sizes))
	for i, n := range sizes {
		shape := ort.InputShape(o.spec, int64(n))
		axes := make([]string, len(shape))
		for j, d := range shape {
			axes[j] = strconv.FormatInt(d, 10)
		}
		list[i] = fmt.Sprintf("%s:%s", o.spec.Input, strings.Join(axes, "x"))
	}
	return strings.Join(list, ",")
}
