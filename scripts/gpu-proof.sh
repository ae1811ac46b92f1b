#!/usr/bin/env bash
# Proves on a machine with an NVIDIA GPU what a machine without one can't: docs/gpu-proof.md says what and how.
#
#   scripts/gpu-proof.sh [--list] [--only STEP,...] [--minutes N] [--detach STEP] [--dry]
#
# Each step can be called alone, lasts at most 8 minutes, and the next one runs whatever became of it. Every figure is a line
# with PASS or FAIL where there is a criterion. Results: $OUT/gpu-proof.jsonl and gpu-proof.log (OUT is .cache/gpu-proof unless set).
#   --minutes N    starts no step that would end later than in N minutes, and stops one that does
#   --detach STEP  runs a step behind the back of what follows, also of this call; the step "collect" brings its figures
#   --dry          tries the scripts without a GPU: tiny sizes, the simulated driver; nothing is ever a PASS
# The pieces of scripts/gpu-pack.sh are taken from PROOF_PACK (.cache/gpu-pack) and unpacked in PROOF_STATE (the temporary folder's
# imgvec-proof), where later calls find them. Without pieces, and with Go, everything is built and IMGVEC_HOME's libraries
# are used: there `make gpu-runtime` comes first. PYTHON is a Python with PyTorch, NumPy and Pillow.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
tools=$root/scripts/gpu
export PROOF_STATE=${PROOF_STATE:-${TMPDIR:-/tmp}/imgvec-proof}
pack=${PROOF_PACK:-$root/.cache/gpu-pack}
out=${OUT:-$root/.cache/gpu-proof}
python=${PYTHON:-python3}
kind=${PROOF_KIND:-real}
dry_photos=6
state=$PROOF_STATE
photos=$state/testdata/photos
work=$state/work
bin=$state/bin

# Name, the most seconds that it may take, what it is. The cheapest and most telling come first.
steps='
unpack      300 the pieces that are here, checked and unpacked
driver      120 driver face: what the machine has, our tests on the real driver
kernels     300 every kernel against NumPy and Pillow, compute-sanitizer, bandwidth
limits      120 copies, matrix products, nvJPEG engines
nvjpeg      240 nvJPEG: rate and exactness by backend and upsampling
ort         300 CUDA provider: features in fp32 and fp16 against the CPU, rates
backendtest 300 the acceptance suite of every backend on the real GPU
harness     480 the bench with PyTorch eager and compiled in the same run
tensorrt    480 TensorRT: engine, cache, features, rate
soak        420 three minutes of extract: rate and memory flat, no row lost
collect      10 figures of a detached step'

row() { printf '%s\n' "$steps" | awk -v n="$1" '$1 == n'; }
names() { printf '%s\n' "$steps" | awk 'NF { print $1 }'; }
figure() { printf '{"figure": "%s", "value": "%s"%s}\n' "$1" "${2//\"/\'}" "${3:+, $3}"; }
has() { command -v "$1" >/dev/null 2>&1; }
dry() { [ "$kind" = dry ]; }
# number REAL DRY: one of them.
number() { if dry; then echo "$2"; else echo "$1"; fi; }
device() { number cuda:0 "${dry_device:-cpu}"; }
need() {
	[ -e "$1" ] && return 0
	figure "needs" "$2 is not here" '"ok": false'
	return 1
}

# flag NAME: whether this imgvec has it.
flag() { "$bin/imgvec" extract --help 2>&1 | grep -q -e "--$1 "; }

step_unpack() {
	mkdir -p "$state" "$work"
	if compgen -G "$pack/*/piece.json" >/dev/null; then
		"$python" "$tools/pieces.py" unpack "$pack" "$state"
	elif has go; then
		"$root/scripts/gpu-pack.sh" --stage "$state" --only app,data >&2 || figure "build" "not everything builds" '"ok": false'
		figure "built here" "$(cat "$state/commit")"
	else
		figure "pieces" "none in $pack, and no Go to build them" '"ok": false'
	fi
	"$python" "$tools/libs.py" "$IMGVEC_HOME/lib/cuda" | while read -r line; do figure "CUDA's libraries" "$line" "$(number '"ok": false' '"skip": "dry"')"; done
	[ -x "$bin/imgvec" ] && figure "imgvec" "$("$bin/imgvec" version 2>&1 | head -n 1)"
	return 0
}

