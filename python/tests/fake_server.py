"""A stand-in for the imgvec command in tests: speaks protocol 1, and dies, hangs or refuses as it is told.

Images tell it what to do with them: BAD... (or a path that ends so) is that row's error, CRASH... kills the process, HANG... blocks it until
--stall-timeout ends it, EXIT... ends it with status 69, LINGER... closes the connection a second before that, SLOW...
takes 20 ms. Others get the features
[length, crc32 % 1000, 7]. The environment tells the rest: FAKE_DIR is a folder where every process leaves
its marks (count them with marks()), FAKE_PLAN a JSON object:

    start: list, by number of the server in the folder: "ok", "exit N", "mute N" (the same without a word), "crash", "hang"
    hello: list, by number of the connection: "ok", "silent", "eof", "refuse CODE"
    answers: list, by number of the server: after so many batches it ends as "stopping"
    largest: bytes of a window at most
    stdio: what "start" is for children; delay: seconds before READY
    hold: answers nothing before so many batches are there, then marks "excess" if more come in half a second
"""
import contextlib
import io
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import zlib

import pyarrow as pa

FEATURES = pa.list_(pa.field("element", pa.float32()))
ANSWER = pa.schema([("features", FEATURES), ("error", pa.string()), ("width", pa.int32()), ("height", pa.int32())])
PLAN = json.loads(os.environ.get("FAKE_PLAN", "{}"))


def mark(kind, text=""):
    """Leaves a line in the folder and returns how many of its kind were there before."""
    fd = os.open(os.path.join(os.environ["FAKE_DIR"], kind), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "r+b") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        before = file.read().count(b"\n")
        file.write(f"{os.getpid()} {text}\n".encode())
    return before


def planned(kind, number, otherwise="ok"):
    steps = PLAN.get(kind, [])
    return steps[number] if number < len(steps) else otherwise


def flags():
    return dict(arg[2:].split("=", 1) for arg in sys.argv[2:] if "=" in arg)


class Exact(io.RawIOBase):
    """Reads what is asked for and not a byte more, so that select tells whether there is more."""

    def __init__(self, sock):
        self.sock = sock

    def readable(self):
        return True

    def fileno(self):
        return self.sock.fileno()

    def readinto(self, target):
        view, got = memoryview(target), 0
        while got < len(view):
            more = self.sock.recv_into(view[got:])
            if not more:
                break
            got += more
        return got


class Lingering(Exception):
    """Closes the connection; the process ends later."""


