"""The client of `imgvec serve`: moves images of Arrow batches to the server of this executor and the features back.

This one file is all that runs in Spark's Python workers. Its source travels in the closure, so it stands alone: the
standard library, pyarrow, and pyspark.TaskContext where a task runs. It spawns the server or joins the one that lives,
keeps what is unanswered, and sends it again to the next server when one is lost.

    map_batches  for mapInArrow        features_of  for UDFs and imgvec.extract

Everything is single-threaded per call. No call shares a connection with another; what they share is the server.
"""
from __future__ import annotations

import collections
import contextlib
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
import types

import pyarrow as pa

PROTOCOL = 1
FEATURES = pa.list_(pa.field("element", pa.float32()))  # the only list that Spark takes from a worker
ANSWER = pa.schema([("features", FEATURES), ("error", pa.string()), ("width", pa.int32()), ("height", pa.int32())])
WIRE = {"binary": pa.large_binary(), "path": pa.large_string()}  # large: a slice of any batch fits
END = b"\xff\xff\xff\xff\0\0\0\0"  # of an Arrow stream
HELLO_TIMEOUT = 30.0  # seconds
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 6.4, 6.4)  # seconds between tries to be let in
RETURNABLE = (69, 70)  # statuses of a server that ended for a reason that may pass: device lost, stalled
LEAST_MEMORY = 8 << 30  # bytes of address space
DEFAULTS = {
    "v": 1, "package": "", "options": {}, "model_sha256": None, "input": "binary", "column": "content", "keep": [],
    "output": "features", "error": "features_error", "on_error": "null", "id_column": None, "cores": None,
    "binary": None, "home": None, "env": {}, "socket_dir": None, "rows": 32, "batch_bytes": 4 << 20,
    "window_batches": 8, "window_bytes": 32 << 20, "ready_timeout": 900, "timeout": 600, "stall_timeout": 120,
    "idle_exit": 120, "fetch": True, "respawns": 3, "quiet": False,
}


class ImgvecError(RuntimeError):
    """What went wrong with a server, a setting or an image, and what to do about it."""


class Lost(Exception):
    """A server is gone. death: it did not end on purpose. hung: it lives and does not answer."""

    def __init__(self, text, death=True, hung=False):
        super().__init__(text)
        self.death, self.hung = death, hung


class Absent(Exception):
    """Nobody listens on the socket."""


class Busy(Exception):
    """Somebody listens and does not take us now. silent: it said nothing at all; peer: whom to blame."""

    def __init__(self, text, silent=False, peer=None):
        super().__init__(text)
        self.silent, self.peer = silent, peer


def settings(config):
    """The config with its defaults, as attributes. A key that this file does not know is refused: it would be ignored."""
    unknown = sorted(set(config) - set(DEFAULTS))
    if unknown or config.get("v", 1) != 1:
        raise ImgvecError(f"read the worker's config: version {config.get('v')}, unknown keys {unknown}: "
                          "it was made by another version of imgvec")
    return types.SimpleNamespace(**{**DEFAULTS, **config})


# --- where we run ---------------------------------------------------------------------------------------------------

class Task:
    """The Spark task that runs this call, or the plain Python process."""

    def __init__(self):
        module = sys.modules.get("pyspark")  # a worker has it; nobody else needs it
        context = module.TaskContext.get() if module else None
        self.spark = context is not None
        self.about = {"app": os.path.basename(os.environ.get("SPARK_LOCAL_DIRS", ""))}
        self.gpus = []
        if context:
            self.about.update(stage=context.stageId(), partition=context.partitionId(),
                              attempt=context.attemptNumber())
            gpu = context.resources().get("gpu")
            self.gpus = list(gpu.addresses) if gpu else []

    def __str__(self):
        if not self.spark:
            return f"process {os.getpid()}"
        return "stage {stage}, partition {partition}, attempt {attempt}".format(**self.about)

    def file(self, name):
        """The path of a file that Spark shipped with the job, or None."""
        if not self.spark:
            return None
        try:
            path = sys.modules["pyspark"].SparkFiles.get(name)
        except Exception:  # no folder of files here: then it has no file either
            return None
        return path if os.path.exists(path) else None