step_driver() {
	need "$bin/imgvec" "piece app" || return
	"$bin/imgvec" doctor
	"$bin/imgvec" doctor --json >"$work/doctor.json" 2>"$work/doctor.err"
	"$python" - "$work/doctor.json" "$(dry || [ -d "$IMGVEC_HOME/lib/onnxruntime-gpu" ] || echo "piece ort is not here yet")" <<-'END'
		import json, sys
		try:
		    gpu = json.load(open(sys.argv[1])).get("gpu", {})
		except ValueError:
		    gpu = {"error": "doctor said nothing"}
		usable = {"figure": "doctor: GPU usable", "value": bool(gpu.get("usable")), "equal": True, "note": str(gpu.get("error", ""))[:200]}
		if sys.argv[2] and not gpu.get("usable"):
		    usable["skip"] = sys.argv[2]
		print(json.dumps({**usable, "simulated": bool(gpu.get("simulated"))}))
		for d in gpu.get("devices") or []:
		    print(json.dumps({"figure": d.get("name"), "value": d.get("model"), "note": f"capability {d.get('capability')}, {d.get('sms')} SMs, NUMA node {d.get('numa_node')}",
		                      "simulated": bool(gpu.get("simulated"))}))
	END
	test_binary driver internal-cuda.test internal/cuda '^TestHardware'
}

# test_binary NAME FILE FOLDER PATTERN: the tests that run on hardware. In a dry run they run on the simulated driver.
test_binary() {
	need "$state/tests/$2" "$2 of piece app" || return
	if dry && [ -z "$IMGVEC_CUDA_DRIVER" ]; then
		figure "$1: tests" "none" '"skip": "no simulated driver here (make sim)"'
		return
	fi
	IMGVEC_GPU=$(number real simulated) IMGVEC_SIM=$IMGVEC_CUDA_DRIVER IMGVEC_REQUIRE=$(number gpu,ort ort) "$python" "$tools/gotest.py" "$1" "$state/tests/$2" "$root/$3" --may-skip "${may_skip:-needs TensorRT|needs a second}" \
		-- -test.run "$4" -test.timeout 280s
}

step_kernels() {
	local preload=
	if dry; then
		[ -n "$IMGVEC_CUDA_DRIVER" ] || { figure "kernels" "not run" '"skip": "no simulated driver here (make sim)"' && return; }
		preload=$IMGVEC_CUDA_DRIVER # its thread-local memory must be there from the start
	fi
	local size=()
	dry && size=(--small)
	LD_PRELOAD=$preload "$python" "$tools/kernels.py" --photos "$photos" "${size[@]}"
	local sanitizer
	sanitizer=$(command -v compute-sanitizer || compgen -G '/usr/local/cuda*/bin/compute-sanitizer' | head -n 1)
	if [ -z "$sanitizer" ] || dry; then
		figure "compute-sanitizer" "not run" "\"skip\": \"$(number 'it is not installed' 'needs a GPU')\""
		return
	fi
	local tool
	for tool in memcheck racecheck initcheck synccheck; do
		timeout 60 "$sanitizer" --tool "$tool" --error-exitcode 99 --print-limit 20 "$python" "$tools/kernels.py" --small --no-rates >"$work/$tool.log" 2>&1
		local status=$?
		tail -n 30 "$work/$tool.log"
		figure "compute-sanitizer $tool" "$(grep -E 'ERROR SUMMARY|hazards? displayed|RACECHECK SUMMARY|not supported' "$work/$tool.log" | tail -n 1 | sed 's/^=* *//')" "\"ok\": $([ $status = 0 ] && echo true || echo false)"
	done
}

