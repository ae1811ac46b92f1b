#!/usr/bin/env bash
# Packs what scripts/gpu-proof.sh needs on a machine with an NVIDIA GPU and without a network, in pieces that travel:
#
#   scripts/gpu-pack.sh [OUT_DIR] [--only app,data,ort,tensorrt] [--list]
#   scripts/gpu-pack.sh --stage DIR [--only app,data]       the files of the pieces in DIR, unpacked: for this machine's own GPU
#
#   app       imgvec, the bench and the tests built with -tags cuda, the codecs, features by the CPU to compare with
#   data      photos, what Pillow makes of them, the model that can't be built from nothing
#   ort       ONNX Runtime with its CUDA and TensorRT providers, thinned to GPUs of compute capability 9.0; nvJPEG
#   tensorrt  TensorRT 10's libraries, in parts (takes twelve minutes of CPU)
#
# OUT_DIR is .cache/gpu-pack unless named. A piece is a folder of at most 58 MiB with its SHA-256 (scripts/gpu/pieces.py). What
# is made already and has not changed is not made again. The target needs CUDA 13's libraries and cuDNN 9, which PyTorch brings.
# PACK_XZ are xz's options for all pieces, PACK_LIMIT the most bytes of a piece.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
python=${PYTHON:-python3}
out=.cache/gpu-pack
only=app,data,ort,tensorrt
stage=
limit=${PACK_LIMIT:-$((58 << 20))}
xz=${PACK_XZ:--9}

# What is packed and not in versions.mk: nvJPEG, and TensorRT from Maven, the one registry that has a builder for it.
nvjpeg=nvidia-nvjpeg==13.0.1.86
nvjpeg_sha256=f658a05c48702219b3db52e194c2ea1ff0ccd3fbf2b75127b4a573074cc22fd5
tensorrt=org.bytedeco:tensorrt:10.15-1.5.13:jar:linux-x86_64-redist
tensorrt_sha256=8543a6bda95c5d42141d409e1b74024b444e96334a3815d53997cc4ec3cfce83

say() { printf '== %s\n' "$*" >&2; }
fail() {
	printf 'gpu-pack: %s\n' "$*" >&2
	exit 1
}
pin() { sed -n "s/^$1 := //p" versions.mk; }
wanted() { case ",$only," in *",$1,"*) return 0 ;; *) return 1 ;; esac; }

while [ $# -gt 0 ]; do
	case $1 in
	--only) only=$2 && shift ;;
	--stage) stage=$2 && shift ;;
	--list) list=1 ;;
	-h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" && exit 0 ;;
	-*) fail "unknown option $1" ;;
	*) out=$1 ;;
	esac
	shift
done
if [ -n "${list:-}" ]; then exec "$python" scripts/gpu/pieces.py list "$out"; fi
for name in ${only//,/ }; do
	case $name in app | data | ort | tensorrt) ;; *) fail "no piece $name (app, data, ort, tensorrt)" ;; esac
done

mkdir -p "$out" .cache/gpu-stage
out=$(cd "$out" && pwd)
trees=$root/.cache/gpu-stage
home=${IMGVEC_HOME:-$root/third_party}
testdata=${IMGVEC_TESTDATA:-$root/../shared/testdata}

# fresh NAME: the empty folder of a piece's files.
fresh() {
	rm -rf "${trees:?}/$1"
	mkdir -p "$trees/$1"
}

# sha FILE SUM
sha() { printf '%s  %s\n' "$2" "$1" | sha256sum --check --quiet - || fail "$1 is not what was pinned"; }

# finish NAME: the tree becomes pieces, or part of the stage.
finish() {
	if [ -n "$stage" ]; then
		mkdir -p "$stage"
		cp -a "$trees/$1/." "$stage/"
	else
		"$python" scripts/gpu/pieces.py make "$1" "$trees/$1" "$out" --limit "$limit" --xz="$xz"
	fi
}