def process(pid):
    """(state, start time) of a process from /proc, (None, None) where it is gone or there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except OSError:
        return None, None
    return fields[0].decode(), int(fields[19])


def owner(spark):
    """PID:START of the process with which the server shall end.

    In Spark that is the leader of our process group, the executor's Python daemon, which outlives tasks; where it is
    gone, our parent. Else it is this process.
    """
    pid = os.getpid()
    if spark:
        leader = os.getpgrp()
        pid = leader if process(leader)[0] not in (None, "Z", "X") else os.getppid()
    start = process(pid)[1]
    return f"{pid}:{start}" if start is not None else str(pid)


def find_binary(cfg, task):
    """The path of the imgvec command. Raises ImgvecError with the list of places where it is not."""
    if cfg.binary:
        places = [("the option binary", task.file(cfg.binary) or os.path.abspath(os.path.expanduser(cfg.binary)))]
    else:
        user = os.name + "_user" if sys.platform != "darwin" or not sysconfig.get_config_var("PYTHONFRAMEWORK") \
            else "osx_framework_user"
        places = [
            ("IMGVEC_BINARY", os.environ.get("IMGVEC_BINARY")),
            ("the scripts folder of " + sys.executable, os.path.join(sysconfig.get_path("scripts"), "imgvec")),
            ("the user's scripts folder", os.path.join(sysconfig.get_path("scripts", user), "imgvec")),
            ("the files of the Spark job", task.file("imgvec")),
            ("PATH", shutil.which("imgvec")),
        ]
    for _, path in places:
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    tried = "; ".join(f"{name}: {path or 'nothing'}" for name, path in places)
    raise ImgvecError(f"find the imgvec command on {socket.gethostname()}: no executable file at: {tried}. Install the "
                      "wheel there (pip install imgvec), or ship the command with the job (--files imgvec, or "
                      "spark.addArtifact(path, file=True)), or name it by the option binary or IMGVEC_BINARY")


def device(cfg, task):
    """The server's options and environment by what Spark assigned to the task: never silently the CPU for a GPU."""
    options, env = dict(cfg.options), {}
    if task.gpus and options.get("device", "auto") != "cpu":
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if seen == "":
            raise ImgvecError(f"choose the GPU: Spark assigned {','.join(task.gpus)}, but CUDA_VISIBLE_DEVICES is set "
                              "and empty on the executor: unset it, or ask for device='cpu'")
        if seen is None:
            env = {"CUDA_VISIBLE_DEVICES": ",".join(task.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        if options.get("device", "auto") == "auto":
            options["device"] = "cuda"
    model = options.get("model", "")
    if not os.path.isabs(model) and ("/" in model or model.endswith(".onnx")):
        found = task.file(model) or os.path.abspath(model)  # the server runs elsewhere
        options["model"] = found if os.path.exists(found) else model
    return options, env


def private_folder(path):
    """Makes the folder of sockets, which is ours alone: who can write there could answer in the server's place."""
    with contextlib.suppress(FileExistsError):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        os.mkdir(path, 0o700)
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise ImgvecError(f"use {path} for sockets: it must be a folder of user {os.geteuid()} that no other may "
                          f"enter: chmod 700 it, or name another by socket_dir or IMGVEC_SOCKET_DIR")
    return path


def last_words(text, most=20):
    """The lines of a log that say why its process died: the head of Go's crash, else the last ones."""
    lines = [line for line in text.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if line.startswith(("panic:", "fatal error:", "SIG", "runtime:", "unexpected fault")):
            return lines[i:i + most]
    return lines[-most:]


def read_text(path):
    """A log's text, at most its first 4 MiB; none where there is none."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read(4 << 20)
    return ""


def ending(status):
    """How a child ended, in words. status is Popen's."""
    if status is None:
        return "it does not end"
    if status >= 0:
        return f"it ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"it was killed by {signal.Signals(-status).name}"
    return f"it was killed by signal {-status}"


# --- the server -----------------------------------------------------------------------------------------------------

class Place:
    """Where the server of this configuration, executor and GPU is found; how it is spawned, joined and killed.

    KEY.sock is the server's. KEY.lock is held by who spawns, and by the new server until it is ready; it is never
    removed, for then two could hold it. KEY.log has the last words of a server that crashed.
    """

    def __init__(self, cfg, task):
        self.cfg, self.task, self.binary = cfg, task, find_binary(cfg, task)
        self.options, self.env = device(cfg, task)
        self.owner = owner(task.spark)
        folder = cfg.socket_dir or os.environ.get("IMGVEC_SOCKET_DIR") or f"/tmp/imgvec-{os.geteuid()}"
        self.folder = private_folder(folder)
        base = os.path.join(folder, self.identity())
        self.socket, self.lock, self.log = base + ".sock", base + ".lock", base + ".log"
        if len(os.fsencode(self.socket)) > 100:
            raise ImgvecError(f"use {folder} for sockets: its path is too long for a socket's: name a shorter one by "
                              "socket_dir or IMGVEC_SOCKET_DIR")

    def identity(self):
        """Equal for all who may share one server: same user, executor, GPU, options and command."""
        cfg, info = self.cfg, os.stat(self.binary)
        shared = os.environ.get("SPARK_LOCAL_DIRS") or os.environ.get("SPARK_EXECUTOR_DIRS")
        namespace = ""  # process ids mean something in one of these only
        with contextlib.suppress(OSError):
            namespace = os.readlink("/proc/self/ns/pid")
        parts = [PROTOCOL, os.geteuid(), namespace, self.owner, shared, self.env, os.environ.get("CUDA_VISIBLE_DEVICES"),
                 self.options, cfg.model_sha256, cfg.cores, cfg.home or os.environ.get("IMGVEC_HOME"), cfg.env,
                 self.binary, info.st_mtime_ns, info.st_size]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def hello(self, batches=None):
        """The first line of a connection. batches: of the window, where it is not the config's."""
        cfg = self.cfg
        line = {"protocol": PROTOCOL, "request": "extract", "version": cfg.package, "options": self.options,
                "input": cfg.input, "task": self.task.about,
                "window": {"batches": batches or cfg.window_batches, "bytes": cfg.window_bytes}}
        if cfg.model_sha256:
            line["model_sha256"] = cfg.model_sha256
        return json.dumps(line).encode() + b"\n"

    def command(self, name, *more, stall):
        """The arguments of the server or of a child for quarantine."""
        cfg, argv = self.cfg, [self.binary, name]
        for key, value in self.options.items():
            argv += [f"--{key}={one}" for one in (value if isinstance(value, list) else [value])]
        argv += [f"--cores={cfg.cores}"] if cfg.cores else []
        argv += ["--fetch"] if cfg.fetch else []
        return argv + [f"--stall-timeout={stall}s", *more]

    def environment(self):
        env = {**os.environ, "IMGVEC_PYTHON": sys.executable, **self.env, **self.cfg.env}
        if self.cfg.home:
            env["IMGVEC_HOME"] = self.cfg.home
        return env

    def connect(self):
        """A connection on which the server has let us in. Raises Lost, or ImgvecError where it is of no use to wait."""
        silent = 0
        for pause in PAUSES:
            try:
                return self.join()
            except Absent:
                connection = self.spawn_or_join()
                if connection:
                    return connection
            except Busy as busy:
                silent += busy.silent
                if silent >= 3:
                    self.kill(busy.peer)
                    raise Lost(f"the server did not answer three greetings: {busy}") from busy
            time.sleep(pause)
        raise Lost(f"no server took us in {sum(PAUSES):.0f} s: the last was busy or ending")

    def join(self):
        """Greets the server that lives. Raises Absent, Busy."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(HELLO_TIMEOUT, self.cfg.timeout))
            sock.connect(self.socket)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            sock.close()
            raise Absent from error
        except OSError as error:  # its queue of callers is full
            sock.close()
            raise Busy(str(error)) from error
        connection = Connection(sock, self.cfg)
        try:
            connection.greet(self.hello())
        except BaseException:
            connection.close()
            raise
        return connection

    def spawn_or_join(self):
        """Under the lock, which may take as long as another's spawn. None where a server is there but busy."""
        with locked(self.lock, self.cfg.ready_timeout) as lock:
            try:
                return self.join()
            except Busy:
                return None
            except Absent:
                self.spawn(lock)
            try:
                return self.join()
            except (Absent, Busy) as error:
                raise Lost("the new server is gone: " + self.words()) from error

    def spawn(self, lock):
        """Starts a server and waits until it is ready. The child holds the lock too, and keeps it if we are killed."""
        self.sweep()
        check_memory()
        theirs, ours = socket.socketpair()
        argv = self.command("serve", f"--listen=unix:{self.socket}", f"--owner-pid={self.owner}", f"--lock-fd={lock}",
                            f"--last-words={self.log}", f"--idle-exit={self.cfg.idle_exit}s",
                            stall=self.cfg.stall_timeout)
        with theirs, ours:
            try:
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, pass_fds=(lock,), cwd="/",
                                         env=self.environment())
            except OSError as error:
                raise ImgvecError(f"start {self.binary}: {error}") from error
            theirs.close()
            children().append(child)
            try:
                line = read_line(ours, self.cfg.ready_timeout)
            except BaseException:  # too late, or the caller was interrupted
                child.kill()
                raise
        if not line.startswith(b"READY "):
            self.not_started(child)

    def not_started(self, child):
        """Raises for a server that ended before it was ready."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        status, words = child.poll(), self.words()
        child.kill()
        text = f"start imgvec serve for {self.task}: {ending(status)} before it was ready: {words}"
        if status is None or status < 0 or status in RETURNABLE:
            raise Lost(text)
        if self.options.get("device", "").startswith("cuda") and self.task.spark and not self.task.gpus:
            text += ("\nSpark assigned no GPU to this task: set spark.executor.resource.gpu.amount and "
                     "spark.task.resource.gpu.amount, or ask for device='auto' or 'cpu'")
        raise ImgvecError(text)

    def words(self):
        """Last words of the server, if it left any."""
        return "\n".join(last_words(read_text(self.log))) or "no last words; its log is on the executor's stderr"

    def kill(self, peer):
        """Ends a server that hangs, unless another has done it: peer is its (pid, start time)."""
        with locked(self.lock, self.cfg.ready_timeout):
            if peer and peer[0] and peer == (peer[0], process(peer[0])[1]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(peer[0], signal.SIGKILL)

    def sweep(self):
        """Removes the sockets and last words that dead servers left; reaps our dead children."""
        for child in list(children()):
            if child.poll() is not None:
                children().remove(child)
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name.endswith(".sock") and path != self.socket and dead(path):
                with contextlib.suppress(OSError, ImgvecError), locked(path[:-5] + ".lock", 0):
                    if dead(path):
                        os.unlink(path)
                        os.unlink(path[:-5] + ".log")


def dead(path):
    """Tells whether nobody listens on a socket that is there."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(1)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False


def read_line(sock, seconds):
    """The line that a child prints when it is ready; shorter where the child ends first. Raises ImgvecError."""
    end, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            more = sock.recv(65536)
        except socket.timeout as error:
            raise ImgvecError(f"start imgvec serve: not ready in {seconds} s: raise ready_timeout if the model is "
                              "that large; its log is on the executor's stderr") from error
        if not more:
            break
        line += more
    return line


@contextlib.contextmanager
def locked(path, seconds):
    """Holds the lock of that file and yields its descriptor; raises TimeoutError after so long. Closing unlocks."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end, pause = time.monotonic() + seconds, 0.01
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise ImgvecError(f"wait for {path}: another process starts the server since {seconds} s: raise "
                                      "ready_timeout if the model is that large") from error
            time.sleep(pause)
            pause = min(0.25, pause * 1.5)
        yield fd
    finally:
        os.close(fd)


_children = {}


def children():
    """The servers that this process spawned, as Popen objects; a fork has none of its parent's."""
    mine = _children.setdefault(os.getpid(), [])
    if len(_children) > 1:
        _children.clear()
        _children[os.getpid()] = mine
    return mine


def check_memory():
    """Refuses to spawn where the limit on address space would kill the server in the middle of its work."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        raise ImgvecError(f"start imgvec serve: this process may use {limit >> 20} MiB of address space only, and the "
                          f"server, which inherits the limit, needs {LEAST_MEMORY >> 20} MiB: unset "
                          "spark.executor.pyspark.memory (it sets that limit) or ulimit -v, and give the memory by "
                          "spark.executor.memoryOverhead")


# --- one connection -------------------------------------------------------------------------------------------------

class Connection:
    """Protocol 1 over one socket. Every error of the transport is a Lost. The server holds our whole window, so that
    to write without reading in between can't end in both waiting for each other."""

    def __init__(self, sock, cfg):
        self.sock, self.cfg, self.file = sock, cfg, sock.makefile("rb")
        self.schema = pa.schema([("image", WIRE[cfg.input])])
        self.about, self.peer, self.started, self.reader = {}, self.credentials(), False, None

    def credentials(self):
        """(pid, start time) of who listens, known without its help; None where the system does not tell."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        pid = struct.unpack("3i", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return pid, process(pid)[1]

    def greet(self, hello):
        """Says hello and keeps what the server says about itself. Raises Busy, or ImgvecError for a refusal."""
        try:
            self.sock.sendall(hello)
            line = self.file.readline()
        except socket.timeout as error:
            raise Busy("no answer to the greeting", silent=True, peer=self.peer) from error
        except OSError as error:
            raise Busy(str(error)) from error
        if not line.endswith(b"\n"):
            raise Busy("the server ended at the greeting")
        answer = json.loads(line)
        if not answer.get("ok"):
            if answer.get("code") == "stopping":
                raise Busy("the server is ending")
            raise ImgvecError(f"the server refused ({answer.get('code')}): {answer.get('error')}")
        self.about = answer["about"]
        self.sock.settimeout(self.cfg.timeout)

    def send(self, array):
        """Sends one batch: only the bytes of this slice go out."""
        batch = pa.RecordBatch.from_arrays([array], schema=self.schema)
        with self.transport("send images"):
            if not self.started:
                self.sock.sendall(self.schema.serialize())
                self.started = True
            self.sock.sendall(batch.serialize())

    def receive(self, rows):
        """The answer to the oldest unanswered batch, which had so many rows."""
        with self.transport("receive features"):
            if self.reader is None:
                self.reader = pa.ipc.open_stream(self.file)
                if not self.reader.schema.equals(ANSWER):
                    raise ImgvecError(f"imgvec: BUG: the server answers {self.reader.schema}")
            try:
                answer = self.reader.read_next_batch()
            except StopIteration:
                answer = None
        if answer is None:
            self.ended()
        if answer.num_rows != rows:
            raise ImgvecError(f"imgvec: BUG: {answer.num_rows} answers to {rows} images")
        return pa.RecordBatch.from_arrays(answer.columns, schema=ANSWER)

    def ended(self):
        """Raises for a server that ended its stream before it answered all: its last line says why."""
        with self.transport("receive the reason"):
            trailer = json.loads(self.file.readline() or b"{}")
        code, text = trailer.get("code"), trailer.get("error", "it ended without a reason")
        if code in ("window", "batch"):
            raise ImgvecError(f"imgvec: BUG: the server refused a batch ({code}): {text}")
        raise Lost(f"{code}: {text}", death=code != "stopping")

    def end(self):
        """Ends a connection on which all is answered, in good manner. What fails now hurts nobody."""
        with contextlib.suppress(Lost, ValueError), self.transport("end"):
            self.sock.settimeout(min(10, self.cfg.timeout))
            self.sock.sendall((b"" if self.started else self.schema.serialize().to_pybytes()) + END)
            self.sock.shutdown(socket.SHUT_WR)
            while self.file.read(65536):
                pass
        self.close()

    def close(self):
        self.reader = None
        with contextlib.suppress(OSError):
            self.file.close()
        self.sock.close()

    @contextlib.contextmanager
    def transport(self, what):
        """Turns what a broken socket raises into Lost."""
        try:
            yield
        except socket.timeout as error:
            raise Lost(f"{what}: no answer in {self.cfg.timeout} s", hung=True) from error
        except (OSError, EOFError, pa.ArrowException, json.JSONDecodeError) as error:
            raise Lost(f"{what}: {error}") from error


# --- what is under way ----------------------------------------------------------------------------------------------

class Piece:
    """A slice of an input column on its way: at most `rows` images. batch and start say where it came from."""

    __slots__ = ("array", "size", "batch", "start", "sent", "deaths", "answer")

    def __init__(self, array, size, batch=None, start=0):
        self.array, self.size, self.batch, self.start = array, size, batch, start
        self.sent, self.deaths = False, 0
        self.answer = None if len(array) else pa.RecordBatch.from_arrays(
            [pa.array([], field.type) for field in ANSWER], schema=ANSWER)


def cut(array, rows, most):
    """(start, rows, bytes) of the slices of a large binary or string array; one larger row is a slice of its own."""
    if not len(array):
        yield 0, 0, 0
        return
    at = memoryview(array.buffers()[1]).cast("q")[array.offset:array.offset + len(array) + 1]
    start = 0
    for i in range(1, len(array) + 1):
        if i == len(array) or i - start == rows or at[i + 1] - at[start] > most:
            yield start, i - start, at[i] - at[start]
            start = i


def wire(array, cfg):
    """An input column as what travels. Its bytes are not copied."""
    kind = WIRE[cfg.input]
    try:
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
            array = array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        return array if array.type == kind else array.cast(kind)
    except pa.ArrowException as error:
        raise ImgvecError(f"read the column {cfg.column!r}: it is {array.type}, which can't be taken as "
                          f"{'image files' if cfg.input == 'binary' else 'paths'}: {error}") from error


class Session:
    """One call's rows on their way through servers that may die. Used by one thread; close() drops everything."""

    def __init__(self, cfg):
        self.cfg, self.task, self.place, self.connection = cfg, Task(), None, None
        self.waiting = collections.deque()  # pieces in order: not yet yielded
        self.deaths = self.rows = self.failed = self.lost_servers = 0
        self.waited, self.about = 0.0, {}

    def run(self, pieces):
        """Yields every piece in order, answered. Takes no more pieces than the window holds."""
        try:
            for piece in pieces:
                while self.waiting and not self.fits(piece):
                    yield self.take()
                self.waiting.append(piece)
                self.attempt(self.pump)
            while self.waiting:
                yield self.take()
            if self.connection:
                self.connection.end()
            self.log()
        finally:
            self.close()

    def fits(self, piece):
        size = sum(p.size for p in self.waiting) + piece.size
        return len(self.waiting) < self.cfg.window_batches and size <= self.cfg.window_bytes

    def take(self):
        """The oldest piece with its answer."""
        piece = self.waiting[0]
        while piece.answer is None:
            self.attempt(self.answer_first)
        self.rows += len(piece.array)
        self.failed += len(piece.array) - piece.answer.column(1).null_count
        return self.waiting.popleft()

    def answer_first(self):
        self.pump()
        piece = self.waiting[0]
        piece.answer = self.connection.receive(len(piece.array))
        self.deaths = 0

    def pump(self):
        """Sends what may be sent. A suspect, which saw a server die, goes alone: then a second death convicts it and
        not its neighbours."""
        out = [p for p in self.waiting if p.sent and p.answer is None]
        for piece in self.waiting:
            if piece.sent or piece.answer is not None:
                continue
            if out and (piece.deaths or out[0].deaths):
                return
            self.connection = self.connection or self.open()
            piece.sent = True
            out.append(piece)
            self.connection.send(piece.array)

    def open(self):
        self.place = self.place or Place(self.cfg, self.task)
        connection = self.place.connect()
        self.about = connection.about
        return connection

    def attempt(self, step):
        """Runs a step; a server lost on the way is seen to."""
        start = time.monotonic()
        try:
            step()
        except Lost as lost:
            self.mend(lost)
        finally:
            self.waited += time.monotonic() - start

    def mend(self, lost):
        """After a server was lost: counts, kills it if it hangs, tries in quarantine what saw two deaths."""
        peer = self.connection.peer if self.connection else None
        self.close()
        if lost.hung:
            self.place.kill(peer)
        for piece in self.waiting:
            if piece.sent and piece.answer is None:
                piece.sent = False
                piece.deaths += lost.death
        if not lost.death:
            return
        self.lost_servers += 1
        self.deaths += 1
        words = self.place.words()
        self.say(f"server lost, {self.deaths} in a row: {lost}")
        if self.deaths > self.cfg.respawns:
            raise ImgvecError(f"extract features ({self.task}): the server died {self.deaths} times without an answer "
                              f"in between: {lost}\nlast words: {words}") from lost
        suspects = [p for p in self.waiting if p.deaths > 1 and p.answer is None]
        if suspects:
            Quarantine(self.place, self.say).judge_all(suspects)
            self.deaths = 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def say(self, text):
        if not self.cfg.quiet:
            print(f"imgvec: {self.task}: {text}", file=sys.stderr, flush=True)

    def log(self):
        about = {key: self.about.get(key) for key in ("model", "device", "provider", "precision")}
        digest = (self.about.get("sha256") or "")[:12]
        self.say(f"{self.rows} rows, {self.failed} failed, waited {self.waited:.1f} s, {self.lost_servers} servers lost; "
                 "{model} ({0}) on {device}, {provider}, {precision}".format(digest, **about))


class Quarantine:
    """Tries suspect pieces in children of their own (`imgvec stdio`), halved until the image that kills is found.

    One quarantine at a time runs beside a server: each child loads the model once more.
    """

    def __init__(self, place, say):
        self.place, self.cfg, self.say = place, place.cfg, say
        self.child = self.connection = self.errors = None

    def judge_all(self, pieces):
        """Gives every piece its answer."""
        with contextlib.suppress(OSError):
            self.place.sweep()
        with locked(self.place.lock[:-5] + ".quarantine.lock", float("inf")):
            try:
                for piece in pieces:
                    self.say(f"quarantine of {len(piece.array)} images that saw two servers die")
                    piece.answer = self.judge(piece.array)
            finally:
                self.close()

    def judge(self, array):
        """The answers to these images; those that kill get an error that says how."""
        todo, answers = [(0, len(array))], []
        while todo:
            start, rows = todo.pop()
            answer, death = self.run(array.slice(start, rows))
            if answer is None and rows == 1:
                answer = blame(death)
            if answer is not None:
                answers.append(answer)
                continue
            step = (rows + 1) // 2 if rows > 8 else 1  # a death costs a model's load: the last eight go one by one
            todo += reversed([(i, min(step, start + rows - i)) for i in range(start, start + rows, step)])
        return combine(answers)

    def run(self, array):
        """(answer, None), or (None, how the child died). A child killed from outside gets one more try."""
        for _ in range(2):
            self.open()
            try:
                self.connection.send(array)
                return self.connection.receive(len(array)), None
            except Lost as lost:
                hung = str(lost) if lost.hung else ""
            status, words = self.bury()
            death = hung or ": ".join([ending(status), *words[:1]])
            if len(array) > 1 or hung or status not in (-signal.SIGKILL, -signal.SIGTERM):
                break
        return None, death

    def open(self):
        """Starts a child that has taken our hello. One that can't is nobody's image's fault."""
        for last in [False] * self.cfg.respawns + [True]:
            if self.connection:
                return
            check_memory()
            self.errors = tempfile.TemporaryFile()
            theirs, ours = socket.socketpair()
            argv = self.place.command("stdio", stall=min(30, self.cfg.stall_timeout))
            with theirs:
                self.child = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=self.errors, cwd="/",
                                              env=self.place.environment())
            self.connection = Connection(ours, self.cfg)
            ours.settimeout(self.cfg.ready_timeout)  # it loads the model first
            try:
                self.connection.greet(self.place.hello(batches=1))
            except Busy as busy:
                status, words = self.bury()
                if last:
                    raise ImgvecError(f"start imgvec stdio: {ending(status)}, {busy}: " + "\n".join(words)) from busy

    def bury(self):
        """Ends the child; its status (None where it had to be killed) and last words."""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5)
        status = self.child.poll()
        self.child.kill()
        self.child.wait()
        self.errors.seek(0)
        words = last_words(self.errors.read(4 << 20).decode(errors="replace"))
        self.errors.close()
        self.connection = None
        return status, words

    def close(self):
        if self.connection:
            self.bury()