step_limits() {
	"$python" "$tools/limits.py" --device "$(number cuda cpu)" --only copies,gemm
	# shellcheck disable=SC2046 # a flag or nothing
	"$python" "$tools/nvjpeg.py" --photos "$photos" --engines-only $(number "" --dry)
}

step_nvjpeg() {
	need "$photos" "piece data" || return
	# shellcheck disable=SC2046 # flags or nothing
	"$python" "$tools/nvjpeg.py" --photos "$photos" $(number --torch --dry)
}

# extract NAME PRECISION PROVIDER: the photos' features on the GPU, beside the CPU's.
extract() {
	local model=$1 precision=$2 provider=$3 least=$4 extra=()
	[ -n "$provider" ] && flag provider && extra=(--provider "$provider")
	local file=$work/$model-$precision-${provider:-auto}.npy began=$SECONDS
	if ! "$bin/imgvec" extract "@$work/photos.txt" -o "$file" --force --model "$model" --device "$(device)" --precision "$precision" --exif ignore \
		--progress none --stats "$work/stats.json" "${extra[@]}" 2>&1; then
		figure "$model, $precision, ${provider:-auto}: extract" "failed" '"ok": false'
		return 1
	fi
	took=$((SECONDS - began))
	"$python" -c 'import json,sys; s=json.load(open(sys.argv[1])); print(json.dumps({"figure": sys.argv[2], "value": s.get("provider"), "note": s.get("device")}))' \
		"$work/stats.json" "$model, $precision, ${provider:-auto}: ran on"
	"$python" "$tools/features.py" compare "$model, $precision, ${provider:-auto}: least cosine to the CPU" "$file" "$state/refs/$model.npy" --min "$least" --rows "$(number 0 "$dry_photos")"
}

# models: the models by name, built here where they can be, the same bytes as where the references were made.
models() {
	local model
	find "$photos" -maxdepth 1 -type f \( -iname '*.jpg' -o -iname '*.jpeg' \) | LC_ALL=C sort | head -n "$(number 100000 "$dry_photos")" >"$work/photos.txt"
	[ -d "$IMGVEC_HOME/models/resnet50-random" ] || "$bin/imgvec" model pull resnet50-random 2>&1
	for model in resnet50-random efficientnet-lite0; do
		[ -f "$IMGVEC_HOME/models/$model/model.onnx" ] || { figure "$model" "it is not here" '"ok": false' && continue; }
		"$python" "$tools/features.py" same "$model: same file as the reference's" "$IMGVEC_HOME/models/$model/model.onnx" "$(cut -d' ' -f1 "$state/refs/$model.sha256")"
	done
}

# rates NAME FLAGS...: imgvec bench, its rates as figures.
rates() {
	local name=$1
	shift
	# shellcheck disable=SC2046 # no number has a space
	"$bin/imgvec" bench "@$work/photos.txt" --device "$(device)" $(number "--seconds 3 --rounds 5" "--seconds 0.05 --rounds 1") --json "$@" >"$work/bench.json" 2>"$work/bench.err"
	cat "$work/bench.err"
	"$python" "$tools/features.py" rates "$name" "$work/bench.json"
}

step_ort() {
	need "$bin/imgvec" "piece app" && need "$photos" "piece data" || return
	dry || need "$IMGVEC_HOME/lib/onnxruntime-gpu" "piece ort" || return
	models
	local model
	for model in $(number resnet50-random "") efficientnet-lite0; do
		extract "$model" fp32 cuda 0.99999
		extract "$model" "$(number fp16 "${dry_precision:-fp32}")" cuda 0.999
	done
	local extra=()
	flag provider && extra=(--provider cuda)
	rates "CUDA provider, fp16" --model "$(number resnet50-random efficientnet-lite0)" --precision "$(number fp16 "${dry_precision:-fp32}")" "${extra[@]}"
}

step_backendtest() {
	test_binary backendtest gpu.test gpu '^TestHardware'
}

