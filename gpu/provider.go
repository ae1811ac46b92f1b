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
	case o.Provider == TensorRT && o.Precision == imgvec.FP32:
		return refuse(imgvec.FP32, "TensorRT would compute it in TF32; use fp16, or the provider "+CUDA)
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

// session is how to open a stream's session for the given buckets.
func (o *opening) session(compute uintptr, sizes []int) ort.DeviceOptions {
	d := ort.DeviceOptions{Provider: o.provider, Ordinal: o.device.Ordinal, Stream: compute, Graph: o.graphs, Fold: o.fold}
	switch o.provider {
	case ort.CUDA:
		d.Options = o.cudaOptions("")
	case ort.TensorRT:
		d.Options = o.tensorRTOptions(sizes)
		maps.Copy(d.Options, o.cudaOptions(behind))
	default:
		d.Options = map[string]string{}
	}
	for key, value := range o.Session {
		if key := o.place(key); key != "" {
			d.Options[key] = value
		}
	}
	return d
}

// behind is how keys of the CUDA provider begin where it stands behind TensorRT.
const behind = "cuda."

// place is the key under which the session takes a user's option; "" where it belongs to a provider that is not used.
func (o *opening) place(key string) string {
	switch {
	case strings.HasPrefix(key, "session."):
		return key
	case strings.HasPrefix(key, "trt_"):
		if o.provider == ort.TensorRT {
			return key
		}
		return ""
	case o.provider == ort.TensorRT:
		return behind + strings.TrimPrefix(key, behind)
	case o.provider == ort.CUDA:
		return strings.TrimPrefix(key, behind)
	}
	return ""
}

// cudaOptions are ours for the CUDA provider: cuDNN may try every algorithm and use what workspace it likes, and fp32 is
// fp32. What it finds best differs from one trial to the next, and so do the last bits of features.
func (o *opening) cudaOptions(prefix string) map[string]string {
	search := "EXHAUSTIVE"
	if o.Deterministic {
		search = "HEURISTIC"
	}
	return map[string]string{
		prefix + "cudnn_conv_algo_search":       search,
		prefix + "cudnn_conv_use_max_workspace": "1",
		prefix + "arena_extend_strategy":        "kSameAsRequested",
		prefix + "use_tf32":                     "0",
	}
}

// buckets are the sizes that batches run in.
func (o *opening) buckets() []int {
	if o.provider == ort.TensorRT {
		return buckets(o.batch, o.fit.Fixed, shrinkTensorRT)
	}
	return buckets(o.batch, o.fit.Fixed, shrink)
}

// perSession cuts the buckets into those that share a session. ONNX Runtime uses the first profile of a TensorRT engine
// only, and one CUDA graph a session, so each bucket has a session there, with kernels chosen for exactly its size.
func (o *opening) perSession() [][]int {
	sizes := o.buckets()
	if o.provider != ort.TensorRT {
		return [][]int{sizes}
	}
	var each [][]int
	for _, n := range sizes {
		each = append(each, []int{n})
	}
	return each
}

// tensorRTOptions are ours for TensorRT, for a session of these buckets. Its engines lie in a folder of their own: ONNX
// Runtime's names for them do not tell profiles apart.
func (o *opening) tensorRTOptions(sizes []int) map[string]string {
	most := sizes[len(sizes)-1]
	options := map[string]string{
		"trt_engine_cache_prefix": "model", // else it is a hash of the file's name
		"trt_engine_cache_enable": "1",
		"trt_engine_cache_path":   o.engineFolder(most),
		"trt_timing_cache_enable": "1",
		"trt_timing_cache_path":   o.engines, // what one bucket's build has timed serves the next
	}
	if o.Precision == imgvec.FP16 {
		options["trt_fp16_enable"] = "1"
	}
	if o.fit.Fixed == 0 {
		options["trt_profile_min_shapes"] = o.profile(sizes[0])
		options["trt_profile_opt_shapes"], options["trt_profile_max_shapes"] = o.profile(most), o.profile(most)
	}
	return options
}

// profile writes the input's shape for a bucket as ONNX Runtime wants it: "input:8x3x224x224".
func (o *opening) profile(n int) string {
	shape := ort.InputShape(o.spec, int64(n))
	axes := make([]string, len(shape))
	for i, d := range shape {
		axes[i] = strconv.FormatInt(d, 10)
	}
	return fmt.Sprintf("%s:%s", o.spec.Input, strings.Join(axes, "x"))
}