def blame(death):
    """The answer to one image that ended the process that read it."""
    text = f"the image ends the process that reads it: {death}"
    return pa.RecordBatch.from_arrays(
        [pa.array([None], FEATURES), pa.array([text]), pa.array([None], pa.int32()), pa.array([None], pa.int32())],
        schema=ANSWER)


def combine(answers):
    """One batch of several."""
    if len(answers) == 1:
        return answers[0]
    table = pa.Table.from_batches(answers, schema=ANSWER).combine_chunks()
    return table.to_batches()[0]


# --- what Spark and Python call -------------------------------------------------------------------------------------

def features_of(config, arrays):
    """For each array of images one batch {features, error, width, height} of the same length, in the same order.

    config: a dict (see DEFAULTS). arrays: any iterable of Arrow arrays of binary or string values. Reads ahead as far
    as the window goes. Raises ImgvecError. Closing the generator drops what is under way.
    """
    cfg = settings(config)
    parts = []
    for piece in Session(cfg).run(pieces_of(arrays, cfg)):
        parts.append(piece.answer)
        if piece.start + len(piece.array) == piece.batch:
            yield combine(parts)
            parts = []


def pieces_of(arrays, cfg):
    for array in arrays:
        array = wire(array, cfg)
        for start, rows, size in cut(array, cfg.rows, cfg.batch_bytes):
            yield Piece(array.slice(start, rows), size, len(array), start)


