# imgvec: `make` prints the targets. Versions stand in versions.mk and go.mod, nowhere else.
include versions.mk

SHELL := /bin/bash
GO ?= go
PYTHON ?= python3

# Native libraries and models: IMGVEC_HOME, else third_party beside the binary, where ./imgvec looks by itself.
HOME_DIR := $(or $(IMGVEC_HOME),$(CURDIR)/third_party)
export IMGVEC_HOME := $(HOME_DIR)

# For `make run`.
IMAGES ?=
OUT ?= features.parquet
MODEL ?=
BUNDLE ?=

# GPU=off builds without GPU support, and needs no cuda.h. Elsewhere than on Linux there is none to build.
GPU ?= $(if $(filter Linux,$(shell uname -s)),on,off)
TAGS := $(if $(filter-out off,$(GPU)),-tags cuda)
# Puts the flags that find a cuda.h before a Go command.
CUDA_ENV = $(if $(TAGS),CGO_CFLAGS="$$(PYTHON="$(PYTHON)" sh scripts/cuda-env.sh)" && export CGO_CFLAGS &&)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUNDLE_FILE := imgvec-bundle-linux-amd64.tar
GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
CONCURRENT := . ./cpu/... ./executor/... ./internal/... ./preprocess/... ./dataset/... ./gpu/... ./serve/... ./store/...
FUZZTIME ?= 30s
PY_ENV := .cache/python
BROWSER := $(CURDIR)/.cache/browser
SHOTS ?=

comma := ,
.DEFAULT_GOAL := help
.PHONY: help build setup gpu-runtime run test test-sim check fmt vet lint race nocgo sim csrc ptx-check simcheck vuln fuzz bench bench-gpu bench-spark benchtest bundle python objects faults wheel test-wheel test-python test-spark test-models test-models-fast clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: IMAGES=folder OUT=features.parquet MODEL=name (run), BUNDLE=file (setup), IMGVEC_HOME=folder,"
	@echo "  GPU=off (without GPU support; else a cuda.h is needed to build: CUDA_HOME=toolkit, or fetched by pip, 0.8 MB)"

build: ## build ./imgvec
	@command -v gcc >/dev/null || { echo "gcc is missing: apt install gcc, or the like (CGO_ENABLED=0 go build ./cmd/imgvec makes one that can't run models)" >&2; exit 1; }
	$(CUDA_ENV) CGO_ENABLED=1 $(GO) build $(TAGS) -trimpath -ldflags "-X main.version=$(VERSION)" -o imgvec ./cmd/imgvec

setup: build ## fetch the pinned native libraries and the default model (BUNDLE=file: without a network)
	@mkdir -p "$(HOME_DIR)"
	./imgvec setup --home "$(HOME_DIR)" $(if $(BUNDLE),--bundle "$(BUNDLE)")

gpu-runtime: build ## fetch what NVIDIA GPUs need besides their driver: ONNX Runtime, CUDA 13, cuDNN 9 (1.2 GB; BUNDLE=file)
	@mkdir -p "$(HOME_DIR)"
	./imgvec setup --gpu --home "$(HOME_DIR)" $(if $(BUNDLE),--bundle "$(BUNDLE)")

run: setup ## photos in, features out: IMAGES=folder, else on pictures that the project draws
	@images="$(IMAGES)"; images="$${images/#\~\//$$HOME/}"; \
	if [ -z "$$images" ]; then images=.cache/samples; ./imgvec setup --samples "$$images"; fi; \
	./imgvec extract "$$images" --output "$(OUT)" $(if $(MODEL),--model "$(MODEL)") $(if $(filter file,$(origin OUT)),--force)

test: setup $(if $(TAGS),$(if $(shell command -v $(CXX)),sim)) ## set up and run every test (those on the simulated GPU driver need g++)
	$(CUDA_ENV) $(GO) test $(TAGS) -timeout 20m ./...
	$(if $(TAGS),$(GO) test ./internal/cuda ./gpu)

test-sim: sim ## the tests on the simulated GPU driver, with 1, 2 and 8 devices and faults, under the race detector
	$(CUDA_ENV) IMGVEC_REQUIRE="$(IMGVEC_REQUIRE),sim" $(GO) test -tags cuda -race -timeout 20m ./internal/cudasim ./internal/cuda ./gpu ./csrc/...
	$(CUDA_ENV) IMGVEC_REQUIRE="$(IMGVEC_REQUIRE),sim" $(GO) test -tags cuda -race -timeout 20m -run Sim ./executor ./cmd/imgvec

