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

# Tools of `make lint` and `make vuln`, run as `go run module@version`.
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0

# Python packages that open the command's Parquet files in its tests.
PYARROW_VERSION := 26.0.1
PANDAS_VERSION := 3.1.1
DUCKDB_VERSION := 2.0.0
POLARS_VERSION := 2.1.0
