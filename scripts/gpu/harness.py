#!/usr/bin/env python3
"""Figures from the lines that `bench gpu` wrote: rates by contender, and how they stand to each other.

  harness.py RESULTS.jsonl        the last run in the file

Ratios are of medians of rounds that were interleaved, each contender in its best batch.
"""
import json
import sys

JPEG, U8, DEVICE, DECODE = "offline-jpeg", "offline-u8", "offline-device", "decode"


def figure(name, value, unit="", **more):
    print(json.dumps({"figure": name, "value": round(value, 3) if isinstance(value, float) else value, "unit": unit, **more}), flush=True)


def last_run(path):
    with open(path) as f:
        lines = [json.loads(line) for line in f if line.startswith("{")]
    cases = [x for x in lines if x.get("kind") == "gpu-case"]
    latest = max((x["run"] for x in cases), default=None)
    return [x for x in cases if x["run"] == latest], next((x for x in lines if x.get("kind") == "gpu-run" and x.get("run") == latest), {})


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases, run = last_run(sys.argv[1])
    mark = {"simulated": True} if run.get("simulated") or any(c.get("simulated") for c in cases) else {}
    best = {}
    for c in cases:
        key, rate = (c["contender"], c["scenario"]), c["rate"]["median"]
        if rate > best.get(key, (0, None))[0]:
            best[key] = (rate, c)
    for (contender, scenario), (rate, c) in sorted(best.items(), key=lambda x: (x[0][1], -x[1][0])):
        text = f"batch {c['batch']}, " if c.get("batch") else ""
        figure(f"{scenario}: {contender}", rate, c.get("unit", ""), note=f"{text}{c['rate']['min']:.6g} to {c['rate']['max']:.6g}", versions=c.get("versions"), about=c.get("about"), **mark)
    for name, reason in (run.get("skipped") or {}).items():
        figure(f"left out: {name}", str(reason)[:120], **mark)

    def ratio(name, above, below, least):
        if above in best and below in best:
            figure(name, best[above][0] / best[below][0], **({"min": least, "speed": True} if least else {}), **mark)
        else:
            figure(name, "not measured", skip="one of the two is missing", **mark)
    auto = best.get(("imgvec", DEVICE))
    tensorrt = auto is not None and "tensorrt" in json.dumps(auto[1]).lower()
    ratio(f"on the device: imgvec ({'TensorRT' if tensorrt else 'CUDA provider'}) to torch.compile", ("imgvec", DEVICE), ("torch-compile", DEVICE), 1.2 if tensorrt else None)
    ratio("on the device: imgvec to PyTorch eager", ("imgvec", DEVICE), ("torch-eager", DEVICE), None)
    ratio("on the device: imgvec-cuda to ONNX Runtime from Python", ("imgvec-cuda", DEVICE), ("ort-python", DEVICE), None)
    ratio("imgvec: offline-u8 of offline-device", ("imgvec", U8), ("imgvec", DEVICE), 0.95)
    ratio("imgvec: offline-jpeg of its decoders alone", ("imgvec", JPEG), ("imgvec", DECODE), 0.95)
    return 0


if __name__ == "__main__":
    sys.exit(main())