check: fmt vet lint nocgo ptx-check test race $(if $(TAGS),test-sim) benchtest test-python test-wheel ## everything that CI runs

fmt:
	@bad="$$(gofmt -l $$(git ls-files '*.go'))"; [ -z "$$bad" ] || { echo "not gofmt'ed: $$bad" >&2; exit 1; }

vet:
	$(GO) vet ./...
	$(if $(TAGS),$(CUDA_ENV) $(GO) vet $(TAGS) ./...)
	cd bench && $(GO) vet ./...

lint: ## golangci-lint, at the pinned version
	$(GOLANGCI_LINT) run ./...
	$(if $(TAGS),$(CUDA_ENV) $(GOLANGCI_LINT) run --build-tags cuda ./...)
	cd bench && $(GOLANGCI_LINT) run -c ../.golangci.yml ./...

race: setup ## the packages with goroutines under the race detector
	$(CUDA_ENV) $(GO) test $(TAGS) -race -short -timeout 20m $(CONCURRENT)

nocgo: ## the twins: everything compiles without cgo, and for the other platforms
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...

# The simulated GPU driver of the tests: its own sources, and the kernels compiled for the host.
SIM := .cache/sim/libcuda.so.1
SIM_FLAGS := -std=c++17 -O2 -g -U_FORTIFY_SOURCE -fPIC -fvisibility=hidden -fno-strict-aliasing -ffp-contract=off -pthread -Wall -Wextra \
	-Wno-missing-field-initializers -Icsrc/sim -Icsrc/sim/include -Icsrc