def map_batches(config, batches):
    """The body of mapInArrow: batches with the columns `keep`, then `output`, then `error`, in the input's order.

    config: a dict (see DEFAULTS). batches: an iterator of record batches that have the columns `column` and `keep`;
    they are sliced, not copied. Raises ImgvecError, with on_error "fail" for the first image without features.
    """
    cfg = settings(config)
    session = Session(cfg)
    for piece in session.run(pieces_of_batches(batches, cfg)):
        answer = piece.answer
        source = piece.batch.slice(piece.start, len(piece.array))
        if cfg.on_error == "fail":
            fail_if_any(cfg, session.task, source, answer)
        result = assemble(cfg, source, answer)
        if cfg.on_error == "drop":
            result = result.filter(answer.column(1).is_null())
        yield result


def pieces_of_batches(batches, cfg):
    for batch in batches:
        names = batch.schema.names
        missing = [name for name in [cfg.column, *cfg.keep] if names.count(name) != 1]
        if missing:
            raise ImgvecError(f"read a batch: it must have the columns {missing} once each; it has {names}")
        array = wire(batch.column(names.index(cfg.column)), cfg)
        for start, rows, size in cut(array, cfg.rows, cfg.batch_bytes):
            yield Piece(array.slice(start, rows), size, batch, start)


