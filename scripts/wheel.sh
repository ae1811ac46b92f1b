#!/bin/sh
# Builds dist/imgvec-VERSION-py3-none-manylinux_2_28_x86_64.whl: the Python package with the command in it, compiled for
# glibc 2.28 or newer. `make wheel` calls it with ZIG (the compiler) and WHEEL_PYTHON (a Python with hatchling and
# auditwheel) set.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
stage=.cache/wheel
go=${GO:-go}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' python/imgvec/__init__.py)
[ -n "$version" ] || { echo "wheel: python/imgvec/__init__.py has no __version__" >&2; exit 1; }

rm -rf "$stage" && mkdir -p "$stage/bin" dist
cp python/pyproject.toml python/hatch_build.py python/README.md LICENSE NOTICE "$stage"
(cd python && tar -cf - --exclude __pycache__ imgvec) | tar -xf - -C "$stage"

# What cuda-env.sh finds is a header; its -g would only be stripped again.
CGO_CFLAGS=$(CGO_CFLAGS=-O2 sh scripts/cuda-env.sh)
ZIG_GLOBAL_CACHE_DIR=$root/.cache/zig/cache
export CGO_CFLAGS ZIG ZIG_GLOBAL_CACHE_DIR
CC="$root/scripts/zigcc.sh" CGO_ENABLED=1 GOOS=linux GOARCH=amd64 "$go" build -tags cuda -trimpath \
	-ldflags "-s -w -X main.version=$version -extldflags '-fuse-ld=lld -Wl,-s'" -o "$stage/bin/imgvec" ./cmd/imgvec

# The licences of what is compiled in ask that their texts come with it.
{
	echo "The program imgvec in this package contains the modules below, each under its own licence, and the Go runtime."
	dirs=$("$go" version -m "$stage/bin/imgvec" | awk '$1 == "dep" {print $2 "@" $3}')
	for module in $dirs; do
		dir=$("$go" mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
		printf '\n==== %s\n' "$module"
		for file in "$dir"/LICEN[CS]E* "$dir"/NOTICE* "$dir"/COPYING*; do
			if [ -f "$file" ]; then printf '\n-- %s\n\n' "${file##*/}" && cat "$file"; fi
		done
	done
	printf '\n==== Go %s\n\n' "$("$go" env GOVERSION)"
	cat "$("$go" env GOROOT)/LICENSE"
} >"$stage/THIRD-PARTY-LICENSES.txt"

rm -f dist/imgvec-*.whl
(cd "$stage" && "$root/$WHEEL_PYTHON" -m hatchling build -t wheel -d "$root/dist" >/dev/null)
wheel=$(ls dist/imgvec-"$version"-*.whl)

# auditwheel reads which glibc the command needs; the tag is a promise.
report=$("$WHEEL_PYTHON" -m auditwheel show "$wheel" | tr '\n' ' ')
case $report in
*'"manylinux_2_'[0-9]_* | *'"manylinux_2_1'[0-9]_* | *'"manylinux_2_2'[0-8]_* | *manylinux2014* | *manylinux1_*) ;;
*) echo "wheel: $wheel is tagged manylinux_2_28, but auditwheel says: $report" >&2; exit 1 ;;
esac
echo "$report" | grep -o 'platform tag: "[^"]*"' || true
ls -l "$wheel" | awk '{printf "%s, %.1f MB\n", $NF, $5 / 1e6}'