# test_binary PACKAGE: its tests as one file, where it has any.
test_binary() {
	local name=${1#./}
	name=${name//\//-}
	go test -c -tags cuda -trimpath -ldflags "-s -w" -o "$trees/app/tests/$name.test" "$1" || { say "the tests of $1 do not build" && broken=1; }
}

build() {
	CGO_CFLAGS=$(sh scripts/cuda-env.sh)
	export CGO_CFLAGS CGO_ENABLED=1
	local version
	version=$(git describe --tags --always --dirty)
	printf '%s\n' "$version" >"$trees/app/commit"
	mkdir -p "$trees/app/bin" "$trees/app/tests"
	go build -tags cuda -trimpath -ldflags "-s -w -X main.version=$version" -o "$trees/app/bin/imgvec" ./cmd/imgvec
	(cd bench && go build -tags cuda -trimpath -ldflags "-s -w" -o "$trees/app/bin/bench" .) || { say "the bench does not build" && broken=1; }
	for package in ./internal/cuda ./gpu; do test_binary "$package"; done # those with TestHardware...
}

# photo_list FILE: the photos' paths, a line each, in order.
photo_list() { find "$1" -maxdepth 1 -type f \( -iname '*.jpg' -o -iname '*.jpeg' \) | LC_ALL=C sort; }

# references: features of the photos in fp32 by ONNX Runtime on this CPU, and which models they are of.
references() {
	local dir=$trees/app/refs model listed
	mkdir -p "$dir"
	listed=$(mktemp)
	photo_list "$(photos)" >"$listed"
	for model in resnet50-random efficientnet-lite0; do
		[ -d "$home/models/$model" ] || IMGVEC_HOME=$home "$trees/app/bin/imgvec" model pull "$model" >&2
		IMGVEC_HOME=$home IMGVEC_OPENVINO=off "$trees/app/bin/imgvec" extract "@$listed" -o "$dir/$model.npy" --force --model "$model" \
			--device cpu --precision fp32 --progress none --exif ignore >&2
		rm -f "$dir/$model.npy.ids.jsonl"
		(cd "$home/models/$model" && sha256sum model.onnx) >"$dir/$model.sha256"
	done
	rm -f "$listed"
}

# photos: the folder of them; where there is no test data, pictures that imgvec draws.
photos() {
	if [ -d "$testdata/photos" ]; then
		echo "$testdata/photos"
		return
	fi
	local drawn=$root/.cache/samples
	[ -d "$drawn" ] || "$trees/app/bin/imgvec" setup --samples "$drawn" >&2
	echo "$drawn"
}

pack_app() {
	say "app: binaries with -tags cuda"
	broken=
	fresh app
	build
	say "app: features by the CPU"
	references
	if [ -z "$stage" ]; then
		mkdir -p "$trees/app/home/lib"
		cp -a "$home/lib/codecs" "$trees/app/home/lib/"
	fi
	finish app
	[ -z "$broken" ] || fail "app is packed, but not everything builds (see above)"
}

pack_data() {
	say "data: photos and models"
	fresh data
	mkdir -p "$trees/data/testdata"
	cp -a "$(photos)" "$trees/data/testdata/photos"
	if [ -d "$testdata/refs" ]; then
		mkdir -p "$trees/data/testdata/refs"
		cp -a "$testdata/refs/pillow.json" "$testdata/refs/photos.txt" "$trees/data/testdata/refs/"
	fi
	if [ -z "$stage" ]; then
		mkdir -p "$trees/data/home/models"
		cp -a "$home/models/efficientnet-lite0" "$trees/data/home/models/"
	fi
	chmod -R u+w "$trees/data"
	finish data
}

# download REQUIREMENT SHA256 FOLDER: a wheel, whatever this Python is.
download() {
	printf '%s --hash=sha256:%s\n' "$1" "$2" >"$3/requirements.txt"
	"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 311 --platform manylinux_2_28_x86_64 \
		--platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --require-hashes -r "$3/requirements.txt" -d "$3" ||
		fail "pip can't fetch $1"
}

pack_ort() {
	say "ort: ONNX Runtime for GPUs"
	local work=.cache/gpu-fetch/ort lib
	mkdir -p "$work"
	fresh ort
	lib=$trees/ort/home/lib
	mkdir -p "$lib/onnxruntime-gpu" "$lib/cuda"
	compgen -G "$work/onnxruntime_gpu-*.whl" >/dev/null || download "onnxruntime-gpu==$(pin ONNXRUNTIME_GPU_VERSION)" "$(pin ONNXRUNTIME_GPU_SHA256)" "$work"
	compgen -G "$work/nvidia_nvjpeg-*.whl" >/dev/null || download "$nvjpeg" "$nvjpeg_sha256" "$work"
	unzip -oqj "$work"/onnxruntime_gpu-*.whl '*/libonnxruntime*.so*' '*/LICENSE' '*/ThirdPartyNotices.txt' -d "$lib/onnxruntime-gpu"
	unzip -oqj "$work"/nvidia_nvjpeg-*.whl '*/libnvjpeg.so.13' -d "$lib/cuda"
	for file in "$lib/onnxruntime-gpu/libonnxruntime_providers_cuda.so" "$lib/cuda/libnvjpeg.so.13"; do
		"$python" scripts/gpu/thin_fatbin.py "$file" "$file.thin" >&2
		mv "$file.thin" "$file"
	done
	finish ort
}

pack_tensorrt() {
	say "tensorrt: TensorRT 10"
	command -v mvn >/dev/null || fail "tensorrt needs Maven's mvn"
	local work=.cache/gpu-fetch/tensorrt lib jar
	mkdir -p "$work"
	jar=$work/tensorrt-10.15-1.5.13-linux-x86_64-redist.jar
	[ -f "$jar" ] || mvn -q -B dependency:copy "-Dartifact=$tensorrt" "-DoutputDirectory=$root/$work" >&2 || fail "Maven can't fetch $tensorrt"
	sha "$jar" "$tensorrt_sha256"
	fresh tensorrt
	lib=$trees/tensorrt/home/lib/tensorrt
	mkdir -p "$lib"
	unzip -oqj "$jar" '*/libnvinfer.so.10' '*/libnvinfer_builder_resource_ptx.so.*' '*/libnvonnxparser.so.10' -d "$lib"
	"$python" scripts/gpu/thin_fatbin.py "$lib/libnvinfer.so.10" "$lib/thin" --keep-ptx >&2
	mv "$lib/thin" "$lib/libnvinfer.so.10"
	xz=${PACK_XZ:---x86 --lzma2=preset=6,dict=64MiB} # 408 MB of it are x86 code
	finish tensorrt
}

for name in app data ort tensorrt; do
	if wanted "$name"; then
		if [ -n "$stage" ] && [ "$name" != app ] && [ "$name" != data ]; then continue; fi
		"pack_$name"
	fi
done
[ -n "$stage" ] || "$python" scripts/gpu/pieces.py list "$out"
