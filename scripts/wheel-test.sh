#!/bin/sh
# Installs dist/*.whl into an empty environment and uses it as a person would; `make test-wheel` calls it. Then it holds
# the wheel's command against ./imgvec, which another compiler made: the same pixels from every picture.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH IMGVEC_BINARY
export IMGVEC_HOME="${IMGVEC_HOME:-$root/third_party}"

fail() { echo "test-wheel: $1" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "$3: $1 and $2"; }

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check "$root"/dist/imgvec-*.whl
cd "$work" # away from the sources
python=$work/env/bin/python command=$work/env/bin/imgvec

version=$("$python" -c 'import imgvec; print(imgvec.__version__)')
same "$version" "$("$python" -c 'import importlib.metadata as m; print(m.version("imgvec"))')" "package and metadata differ in version"
same "imgvec $version" "$("$command" version | head -n 1)" "package and command differ in version"
"$command" version --json | grep -q '"gpu_support": true' || fail "the command has no GPU support"
! "$command" version --json | grep -q '"faults"' || fail "the command has the faults of tests"
same "$command" "$("$python" -c 'from imgvec._binary import find_binary; print(find_binary())')" "the package finds another command"
same "imgvec $version" "$("$python" -m imgvec version | head -n 1)" "python -m imgvec is another command"

# Without an environment of its own: the command lies beside the package.
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/target" "$root"/dist/imgvec-*.whl
found=$(PYTHONUSERBASE=$work/none PYTHONPATH=$work/target "$root/.cache/wheel-env/bin/python" -c 'from imgvec._binary import find_binary; print(find_binary())')
same "$work/target/bin/imgvec" "$found" "with --target the package finds another command"

for text in LICENSE NOTICE THIRD-PARTY-LICENSES.txt; do
	[ -s "$(ls -d "$work"/env/lib/python*/site-packages/imgvec-*.dist-info)/licenses/$text" ] || fail "$text is missing"
done

"$command" setup --samples samples 2>/dev/null
"$command" extract samples -o features.npy --progress none 2>/dev/null
"$python" - <<'END'
import json

import imgvec
import numpy as np

vectors = np.load("features.npy")
assert vectors.ndim == 2 and len(vectors) > 0 and np.isfinite(vectors).all(), vectors
paths = [json.loads(line)["id"] for line in open("features.npy.ids.jsonl")]
again = imgvec.extract(paths)
assert again.shape == vectors.shape and np.allclose(again, vectors, atol=1e-3), "imgvec.extract and the command differ"
END

compared=0
pixels() {
	"$1" preprocess "$2" -o "$3" >/dev/null 2>&1 || echo "status $?" >"$3"
}
for pictures in samples "${IMGVEC_TESTDATA:-$root/../shared/testdata}/photos" "${IMGVEC_TESTDATA:-$root/../shared/testdata}"/awkward/*; do
	[ -e "$pictures" ] || continue
	rm -f a.npy b.npy
	pixels "$command" "$pictures" a.npy
	pixels "$root/imgvec" "$pictures" b.npy
	cmp a.npy b.npy || fail "the wheel's command and ./imgvec make other pixels of $pictures"
	compared=$((compared + 1))
done
echo "test-wheel: imgvec $version is installed, runs, and makes the pixels of ./imgvec from $compared sets of pictures"
