"""The protocol that every peer speaks: it gets ready, says so, then runs one round for each line "go" on stdin.

A round is the whole list of files, once. After it the peer prints one line of JSON with the number of images and the
seconds on the wall; the harness reads the CPU time of the process and its children from the system.
"""
import json
import sys
import time

import PIL


def files():
    """The paths, one a line, of the file named by the first argument."""
    with open(sys.argv[1], encoding="utf-8") as f:
        return f.read().splitlines()


def serve(run, warm_up, **versions):
    """Calls warm_up once and run for each round; run returns how many images it did."""
    warm_up()
    say(ready=True, versions={"python": sys.version.split()[0], "pillow": PIL.__version__, **versions})
    for line in sys.stdin:
        if line.strip() != "go":
            break
        start = time.perf_counter()
        images = run()
        say(images=images, seconds=time.perf_counter() - start)


def say(**values):
    print(json.dumps(values), flush=True)
