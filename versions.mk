# Every version that this project pins and that is not in go.mod, in one place.
# internal/fetch/pins.go holds the wheels for the program; repo_test.go holds the two equal.

# Native libraries and the default model: Python wheels, fetched by `imgvec setup`.
ONNXRUNTIME_VERSION := 1.30.0
ONNXRUNTIME_SHA256 := fd54b314ea385bcecac69ab431f020ba503e3878dad4ebb645fec5a24b041242
OPENVINO_EP_VERSION := 1.8.1
OPENVINO_EP_SHA256 := 3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924
PILLOW_VERSION := 13.0.0
PILLOW_SHA256 := a625df9a2a5597fa5e5266e01aefc82604bb85d291e3547981e863560d75da6c
EFFICIENTNET_LITE0_VERSION := 0.1.0
EFFICIENTNET_LITE0_SHA256 := f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
EFFICIENTNET_LITE1_VERSION := 0.1.0
EFFICIENTNET_LITE1_SHA256 := aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24
EFFICIENTNET_LITE2_VERSION := 0.1.0
EFFICIENTNET_LITE2_SHA256 := a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d

# The headers that the driver face (-tags cuda) is compiled against where no CUDA toolkit is installed, and the
# compiler of the kernels (make csrc), which needs none: the wheels nvidia-cuda-runtime-cu12 and nvidia-cuda-nvrtc-cu12. PTX
# of NVRTC 12.0 runs on drivers from 525 on. scripts/cuda-env.sh and the Makefile fetch them.
CUDA_HEADERS_VERSION := 12.0.146
CUDA_HEADERS_SHA256 := 18c038592af387684812fa712642aa9a26c12da80acb488b6709f7cced147f71
CUDA_NVRTC_VERSION := 12.0.140
CUDA_NVRTC_SHA256 := 8e94e991d85c422de4da87bdc7472fdc1364367bd4aace7000b559cd33122071

# What NVIDIA GPUs need besides their driver, fetched by `imgvec setup --gpu` (internal/fetch/pins_gpu.go).
ONNXRUNTIME_GPU_VERSION := 1.30.0
ONNXRUNTIME_GPU_SHA256 := 4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa
CUDA_RUNTIME_VERSION := 13.0.96
CUDA_RUNTIME_SHA256 := 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
CUBLAS_VERSION := 13.0.2.14
CUBLAS_SHA256 := 0cf238ffdbe46c00cb9aa98e7bca745c223a5ca5a53e686ac8b3e5a08fe80d6c
CURAND_VERSION := 10.4.0.35
CURAND_SHA256 := 1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc
NVRTC_VERSION := 13.0.88
NVRTC_SHA256 := ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575
CUDNN_VERSION := 9.14.0.64
CUDNN_SHA256 := 024ce8f7571d322991ecadbe82907df2e89b5f36597d03436413ec6dd7c9fe54

# Servers that speak the protocols of S3 and Google Cloud Storage on this machine, for the tests of package store (make objects).
VERSITYGW_VERSION := v1.2.0
FAKE_GCS_SERVER_VERSION := v1.56.1

# Tools of `make lint` and `make vuln`, run as `go run module@version`.
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0

# Python packages that open the command's Parquet files in its tests.
PYARROW_VERSION := 26.0.1
PANDAS_VERSION := 3.1.1
DUCKDB_VERSION := 2.0.0
POLARS_VERSION := 2.1.0

# The wheel of the Python package (scripts/wheel.sh): zig compiles the command for an old glibc (the wheel ziglang for
# x86-64), hatchling packs, auditwheel checks.
ZIG_VERSION := 0.17.1
ZIG_SHA256 := ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54
HATCHLING_VERSION := 1.33.0
AUDITWHEEL_VERSION := 6.8.2

# What the Python package is tested with: without Spark, on the oldest Spark that it takes, and on the newest.
PYTEST_VERSION := 9.2.0
RUFF_VERSION := 0.17.6
NUMPY_VERSION := 2.4.6
SPARK35_VERSION := 3.5.9
SPARK35_PYARROW_VERSION := 21.0.0
SPARK35_PANDAS_VERSION := 2.3.3
SPARK4_VERSION := 4.3.0

# What model importers and presets are compared with (make test-models): the references' own code, with random weights.
TORCH_VERSION := 2.15.0
TORCHVISION_VERSION := 0.29.2
TIMM_VERSION := 1.0.31
TRANSFORMERS_VERSION := 5.23.0
OPEN_CLIP_VERSION := 3.3.0
EFFICIENTNET_LITE_PYTORCH_VERSION := 0.1.0
SAFETENSORS_VERSION := 0.8.0
ONNX_VERSION := 1.23.2
