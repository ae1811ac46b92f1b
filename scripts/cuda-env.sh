#!/bin/sh
# Prints the CGO_CFLAGS that a build with -tags cuda needs, so that gorgonia.org/cu finds a cuda.h:
#   export CGO_CFLAGS="$(sh scripts/cuda-env.sh)"
# A CUDA 12 toolkit's header as it is, else a CUDA 13 toolkit's with the compat header before it, else the pinned Python
# wheel's (0.8 MB, fetched by pip once). CUDA_HOME names a toolkit in an unusual place. Only the header is needed: nothing
# of CUDA is linked. What CGO_CFLAGS holds already is kept.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
version() { sed -n 's/^#define CUDA_VERSION *\([0-9]*\).*/\1/p' "$1/cuda.h" 2>/dev/null | head -n 1; }
pin() { sed -n "s/^$1 := //p" "$root/versions.mk"; }

# include FOLDER... prints the flags and ends.
include() {
	flags=${CGO_CFLAGS:--O2 -g}
	for folder in "$@"; do
		case $folder in
		*' '*) flags="$flags '-I$folder'" ;;
		*) flags="$flags -I$folder" ;;
		esac
	done
	printf '%s\n' "$flags"
	exit 0
}

fail() {
	echo "cuda-env: $1" >&2
	echo "cuda-env: install a CUDA toolkit, 12 or 13 (CUDA_HOME=folder names it), or make pip and the network work; without GPU support it builds without -tags cuda (here: make build GPU=off)" >&2
	exit 1
}

toolkits() {
	for home in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda /opt/cuda /usr /usr/local/cuda-12* /usr/local/cuda-13*; do
		if [ -n "$home" ] && [ -f "$home/include/cuda.h" ]; then echo "$home/include"; fi
	done
}

newer=
IFS='
'
for folder in $(toolkits); do
	case $(version "$folder") in
	12[0-9][0-9][0-9]) include "$folder" ;;
	13[0-9][0-9][0-9]) newer=${newer:-$folder} ;;
	esac
done
unset IFS
if [ -n "$newer" ]; then include "$root/internal/cuda/compat" "$newer"; fi

# In a clone the header lies with what else is built; Go's folder of modules is not ours to write into.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/imgvec/cuda
if [ -e "$root/.git" ]; then cache=$root/.cache/cuda; fi
if [ -n "$(version "$cache/include")" ]; then include "$cache/include"; fi

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "no cuda.h on this machine, and no $python to fetch one"
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "nvidia-cuda-runtime-cu12==$(pin CUDA_HEADERS_VERSION) --hash=sha256:$(pin CUDA_HEADERS_SHA256)" >"$work/requirements.txt"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux1_x86_64 \
	--require-hashes -r "$work/requirements.txt" -d "$work" >&2 || fail "no cuda.h on this machine, and pip can't fetch one"
"$python" -m zipfile -e "$work"/*.whl "$work" || fail "the wheel with cuda.h can't be unpacked"
rm -rf "$cache/include"
mv "$work/nvidia/cuda_runtime/include" "$cache/include"
rm -rf "$work"
include "$cache/include"