def assemble(cfg, source, answer):
    """The columns that Spark expects, by position; their names and types are checked here, where it can be said."""
    names = source.schema.names
    columns = [source.column(names.index(name)) for name in cfg.keep] + [answer.column(0)]
    fields = [source.schema.field(names.index(name)) for name in cfg.keep] + [pa.field(cfg.output, FEATURES)]
    if cfg.error:
        columns.append(answer.column(1))
        fields.append(pa.field(cfg.error, pa.string()))
    twice = [name for name, n in collections.Counter(field.name for field in fields).items() if n > 1]
    if twice:
        raise ImgvecError(f"name the output: column {twice[0]!r} is there already: choose another outputCol or errorCol")
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def fail_if_any(cfg, task, source, answer):
    """Raises for the first image without features, and names its row."""
    errors = answer.column(1)
    if errors.null_count == len(errors):
        return
    i = next(i for i, error in enumerate(errors) if error.is_valid)
    names, row = source.schema.names, f"row {i} of a batch"
    if cfg.id_column in names:
        row = f"{cfg.id_column} = {source.column(names.index(cfg.id_column))[i].as_py()!r}"
    raise ImgvecError(f"extract features of {row} ({task}): {errors[i].as_py()}. To keep the job going, ask for "
                      "onError='null' (features null, the reason in the error column) or 'drop'")