SIM_OBJECTS := $(patsubst csrc/%,.cache/sim/%.o,$(wildcard csrc/kernels.cu csrc/sim/*.cpp csrc/sim/*.cu))

sim: $(SIM) ## build the simulated GPU driver that tests run on (needs g++)

$(SIM): $(SIM_OBJECTS)
	$(CXX) -shared -pthread -Wl,-soname,libcuda.so.1 -o $@ $(SIM_OBJECTS)

.cache/sim/%.cpp.o: csrc/%.cpp $(wildcard csrc/sim/*.h)
	@mkdir -p $(@D)
	$(CXX) $(SIM_FLAGS) -c -o $@ $<

.cache/sim/%.cu.o: csrc/%.cu csrc/sim/shim.h csrc/imgvec.h $(wildcard csrc/*.cuh csrc/sim/include/*.h)
	@mkdir -p $(@D)
	$(CXX) $(SIM_FLAGS) -x c++ -include csrc/sim/shim.h -c -o $@ $<

# The kernels' PTX is committed: users and builds need no compiler of CUDA's.
NVRTC := .cache/nvrtc/$(CUDA_NVRTC_VERSION)/libnvrtc.so.12
KERNEL_SOURCES := csrc/kernels.cu csrc/imgvec.h csrc/nvrtc.py $(wildcard csrc/*.cuh)

csrc: .cache/nvrtc/kernels.ptx ## compile csrc/kernels.cu into csrc/kernels.ptx (fetches NVRTC by pip, 23 MB; needs no GPU)
	cp $< csrc/kernels.ptx

ptx-check: .cache/nvrtc/kernels.ptx
	@cmp $< csrc/kernels.ptx || { echo "csrc/kernels.ptx is not what its sources make: run make csrc and commit it" >&2; exit 1; }

.cache/nvrtc/kernels.ptx: $(NVRTC) $(KERNEL_SOURCES)
	$(PYTHON) csrc/nvrtc.py $(NVRTC) compute_75 $@

$(NVRTC): versions.mk
	@rm -rf .cache/nvrtc && mkdir -p $(@D)
	@echo "nvidia-cuda-nvrtc-cu12==$(CUDA_NVRTC_VERSION) --hash=sha256:$(CUDA_NVRTC_SHA256)" > .cache/nvrtc/requirements.txt
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux1_x86_64 \
		--require-hashes -r .cache/nvrtc/requirements.txt -d .cache/nvrtc
	@$(PYTHON) -m zipfile -e .cache/nvrtc/nvidia_cuda_nvrtc*.whl .cache/nvrtc
	@mv .cache/nvrtc/nvidia/cuda_nvrtc/lib/*.so* $(@D) && rm -r .cache/nvrtc/nvidia* && touch $@

simcheck: ## the simulated driver itself under the thread, address and undefined behaviour sanitizers
	@mkdir -p .cache/sim
	@for sanitizer in thread address,undefined; do \
		$(CXX) $(SIM_FLAGS) -O1 -fsanitize=$$sanitizer -o .cache/sim/selftest csrc/sim/*.cpp csrc/sim/selftest/main.cpp \
			-include csrc/sim/shim.h -x c++ csrc/sim/testkernels.cu && \
		ASAN_OPTIONS=detect_leaks=0 .cache/sim/selftest || exit 1; \
	done

vuln: ## known vulnerabilities in what is linked (needs the vulnerability database)
	$(CUDA_ENV) $(GOVULNCHECK) $(TAGS) ./...

fuzz: ## every fuzz target for FUZZTIME each
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
		done; \
	done

bench: setup ## side by side with PyTorch, OpenVINO and hugot, in an environment of its own (downloads PyTorch, some gigabytes)
	$(MAKE) -C bench run

bench-gpu: setup ## the same on a GPU, with its limits and stages
	$(MAKE) -C bench gpu

bench-spark: setup ## the same in Spark: imgvec.spark beside a plain UDF and predict_batch_udf (needs Java 17, an hour)
	$(MAKE) -C bench spark

benchtest:
	cd bench && $(GO) test ./...

bundle: setup ## pack what setup fetched, for a machine without a network
	./imgvec setup --home "$(HOME_DIR)" --make-bundle $(BUNDLE_FILE)
	@echo "on the other machine: ./imgvec setup --bundle $(BUNDLE_FILE)"

python: $(PY_ENV)/.done ## the Python packages that the Parquet tests open files with, and that Python's tests need

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

$(PY_ENV)/.done: versions.mk
	$(PYTHON) -m venv $(PY_ENV)
	$(PY_ENV)/bin/python $(PIP_INSTALL) pyarrow==$(PYARROW_VERSION) pandas==$(PANDAS_VERSION) duckdb==$(DUCKDB_VERSION) polars==$(POLARS_VERSION) \
		numpy==$(NUMPY_VERSION) pytest==$(PYTEST_VERSION) ruff==$(RUFF_VERSION)
	@touch $@

objects: .cache/objects/$(VERSITYGW_VERSION)-$(FAKE_GCS_SERVER_VERSION) ## build the object-store servers that the tests of package store talk to

.cache/objects/$(VERSITYGW_VERSION)-$(FAKE_GCS_SERVER_VERSION):
	@mkdir -p $(@D)
	GOBIN="$(CURDIR)/$(@D)" $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)
	GOBIN="$(CURDIR)/$(@D)" $(GO) install github.com/fsouza/fake-gcs-server@$(FAKE_GCS_SERVER_VERSION)
	@touch $@

faults: .cache/imgvec-faults ## build the command that marked images crash, for tests

.cache/imgvec-faults: FORCE
	$(CUDA_ENV) CGO_ENABLED=1 $(GO) build $(if $(TAGS),-tags cuda$(comma)imgvec_faults,-tags imgvec_faults) -trimpath -ldflags "-X main.version=$(VERSION)" -o $@ ./cmd/imgvec

FORCE:

# The wheel carries a command that is compiled for an old glibc, so that it runs on old systems: Linux on x86-64 alone.
ZIG := .cache/zig/$(ZIG_VERSION)/ziglang/zig
WHEEL_ENV := .cache/wheel-env

wheel: $(ZIG) $(WHEEL_ENV)/.done ## build the Python wheel, with the command in it, in dist (fetches a C compiler, 100 MB)
	GO="$(GO)" PYTHON="$(PYTHON)" ZIG="$(CURDIR)/$(ZIG)" WHEEL_PYTHON=$(WHEEL_ENV)/bin/python sh scripts/wheel.sh

test-wheel: build wheel ## install the wheel in an empty environment, use it, and compare its pixels with those of ./imgvec
	PYTHON="$(PYTHON)" sh scripts/wheel-test.sh

test-python: setup faults $(PY_ENV)/.done ## the Python package's tests without Spark, and ruff
	$(PY_ENV)/bin/ruff check python
	PYTHONPATH=python IMGVEC_BINARY="$(CURDIR)/imgvec" $(PY_ENV)/bin/python -m pytest -q python/tests --ignore python/tests/spark

MODELS_ENV := .cache/models-env

test-models: setup $(MODELS_ENV)/.done ## every model family against its original in PyTorch, with random weights (downloads PyTorch, some gigabytes; an hour)
	IMGVEC_BINARY="$(CURDIR)/imgvec" $(MODELS_ENV)/bin/python -m pytest -q -p no:cacheprovider scripts/models

test-models-fast: setup $(MODELS_ENV)/.done ## the smallest members of each family alone
	IMGVEC_BINARY="$(CURDIR)/imgvec" $(MODELS_ENV)/bin/python -m pytest -q -p no:cacheprovider -m fast scripts/models

$(MODELS_ENV)/.done: versions.mk
	$(PYTHON) -m venv $(MODELS_ENV)
	$(MODELS_ENV)/bin/python $(PIP_INSTALL) torch==$(TORCH_VERSION) torchvision==$(TORCHVISION_VERSION) timm==$(TIMM_VERSION) \
		transformers==$(TRANSFORMERS_VERSION) open_clip_torch==$(OPEN_CLIP_VERSION) efficientnet_lite_pytorch==$(EFFICIENTNET_LITE_PYTORCH_VERSION) safetensors==$(SAFETENSORS_VERSION) onnx==$(ONNX_VERSION) \
		onnxruntime==$(ONNXRUNTIME_VERSION) pillow==$(PILLOW_VERSION) numpy==$(NUMPY_VERSION) pytest==$(PYTEST_VERSION)
	@touch $@

test-report: setup $(BROWSER)/.done ## reports opened in a real browser (needs node; SHOTS=folder keeps what it looks like)
	IMGVEC_BROWSER="$(BROWSER)" IMGVEC_SCREENSHOTS="$(SHOTS)" IMGVEC_REQUIRE=browser,testdata $(GO) test -count=1 -v -run 'Browser' ./report

# Chromium and playwright-core, pinned with their hashes in the lock file.
$(BROWSER)/.done: report/testdata/browser/package.json report/testdata/browser/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are missing: apt install nodejs npm, or the like" >&2; exit 1; }
	@mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

test-spark: setup faults wheel $(if $(TAGS),sim) .cache/spark-3.5/.done .cache/spark-4/.done ## the package's tests on real Spark, the oldest and the newest (needs Java 17)
	./imgvec model pull resnet50-random
	for env in .cache/spark-3.5 .cache/spark-4; do \
		$$env/bin/python $(PIP_INSTALL) --force-reinstall --no-deps dist/imgvec-*.whl && \
		$$env/bin/python -m pytest -q python/tests/spark || exit 1; \
	done

.cache/spark-3.5/.done: versions.mk
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) pyspark==$(SPARK35_VERSION) pyarrow==$(SPARK35_PYARROW_VERSION) pandas==$(SPARK35_PANDAS_VERSION) \
		numpy==$(NUMPY_VERSION) pytest==$(PYTEST_VERSION)
	@touch $@

.cache/spark-4/.done: versions.mk
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) "pyspark[connect]==$(SPARK4_VERSION)" pyarrow==$(PYARROW_VERSION) pandas==$(PANDAS_VERSION) \
		numpy==$(NUMPY_VERSION) pytest==$(PYTEST_VERSION)
	@touch $@

$(WHEEL_ENV)/.done: versions.mk
	$(PYTHON) -m venv $(WHEEL_ENV)
	$(WHEEL_ENV)/bin/python $(PIP_INSTALL) hatchling==$(HATCHLING_VERSION) auditwheel==$(AUDITWHEEL_VERSION)
	@touch $@

$(ZIG): versions.mk
	@rm -rf .cache/zig/$(ZIG_VERSION) && mkdir -p .cache/zig/$(ZIG_VERSION)
	@echo "ziglang==$(ZIG_VERSION) --hash=sha256:$(ZIG_SHA256)" > .cache/zig/requirements.txt
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux2010_x86_64 \
		--require-hashes -r .cache/zig/requirements.txt -d .cache/zig/$(ZIG_VERSION)
	@$(PYTHON) -m zipfile -e .cache/zig/$(ZIG_VERSION)/ziglang-*.whl .cache/zig/$(ZIG_VERSION)
	@rm .cache/zig/$(ZIG_VERSION)/ziglang-*.whl && chmod +x $@ && touch $@

clean: ## remove what was built; fetched libraries and models stay (rm -r third_party)
	rm -rf imgvec .cache dist features.parquet $(BUNDLE_FILE)
