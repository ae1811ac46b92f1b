#!/usr/bin/env python3
"""Makes a notebook of a script whose cells begin with `# %%`: python3 notebook.py SCRIPT.py [--check]."""

import json
import pathlib
import sys


def cells(text):
    """The cells of a script: Markdown where the mark says so, else code."""
    for part in text.split("\n# %%")[1:]:
        mark, _, body = part.partition("\n")
        lines = body.strip("\n").split("\n")
        if "markdown" in mark:
            yield {"cell_type": "markdown", "metadata": {}, "source": source([line[2:] for line in lines])}
        else:
            yield {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source(lines)}


def source(lines):
    """Lines as notebooks hold them: each but the last with its end."""
    return [line + "\n" for line in lines[:-1]] + lines[-1:]


def main():
    """Writes SCRIPT.ipynb, or fails with --check where it is not what SCRIPT.py makes."""
    script = pathlib.Path(sys.argv[1])
    made = []
    for i, cell in enumerate(cells(script.read_text())):
        made.append({**cell, "id": f"cell-{i}"})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(book, indent=1, ensure_ascii=False) + "\n"
    out = script.with_suffix(".ipynb")
    if "--check" not in sys.argv[2:]:
        out.write_text(text)
    elif not out.exists() or out.read_text() != text:
        sys.exit(f"notebook.py: {out} is not what {script} makes: run notebook.py {script}")


if __name__ == "__main__":
    main()