step_harness() {
	need "$bin/bench" "piece app" && need "$photos" "piece data" || return
	local args=(gpu -photos "$photos" -python "$(command -v "$python")" -results "" -out "$out/gpu-bench.jsonl")
	if dry; then
		[ -n "$IMGVEC_CUDA_DRIVER" ] || { figure "bench" "not run" '"skip": "no simulated driver here (make sim)"' && return; }
		args+=(-simulated "$IMGVEC_CUDA_DRIVER" -rounds 1 -turn 20ms -batches 2 -compile-batches 2 -only "limits-copies,imgvec,torch-eager" -scenarios "offline-u8,offline-device")
	else
		args+=(-rounds 3 -turn 500ms -batches "1,64,256" -compile-batches "64,256" -patience 4m)
	fi
	local began=$SECONDS
	(cd bench && "$bin/bench" "${args[@]}") 2>&1
	local status=$?
	figure "bench gpu" "status $status, $((SECONDS - began)) s" "\"ok\": $([ $status = 0 ] && echo true || echo false)"
	[ -s "$out/gpu-bench.jsonl" ] && "$python" "$tools/harness.py" "$out/gpu-bench.jsonl"
}

step_tensorrt() {
	need "$bin/imgvec" "piece app" && need "$photos" "piece data" || return
	if dry; then
		figure "TensorRT" "not run" '"skip": "needs a GPU"'
		return
	fi
	need "$IMGVEC_HOME/lib/tensorrt/libnvinfer.so.10" "piece tensorrt" || return
	models
	rm -rf "$IMGVEC_HOME/cache/gpu/tensorrt"
	if extract resnet50-random fp16 tensorrt 0.999; then figure "ResNet-50: first run, engine built" "$took" '"unit": "s", "ok": true'; fi
	if extract resnet50-random fp16 tensorrt 0.999; then figure "ResNet-50: second run, engine from the cache" "$took" "\"unit\": \"s\", \"ok\": $([ "$took" -le 30 ] && echo true || echo false)"; fi
	local extra=()
	flag provider && extra=(--provider tensorrt)
	rates "TensorRT, fp16" --model resnet50-random --precision fp16 "${extra[@]}"
	extract efficientnet-lite0 fp16 tensorrt 0.999
}

step_soak() {
	need "$bin/imgvec" "piece app" && need "$photos" "piece data" || return
	models
	"$python" "$tools/soak.py" --imgvec "$bin/imgvec" --photos "$work/photos.txt" --work "$work" --seconds "$(number 180 8)" --device "$(device)" -- --model "$(number resnet50-random efficientnet-lite0)" --precision "$(number fp16 "${dry_precision:-fp32}")"
	"$python" "$tools/features.py" rows "soak" "$work/soak.npy" "$(wc -l <"$work/photos.txt")" "$(wc -l <"$work/soak.txt")"
	rm -f "$work/soak.npy" "$work/soak.npy.ids.jsonl"
}

step_collect() {
	local file=$state/detached/gpu-proof.jsonl
	[ -s "$file" ] || { figure "detached" "no figures yet" '"skip": "nothing ended"' && return; }
	cat "$file" >>"$out/gpu-proof.jsonl"
	"$python" -c '
import json, sys
for line in open(sys.argv[1]):
    f = json.loads(line)
    print("  ", f["kind"], f["step"], f["figure"], f["value"], f.get("unit", ""), f["verdict"], f.get("note", ""), file=sys.stderr)' "$file"
	figure "figures of the detached step" "$(wc -l <"$file")"
	mv "$file" "$file.$(date +%s)"
}

