"""What documents and examples hold of each other: the tables of docs/scale.md, the notebook, the client of docs/serve.md."""
import os
import re
import subprocess
import sys

from conftest import ROOT

EXAMPLES = os.path.join(ROOT, "python", "examples")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(script, *args):
    """Runs an example; its standard output. The test fails with what it says if it does."""
    done = subprocess.run([sys.executable, os.path.join(EXAMPLES, script), *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tables_of_the_page_are_those_of_the_measurements():
    run("scale.py", "--check", os.path.join(ROOT, "docs", "scale.md"))


def test_the_notebook_is_made_of_the_script():
    run("notebook.py", os.path.join(EXAMPLES, "spark_quickstart.py"), "--check")


def test_the_page_has_the_client_whole():
    assert read("python", "examples", "serve_client.py").rstrip("\n") in read("docs", "serve.md")


def test_the_client_of_the_page_works(real, home, tmp_path):
    config, pictures = real(), tmp_path / "pictures"
    real, socket = config["binary"], config["socket_dir"] + ".sock"  # a short path
    subprocess.run([real, "setup", "--samples", pictures], check=True, env={**os.environ, "IMGVEC_HOME": home})
    (pictures / "broken.jpg").write_bytes(b"no picture")
    names = sorted(str(p) for p in pictures.iterdir()) * 12  # more than a window
    command = [real, "serve", f"--listen=unix:{socket}", f"--owner-pid={os.getpid()}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "IMGVEC_HOME": home}) as server:
        try:
            assert server.stdout.readline().startswith(b"READY ")
            lines = run("serve_client.py", socket, *names).splitlines()
        finally:
            server.terminate()
    assert [line.split(" ", 1)[0] for line in lines] == names
    assert sum(" 1280 values of " in line for line in lines) == len(names) - 12
    assert sum("not decodable" in line for line in lines) == 12


# What the table of symptoms quotes of others: Spark, Python, the system.
OTHERS = ("Container killed", "No module named 'pyarrow'", "Python in worker has different version", "[UNSUPPORTED_ARROWTYPE]", "getFloat", "no such host", "must be installed", "Pandas")


def messages():
    """The text of everything that makes messages, with strings that go on in the next line joined."""
    names = [name for top in ("python/imgvec", "serve", "cmd", "executor", "model", "preprocess", "dataset", "imgvec.go", "errors.go") for name in files(top)]
    text = "\n".join(read(name) for name in names)
    return re.sub(r'"\s*\n\s*f?"', "", text)


def files(top):
    path = os.path.join(ROOT, top)
    if os.path.isfile(path):
        yield top
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names if name.endswith((".py", ".go")))


def quoted(page):
    """The pieces of the messages in the first column of the table of symptoms; dots and capital words stand for what varies."""
    table = page.split("## Troubleshooting")[1].split("\n## ")[0]
    for line in re.findall(r"^\| (.*?) \|", table, re.M):
        for span in re.findall(r"`([^`]+)`", line):
            yield from (piece.strip() for piece in re.split(r"\.\.\.|\b[A-Z]+\b|\b\d+\b", span) if len(piece.strip()) > 10)


def test_the_messages_of_the_page_are_those_of_the_program():
    text, page = messages(), read("docs", "spark.md")
    pieces = [piece for piece in quoted(page) if not any(other in piece or piece in other for other in OTHERS)]
    assert len(pieces) > 10
    assert [piece for piece in pieces if piece not in text] == []
