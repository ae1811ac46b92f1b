#!/usr/bin/env python3
"""Works out what a run over very many images costs, from measured unit costs, and keeps the tables of docs/scale.md.

    python3 python/examples/scale.py                          prints the tables
    python3 python/examples/scale.py --images 2e8 --hours 6   the same for your numbers
    python3 python/examples/scale.py --write docs/scale.md    writes them into the page, between its markers
    python3 python/examples/scale.py --check docs/scale.md    fails where the page has others

Measured inputs are read, never typed here: rates from bench/results, costs of files, tasks and bytes from
scale_measured.json beside this file (made by scale_measure.py). What nobody measured is an argument, and the
page calls it an assumption.
"""

import argparse
import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent.parent / "bench" / "results"
DIM = {"efficientnet-lite0": 1280, "resnet50-random": 2048}
# CPU ms a row that reading, Spark, Arrow and the socket cost, on a prototype of this design (see the page): 3.5.9's, the larger.
PROTOTYPE_SPARK_MS = 0.97


def bench_lines():
    """Every line of every benchmark, in the order of their time."""
    lines = []
    for path in sorted(RESULTS.glob("*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return sorted(lines, key=lambda line: line["time"])


def latest(lines, model, contender):
    """The newest line of a contender for a model that has a rate."""
    found = [x for x in lines if x.get("model") == model and x.get("contender") == contender and not x.get("skipped")]
    if not found:
        sys.exit(f"scale.py: no line of {contender} with {model} in {RESULTS}: run make bench")
    return found[-1]


def spark_cost(lines):
    """CPU ms a row that Spark costs over the command, and where that is from: the newest run of bench spark, else the prototype."""
    runs = {}
    for line in lines:
        if line.get("kind") == "spark" and not line.get("skipped"):
            runs.setdefault(line["run"], {})[line["contender"]] = line
    for run in sorted(runs, reverse=True):
        spark, command = runs[run].get("spark-featurize"), runs[run].get("imgvec-extract")
        if spark and command:
            cost = spark["cpu_ms_per_image"]["median"] - command["cpu_ms_per_image"]["median"]
            return cost, f"`bench spark`, {spark['model']}, {spark['cpu']}, {spark['cores']} cores: featurize less `imgvec extract`"
    return PROTOTYPE_SPARK_MS, "a prototype of this design, Spark 3.5.9, another machine"


class Units:
    """Measured costs of one image with one model."""

    def __init__(self, model, measured, lines):
        whole, decode = latest(lines, model, "imgvec"), latest(lines, model, "imgvec-decode")
        self.model, self.dim = model, DIM[model]
        self.cores = whole["cores"]
        self.cpu = whole["cpu"]
        self.precision = whole["versions"]["precision"]
        self.rate = whole["images_per_second"]["median"] / self.cores  # images a second and core, JPEG files to features
        self.decode_ms = decode["cpu_ms_per_image"]["median"]
        self.spark_ms, self.spark_from = spark_cost(lines)
        self.bytes_in = measured["photos"]["bytes_per_file"]
        self.stored = measured["photos"]["parquet_none"]
        self.out = next(x for x in measured["features"] if x["dim"] == self.dim)

    def spark_rate(self):
        """Images a second and core on Spark: the command's time an image plus what Spark costs."""
        return 1 / (1 / self.rate + self.spark_ms / 1000)


def number(value):
    """Three digits that count."""
    for unit, word in ((1e9, " billion"), (1e6, " million")):
        if value >= unit:
            return f"{value / unit:.3g}{word}"
    if value < 100:
        return f"{value:.3g}"
    digits = 10 ** (math.floor(math.log10(value)) - 2)
    return f"{round(value / digits) * digits:,.0f}"


def size(value):
    """Bytes in decimal units."""
    for unit, word in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {word}"
    return f"{value:.0f} B"


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def unit_table(units, measured, _args):
    """What one image costs, with where the figure is from."""
    listing, task = measured["listing"], measured["task_seconds"]
    photos = f"{measured['photos']['photos']} photos"
    rows = []
    for u in units:
        rows.append([f"{u.model}, {u.precision}: images a second and core", f"{u.rate:.3g}", f"`make bench`, {u.cpu}, {u.cores} cores"])
    u = units[-1]
    rows += [
        ["decode and resize, CPU an image", f"{u.decode_ms:.3g} ms", "`make bench`"],
        ["reading, Spark, Arrow, socket, CPU a row", f"{u.spark_ms:.3g} ms", u.spark_from],
        ["a photo", size(u.bytes_in), photos],
        ["a file that Spark lists: driver's heap", f"{listing['driver_heap_bytes_per_file']:.0f} B", f"{listing['files']:,} local files, Spark {measured['spark']}"],
        ["a file that Spark lists: time", f"{listing['list_seconds_per_file'] * 1000:.2g} ms", "the same, local disk"],
        ["a task that does nothing", f"{task['plain'] * 1000:.2g} ms", f"{task.get('tasks', 2000):,} tasks, shared cores"],
        ["a task of an empty `mapInArrow`", f"{task['mapInArrow'] * 1000:.2g} ms", "the same"],
    ]
    for x in units:
        rows.append([f"features of {x.model} in Parquet, a row: float32, zstd", f"{size(x.out['float32_none'])}, {size(x.out['float32_zstd'])}", photos])
        rows.append(["the same as float16 in a binary column: plain, zstd", f"{size(x.out['float16_none'])}, {size(x.out['float16_zstd'])}", photos])
    return table(["cost", "measured", "from"], rows)


def cpu_table(units, _measured, args):
    """Cores, tasks and bytes of whole runs on CPUs."""
    heads, columns = [""], []
    for u in units:
        for n in args.images:
            heads.append(f"{number(n)} images, {u.model}")
            columns.append(cpu_column(u, n, args))
    names = [name for name, _ in columns[0]]
    return table(heads, [[name] + [column[i][1] for column in columns] for i, name in enumerate(names)])


def cpu_column(u, n, args):
    """One run on CPUs, as pairs of a name and a value."""
    rate = u.spark_rate()
    hours = n / rate / 3600
    rows = math.floor(args.task_bytes / u.bytes_in)
    cores = hours / args.hours
    executors = math.ceil(cores / args.executor_cores)
    losses = executors * args.hours * args.losses
    redone = losses * args.executor_cores * rows / 2
    return [
        ("images a second and core, on Spark", f"{rate:.3g}"),
        ("core hours", number(hours)),
        (f"cores for {args.hours:g} hours", number(math.ceil(cores))),
        (f"executors of {args.executor_cores} cores", number(executors)),
        ("model loads: one an executor, and one a loss", number(executors + losses)),
        ("bytes read", size(n * u.stored)),
        ("read a second, in all", size(n * u.stored / args.hours / 3600)),
        ("JVM to Python to server, each", size(n * u.bytes_in)),
        ("server to Python to JVM, each", size(n * 4 * u.dim)),
        (f"rows a task of {size(args.task_bytes)}", number(rows)),
        ("tasks", number(math.ceil(n / rows))),
        ("a task takes, with a core", f"{rows / rate:.3g} s"),
        ("features, float32, zstd", size(n * u.out["float32_zstd"])),
        ("features, float16 in binary, zstd", size(n * u.out["float16_zstd"])),
        (f"executors lost, at {args.losses:g} an executor hour", number(losses)),
        ("rows done again after that", f"{number(redone)} ({redone / n:.2g} of all)"),
        (f"rows with an error, at {args.bad:g}", number(n * args.bad)),
    ]


def gpu_table(units, _measured, args):
    """What GPUs of a given rate would need around them. The rate is an assumption: none was measured."""
    u = units[-1]
    rows = []
    for rate in args.gpu_rates:
        rows.append([
            number(rate),
            f"{rate * (u.decode_ms + u.spark_ms) / 1000:.3g}",
            size(rate * u.bytes_in),
        ] + [number(math.ceil(n / rate / args.hours / 3600)) for n in args.images])
    heads = ["img/s of a GPU, G", "cores a GPU", "bytes read a second a GPU"]
    return table(heads + [f"GPUs for {number(n)} in {args.hours:g} h" for n in args.images], rows)


def storage_table(units, measured, args):
    """Requests and driver memory when the images are single files, and when they are rows of a table."""
    u, listing = units[-1], measured["listing"]
    rows = []
    per_task = listing["files"] / listing["tasks"]
    for n in args.images:
        objects = math.ceil(n * u.stored / args.object_bytes)
        groups = math.ceil(args.object_bytes / args.task_bytes)
        rows.append([
            number(n), f"{number(n / 1000)} + {number(n)}", size(n * listing["driver_heap_bytes_per_file"]),
            number(n / per_task), number(n / per_task * measured["task_seconds"]["mapInArrow"] / 3600),
            number(objects), number(objects * (groups + 1)), number(math.ceil(n / args.slice_rows)),
        ])
    heads = [
        "images", "as files: lists of 1,000 + reads", "as files: driver's heap", f"as files: tasks ({per_task:.0f} a task)", "their slot hours",
        f"as Parquet: objects of {size(args.object_bytes)}", f"range reads ({size(args.task_bytes)} a task, and the footers)", f"slices of {number(args.slice_rows)} rows",
    ]
    return table(heads, rows)


TABLES = {"units": unit_table, "cpu": cpu_table, "gpu": gpu_table, "storage": storage_table}


def render(text, tables):
    """The page with every marked section made anew."""
    for name, body in tables.items():
        start, end = f"<!-- scale:{name} -->", f"<!-- scale:{name} end -->"
        if text.count(start) != 1 or text.count(end) != 1:
            sys.exit(f"scale.py: the page needs {start} and {end} once each")
        before, rest = text.split(start)
        text = before + start + "\n" + body + "\n" + end + rest.split(end)[1]
    return text


def arguments():
    """The command line. Every default that is an assumption says so."""
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--images", type=float, nargs="+", default=[1e9, 5e9])
    p.add_argument("--hours", type=float, default=24, help="how long it may take")
    p.add_argument("--executor-cores", type=int, default=16)
    p.add_argument("--task-bytes", type=float, default=128 * 2**20, help="spark.sql.files.maxPartitionBytes")
    p.add_argument("--object-bytes", type=float, default=2**30, help="size of a Parquet file of images")
    p.add_argument("--slice-rows", type=float, default=1e7)
    p.add_argument("--losses", type=float, default=0.001, help="executors lost an executor hour: an assumption")
    p.add_argument("--bad", type=float, default=0.001, help="share of images that can't be decoded: an assumption")
    p.add_argument("--gpu-rates", type=float, nargs="+", default=[1000, 5000, 20000], help="images a second of a GPU: an assumption")
    p.add_argument("--write", metavar="PAGE")
    p.add_argument("--check", metavar="PAGE")
    return p.parse_args()


def main():
    """Prints the tables, writes them, or compares them with the page."""
    args = arguments()
    measured = json.loads((HERE / "scale_measured.json").read_text())
    lines = bench_lines()
    units = [Units(model, measured, lines) for model in DIM]
    tables = {name: make(units, measured, args) for name, make in TABLES.items()}
    page = args.write or args.check
    if not page:
        print("\n\n".join(tables.values()))
        return
    text = pathlib.Path(page).read_text()
    new = render(text, tables)
    if args.check and new != text:
        sys.exit(f"scale.py: the tables of {page} are not those of the measurements: run scale.py --write {page}")
    if args.write:
        pathlib.Path(page).write_text(new)


if __name__ == "__main__":
    main()