# environment: what every step runs in.
environment() {
	mkdir -p "$state" "$work" "$out" || exit 1
	if [ -z "${IMGVEC_HOME:-}" ]; then
		if compgen -G "$pack/*/piece.json" >/dev/null || [ -e "$state/have" ]; then
			IMGVEC_HOME=$state/home
		else
			IMGVEC_HOME=$root/third_party
		fi
	fi
	export IMGVEC_HOME
	[ -d "$state/testdata/refs" ] && export IMGVEC_TESTDATA=${IMGVEC_TESTDATA:-$state/testdata}
	if ! dry && [ -n "${IMGVEC_CUDA_DRIVER:-}" ]; then
		echo "gpu-proof: IMGVEC_CUDA_DRIVER is set, so this would not be the machine's own driver: only --dry takes another" >&2
		exit 2
	fi
	export IMGVEC_CUDA_DRIVER=${IMGVEC_CUDA_DRIVER:-} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1
	if dry; then
		[ -n "$IMGVEC_CUDA_DRIVER" ] || IMGVEC_CUDA_DRIVER=$([ -f .cache/sim/libcuda.so.1 ] && echo "$root/.cache/sim/libcuda.so.1")
		dry_device=cpu dry_precision=fp32
		if [ -n "$IMGVEC_CUDA_DRIVER" ] && [ -x "$bin/imgvec" ] && "$bin/imgvec" doctor --json 2>/dev/null | tr -d ' \n' | grep -q '"gpu":{"usable":true'; then
			dry_device=cuda:0 dry_precision=fp16
		fi
	fi
}

# one STEP LIMIT: runs it in a process of its own, so that a limit can end it, and records its figures.
one() {
	local results=$out/gpu-proof.jsonl log=$out/gpu-proof.log
	{
		PROOF_KIND=$kind timeout --kill-after=10 "$2" "$0" --inside "$1" 2>&1
		local status=$?
		case $status in
		0) ;;
		124 | 137) figure "step" "ended after $2 s, its limit" '"ok": false' ;;
		*) figure "step" "status $status" '"ok": false' ;;
		esac
	} | "$python" "$tools/figures.py" "$1" --results "$results" --log "$log" --kind "$kind"
}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

only=$(names | grep -v collect | paste -sd,)
minutes=
detach=
while [ $# -gt 0 ]; do
	case $1 in
	--list) printf '%s\n' "$steps" | awk 'NF { s = $2; n = $1; $1 = $2 = ""; printf "%-12s at most %3d s %s\n", n, s, $0 }' && exit 0 ;;
	--only) only=$2 && shift ;;
	--minutes) minutes=$2 && shift ;;
	--detach) detach=$2 && shift ;;
	--dry) kind=dry ;;
	--inside)
		environment
		"step_$2"
		exit 0
		;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done
for step in ${only//,/ } $detach; do
	[ -n "$(row "$step")" ] || { printf 'gpu-proof: no step %s (%s)\n' "$step" "$(names | paste -sd' ')" >&2 && exit 2; }
done
environment
if [ -n "$detach" ]; then
	mkdir -p "$state/detached"
	again=(--only "$detach")
	dry && again+=(--dry)
	OUT=$state/detached setsid "$0" "${again[@]}" >"$state/detached/output" 2>&1 </dev/null &
	[ "$only" = "$detach" ] && exit 0
fi
began=$(date +%s) since=$(date +%s.%N)
for step in ${only//,/ }; do
	limit=$(row "$step" | awk '{ print $2 }')
	if [ -n "$minutes" ]; then
		left=$((minutes * 60 - $(date +%s) + began))
		[ "$left" -lt "$limit" ] && limit=$left
		if [ "$limit" -lt 20 ] && [ "$step" != collect ]; then
			figure "step" "not started" '"skip": "no time left"' | "$python" "$tools/figures.py" "$step" --results "$out/gpu-proof.jsonl" --log "$out/gpu-proof.log" --kind "$kind"
			continue
		fi
	fi
	one "$step" "$limit"
done
# The log's end is enough, and small enough to bring back.
[ "$(stat -c %s "$out/gpu-proof.log")" -le 8000000 ] || { tail -c 8000000 "$out/gpu-proof.log" >"$out/.log" && mv "$out/.log" "$out/gpu-proof.log"; }
"$python" "$tools/figures.py" --summary "$out/gpu-proof.jsonl" --since "$since"