class Server:
    def __init__(self):
        self.flags = flags()
        self.number = mark("starts", " ".join(sys.argv[1:]))
        self.answered = 0
        self.busy_since = None

    def start(self):
        kind = "start" if sys.argv[1] == "serve" else "stdio"
        how = planned(kind, self.number if kind == "start" else mark("children"))
        if how.startswith("mute"):
            sys.exit(int(how.split()[1]))
        self.last_words(f"starting as {how}")
        if how.startswith("exit"):
            self.last_words("imgvec: no such model: make one")
            sys.exit(int(how.split()[1]))
        if how == "crash":
            self.crash()
        if how == "hang":
            time.sleep(3600)
        time.sleep(PLAN.get("delay", 0))
        threading.Thread(target=self.watch, daemon=True).start()

    def last_words(self, line):
        print(line, file=sys.stderr, flush=True)
        if "last-words" in self.flags:
            with open(self.flags["last-words"], "a") as file:
                file.write(line + "\n")

    def crash(self):
        self.last_words("SIGSEGV: segmentation violation\nPC=0x1 m=0\n\ngoroutine 1 [running]:")
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)  # another thread may get the signal

    def watch(self):
        """The watchdog: an image that hangs is a death; so is the owner's."""
        stall = float(self.flags["stall-timeout"].rstrip("s"))
        owner = self.flags.get("owner-pid", "").split(":")[0]
        while True:
            time.sleep(0.02)
            since = self.busy_since
            if since and time.monotonic() - since > stall:
                self.last_words("stalled: an image hangs")
                os._exit(70)
            if owner and not os.path.exists(f"/proc/{owner}"):
                self.remove()
                os._exit(0)

    def remove(self):
        for name in (self.flags.get("listen", "unix:")[5:], self.flags.get("last-words")):
            if name and os.path.exists(name):
                os.unlink(name)

    def serve(self):
        path = self.flags["listen"][len("unix:"):]
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(128)
        with contextlib.suppress(BrokenPipeError):  # who spawned us may be gone
            os.write(1, b"READY {}\n")
        os.close(1)
        os.close(int(self.flags["lock-fd"]))
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self.connection, args=(Exact(sock), sock.makefile("wb"), sock),
                             daemon=True).start()

    def connection(self, source, sink, sock=None):
        line = source.readline()
        if not line:
            return
        how = planned("hello", mark("hellos", line.decode().strip()))
        hello = json.loads(line)
        if how == "silent":
            time.sleep(3600)
        lingering = False
        if how != "eof":
            try:
                self.converse(hello, how, source, sink)
            except Lingering:
                lingering = True
        if sock:
            source.close()
            sink.close()
            sock.close()
        if lingering:
            time.sleep(1)
            os._exit(69)

    def converse(self, hello, how, source, sink):
        reply = {"protocol": 1, "ok": True, "about": {
            "model": "fake", "sha256": "ab" * 32, "dim": 3, "device": "cpu", "provider": "none", "precision": "fp32",
            "pid": os.getpid(), "start_time": 0, "max_window": {"batches": 99, "bytes": PLAN.get("largest", 1 << 30)}}}
        if how.startswith("refuse"):
            reply = {"protocol": 1, "ok": False, "code": how.split()[1], "error": "no: change it"}
        sink.write(json.dumps(reply).encode() + b"\n")
        sink.flush()
        if reply["ok"] and hello["request"] == "extract":
            try:
                self.stream(source, sink)
            except (OSError, pa.ArrowException, ValueError):
                mark("dropped")

    def stream(self, source, sink):
        limit = planned("answers", self.number, None)
        rows = 0
        with pa.ipc.open_stream(source) as reader, pa.ipc.new_stream(sink, ANSWER) as writer:
            sink.flush()
            for batch in self.held(reader, source):
                mark("batches", f"{batch.num_rows} {batch.nbytes} {batch.get_total_buffer_size()}")
                writer.write_batch(self.answer(batch))
                sink.flush()
                rows += batch.num_rows
                self.answered += 1
                if limit is not None and self.answered >= limit:
                    self.remove()
                    break
        stopping = limit is not None and self.answered >= limit
        trailer = {"ok": False, "code": "stopping", "error": "told to"} if stopping else {"ok": True, "rows": rows}
        sink.write(json.dumps(trailer).encode() + b"\n")
        sink.flush()
        if stopping:
            os._exit(0)

    def held(self, reader, source):
        """The batches, the first ones only when the client has sent its whole window."""
        first = [reader.read_next_batch() for _ in range(PLAN.get("hold", 0))]
        if first and select.select([source], [], [], 0.5)[0]:
            mark("excess")
        yield from first
        yield from reader

    def answer(self, batch):
        features, errors = [], []
        for image in batch.column(0).to_pylist():
            self.busy_since = time.monotonic()
            one, error = self.image(image)
            features.append(one)
            errors.append(error)
        self.busy_since = None
        sizes = pa.array([None if e else 4 for e in errors], pa.int32())
        return pa.RecordBatch.from_arrays([pa.array(features, FEATURES), pa.array(errors, pa.string()), sizes, sizes],
                                          schema=ANSWER)

    def image(self, image):
        if isinstance(image, str):
            image = image.encode()
        if not image or image.startswith(b"BAD") or image.endswith(b"/BAD"):
            return None, "decode: not an image"
        if image.startswith(b"CRASH"):
            self.crash()
        if image.startswith(b"HANG"):
            time.sleep(3600)
        if image.startswith(b"EXIT"):
            self.last_words("the device is lost")
            os._exit(69)
        if image.startswith(b"LINGER"):
            raise Lingering
        if image.startswith(b"SLOW"):
            time.sleep(0.02)
        return [float(len(image)), float(zlib.crc32(image) % 1000), 7.0], None


def main():
    server = Server()
    server.start()
    if sys.argv[1] == "serve":
        server.serve()
    else:
        server.connection(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
