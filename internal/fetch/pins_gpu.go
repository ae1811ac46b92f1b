package fetch

import (
	"fmt"
	"runtime"
)

// Folders of the GPU's libraries, below the home folder.
const (
	GPURuntimeDir = "lib/onnxruntime-gpu"
	CUDADir       = "lib/cuda"
)

// gpuLinuxAMD64 are what NVIDIA GPUs need besides their driver: ONNX Runtime with its CUDA and TensorRT providers, and the
// libraries of CUDA 13.0 (the oldest that this build takes, so that the oldest drivers that can do) and cuDNN 9.
// ONNX Runtime opens cuFFT for Fourier transforms only, which no image model has: it is not here. TensorRT is not
// published as a wheel that can build engines.
var gpuLinuxAMD64 = []Piece{
	{
		Pin: Pin{
			Name: "onnxruntime-gpu", Version: "1.30.0", Python: "311", Size: 246658419,
			File:   "onnxruntime_gpu-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl",
			SHA256: "4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa",
		},
		Dir: GPURuntimeDir, What: "ONNX Runtime for CUDA 13",
		Members: []Member{
			{"onnxruntime/capi/libonnxruntime.so.1.30.0", "libonnxruntime.so.1.30.0", 29062976, "5a140dc17c8b60b35b2ceab0bb533e65ac54f06a208948417c1f9c31df6afc4c"},
			{"onnxruntime/capi/libonnxruntime_providers_shared.so", "libonnxruntime_providers_shared.so", 14632, "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d"},
			{"onnxruntime/capi/libonnxruntime_providers_cuda.so", "libonnxruntime_providers_cuda.so", 272049904, "9d7587acb137b31bf84e4d32dc444b969bb601d098b01395effcacfe4341e364"},
			{"onnxruntime/capi/libonnxruntime_providers_tensorrt.so", "libonnxruntime_providers_tensorrt.so", 990656, "4365c6412845f42d7de138055ad3dcff5d0fbca2d748e30e8a04aa3ab0643337"},
			{"onnxruntime/LICENSE", "LICENSE.onnxruntime", 1073, "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c"},
			{"onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.onnxruntime.txt", 338088, "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3"},
			{"onnxruntime/Privacy.md", "Privacy.onnxruntime.md", 4696, "9703b86132bbe407a7138f9a45689e6996a8ab0ac670529d3699ce753f67538e"},
		},
	},
	{
		Pin: Pin{
			Name: "nvidia-cuda-runtime", Version: "13.0.96", Python: "311", Size: 2243632,
			File:   "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
			SHA256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
		},
		Dir: CUDADir, What: "CUDA runtime",
		Members: []Member{
			{"nvidia/cu13/lib/libcudart.so.13", "libcudart.so.13", 704288, "96c42e418cec19054186b9429c321603cc190bf26a18104e19408117a2a817b0"},
			{"nvidia_cuda_runtime-13.0.96.dist-info/licenses/License.txt", "LICENSE.cuda-runtime", cudaLicence.size, cudaLicence.sum},
		},
	},
	{
		Pin: Pin{
			Name: "nvidia-cublas", Version: "13.0.2.14", Python: "311", Size: 420882912,
			File:   "nvidia_cublas-13.0.2.14-py3-none-manylinux_2_27_x86_64.whl",
			SHA256: "0cf238ffdbe46c00cb9aa98e7bca745c223a5ca5a53e686ac8b3e5a08fe80d6c",
		},
		Dir: CUDADir, What: "cuBLAS",
		Members: []Member{
			{"nvidia/cu13/lib/libcublasLt.so.13", "libcublasLt.so.13", 539533072, "4c15f403ac2a8040a3291d07f6c351b5c1f730b45f2ea41f302e415e9600655b"},
			{"nvidia/cu13/lib/libcublas.so.13", "libcublas.so.13", 54440120, "1d5f1452af53a0b1cf36bc7d8116d2a22a5f2cffbaa8fca25a1b70360a2e8d7a"},
			{"nvidia_cublas-13.0.2.14.dist-info/licenses/License.txt", "LICENSE.cublas", cudaLicence.size, cudaLicence.sum},
		},
	},
	{
		Pin: Pin{
			Name: "nvidia-curand", Version: "10.4.0.35", Python: "311", Size: 59544258,
			File:   "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
			SHA256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
		},
		Dir: CUDADir, What: "cuRAND",
		Members: []Member{
			{"nvidia/cu13/lib/libcurand.so.10", "libcurand.so.10", 132698328, "b53732a66b302b11926e00f762e2c2ba67058347ff93cf4ae709de45e93e06da"},
			{"nvidia_curand-10.4.0.35.dist-info/licenses/License.txt", "LICENSE.curand", cudaLicence.size, cudaLicence.sum},
		},
	},
	{
		Pin: Pin{
			Name: "nvidia-cuda-nvrtc", Version: "13.0.88", Python: "311", Size: 90215200,
			File:   "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
			SHA256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
		},
		Dir: CUDADir, What: "NVRTC",
		Members: []Member{
			{"nvidia/cu13/lib/libnvrtc.so.13", "libnvrtc.so.13", 109338064, "a49e67e8e74590f1e98de55c39c6287efd3f59e3c3797464d7bbe0fe01349b11"},
			{"nvidia/cu13/lib/libnvrtc-builtins.so.13.0", "libnvrtc-builtins.so.13.0", 4380616, "91dcd944d01da9c0f08fff5d779db136a47f6d62bdb63bae900d2f481e92c3a2"},
			{"nvidia_cuda_nvrtc-13.0.88.dist-info/licenses/License.txt", "LICENSE.nvrtc", cudaLicence.size, cudaLicence.sum},
		},
	},
	{
		Pin: Pin{
			Name: "nvidia-cudnn-cu13", Version: "9.14.0.64", Python: "311", Size: 350763257,
			File:   "nvidia_cudnn_cu13-9.14.0.64-py3-none-manylinux_2_27_x86_64.whl",
			SHA256: "024ce8f7571d322991ecadbe82907df2e89b5f36597d03436413ec6dd7c9fe54",
		},
		Dir: CUDADir, What: "cuDNN",
		Members: []Member{
			{"nvidia/cudnn/lib/libcudnn.so.9", "libcudnn.so.9", 125144, "6236c8c4052ee9e7ee4f3e67f12a6253a738c782a9b0e7e18e6af3310ba2fdc7"},
			{"nvidia/cudnn/lib/libcudnn_graph.so.9", "libcudnn_graph.so.9", 4451872, "a60eb678296280a5dfbca22f2a16edc8e62c4a7b1e98530fffa7dbbeb40dd1c9"},
			{"nvidia/cudnn/lib/libcudnn_ops.so.9", "libcudnn_ops.so.9", 37758664, "9f273296228274ece6982663a3bb552eb094c04fd15de2b8a73520e19a8b3929"},
			{"nvidia/cudnn/lib/libcudnn_cnn.so.9", "libcudnn_cnn.so.9", 4204104, "73b0050755d9042f533ddb90b692546b2290f2b5476b982cd0cd992360302673"},
			{"nvidia/cudnn/lib/libcudnn_adv.so.9", "libcudnn_adv.so.9", 107070720, "65c6dbc239b4a55d51d29c3499e6cb3cb8660336284555939ab9b096346b3fb0"},
			{"nvidia/cudnn/lib/libcudnn_heuristic.so.9", "libcudnn_heuristic.so.9", 56629648, "746e39f78744e2f7d06dc101b71e1b7b2a933a2330dc476e0427e89756ab6787"},
			{"nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9", "libcudnn_engines_precompiled.so.9", 234907992, "762a024b68f45ecea2484fb43a40c9f25bdd0b398c6442583d9d75128505ed0a"},
			{"nvidia/cudnn/lib/libcudnn_engines_runtime_compiled.so.9", "libcudnn_engines_runtime_compiled.so.9", 27290104, "3d94bd79fe0804e3c4a0af4c7f181b45df2c5224965b503dbe9d12126777e126"},
			{"nvidia_cudnn_cu13-9.14.0.64.dist-info/licenses/License.txt", "LICENSE.cudnn", 18174, "49cf79bdb35734b52fe6203013b3bd759f81e998cd32aa2c65c51db9a88c61d2"},
		},
	},
}

// cudaLicence is the text that goes with each of CUDA's libraries.
var cudaLicence = struct {
	size int64
	sum  string
}{59262, "ad6f5853fba0ca0d159d0f58d49ae49830c2f8c93f7a92648b9ce90adb4c6ccd"}

// GPUPieces lists what [Setup] adds to [Pieces] where the GPU's libraries are asked for.
func GPUPieces() ([]Piece, error) { return gpuPiecesFor(runtime.GOOS, runtime.GOARCH) }

func gpuPiecesFor(goos, goarch string) ([]Piece, error) {
	if goos == "linux" && goarch == "amd64" {
		return gpuLinuxAMD64, nil
	}
	return nil, fmt.Errorf("imgvec: set up: no GPU libraries are pinned for %s/%s, only for linux/amd64", goos, goarch)
}
