package ort

import (
	"errors"
	"maps"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestProviderOptions(t *testing.T) {
	given := map[string]string{
		"device_id": "7", "user_compute_stream": "9", "use_tf32": "0", "cuda.prefer_nhwc": "1", "session.use_env_allocators": "1",
	}
	for name, c := range map[string]struct {
		got, want map[string]string
	}{
		"cuda": {
			DeviceOptions{Provider: CUDA, Ordinal: 1, Stream: 1 << 60, Graph: true, Options: map[string]string{"use_tf32": "0", "device_id": "7", "session.x": "1"}}.cuda(),
			map[string]string{"device_id": "1", "has_user_compute_stream": "1", "user_compute_stream": "1152921504606846976", "enable_cuda_graph": "1", "use_tf32": "0"},
		},
		"cuda, no stream": {
			DeviceOptions{Provider: CUDA, Options: given}.cuda(),
			map[string]string{"device_id": "0", "enable_cuda_graph": "0", "use_tf32": "0", "cuda.prefer_nhwc": "1"}, // ONNX Runtime refuses what it does not know
		},
		"tensorrt": {
			DeviceOptions{Provider: TensorRT, Ordinal: 2, Stream: 5, Graph: true, Options: given}.tensorRT(),
			map[string]string{"device_id": "2", "has_user_compute_stream": "1", "user_compute_stream": "5", "trt_cuda_graph_enable": "1", "use_tf32": "0"},
		},
		"cuda behind tensorrt": {
			DeviceOptions{Provider: TensorRT, Ordinal: 2, Stream: 5, Graph: true, Options: given}.cuda(),
			map[string]string{"device_id": "2", "has_user_compute_stream": "1", "user_compute_stream": "5", "enable_cuda_graph": "0", "prefer_nhwc": "1"},
		},
		"session": {
			DeviceOptions{Provider: CUDA, Graph: true, Fold: true, Options: given}.session(),
			map[string]string{"session.intra_op.allow_spinning": "0", "session.disable_quant_qdq": "1", "session.use_env_allocators": "1"},
		},
		"session of the host": {
			DeviceOptions{Provider: Host, Graph: true, Options: given}.session(),
			map[string]string{"session.intra_op.allow_spinning": "0", "session.use_env_allocators": "1"},
		},
		"run":                  {DeviceOptions{Stream: 1}.run(3), map[string]string{"disable_synchronize_execution_providers": "1"}},
		"run without a stream": {DeviceOptions{}.run(0), map[string]string{}},
		"run of a graph":       {DeviceOptions{Stream: 1, Graph: true}.run(3), map[string]string{"disable_synchronize_execution_providers": "1", "gpu_graph_id": "3"}},
		"run of no graph":      {DeviceOptions{Stream: 1, Graph: true}.run(0), map[string]string{"disable_synchronize_execution_providers": "1", "gpu_graph_id": "-1"}},
	} {
		if !maps.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	for text, want := range map[string]error{
		"CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=cuda_allocator.cc ; line=48 ; expr=cudaMalloc((void**)&p, size);": imgvec.ErrOutOfMemory,
		"Available memory of 100 is smaller than requested bytes of 200":                                                             imgvec.ErrOutOfMemory,
		"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=h":                                                          imgvec.ErrOutOfMemory,
		"CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h":                                            imgvec.ErrNoDevice,
		"CUDA error 719: unspecified launch failure":                                                                                 imgvec.ErrNoDevice,
		"CUDA failure 1: invalid argument ; GPU=0":                                                                                   nil,
		"CUDA failure 7000: no such code":                                                                                            nil,
		"Got invalid dimensions for input: image":                                                                                    nil,
	} {
		err := deviceError("run", 1, text)
		var native *imgvec.NativeError
		if !errors.As(err, &native) || native.Msg != text || native.Code != 1 {
			t.Errorf("%q: %v", text, err)
		}
		for _, sentinel := range []error{imgvec.ErrOutOfMemory, imgvec.ErrNoDevice} {
			if errors.Is(err, sentinel) != errors.Is(sentinel, want) {
				t.Errorf("%q: %v is %v", text, err, sentinel)
			}
		}
	}
}
