"""The client of `imgvec serve`: moves images of Arrow batches to the server of this executor and the features back.

This one file is all that runs in Spark's Python workers. Its source travels in the closure, so it stands alone: it needs
pyarrow and, in a task, pyspark. It spawns the server or joins the one that lives, keeps what is unanswered, and sends
it again to the next server when one is lost. map_batches is for mapInArrow, features_of for UDFs and imgvec.extract;
each call has its own connection and no threads.
"""
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
GREETING = 30.0  # seconds that a server may take to answer a hello
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 6.4, 6.4)  # seconds between tries to be let in
ABSENT = (FileNotFoundError, ConnectionRefusedError)  # nobody listens
PASSING = (69, 70)  # statuses of a server that ended for a reason that may pass: device lost, stalled
HEADS = ("panic:", "fatal error:", "SIG", "runtime:", "unexpected fault", "runtime stack:", "goroutine ")  # of a crash
LEAST_MEMORY = 4 << 30  # bytes of address space: ResNet-50 on 16 cores failed with 2 GiB and ran with 3
DEFAULTS = {
    "v": 1, "package": "", "options": {}, "model_sha256": None, "input": "binary", "column": "content", "keep": [],
    "output": "features", "error": "features_error", "on_error": "null", "id_column": None, "cores": None,
    "binary": None, "home": None, "env": {}, "socket_dir": None, "rows": 32, "batch_bytes": 4 << 20,
    "window_batches": 8, "window_bytes": 32 << 20, "ready_timeout": 900, "timeout": 600, "stall_timeout": 120,
    "idle_exit": 120, "fetch": True, "respawns": 3, "quiet": False,
}  # times in seconds


class ImgvecError(RuntimeError):
    """What went wrong, and what to do about it."""


class Lost(Exception):
    """A server is gone. death: not on purpose. hung: it lives and does not answer."""

    def __init__(self, text, death=True, hung=False):
        super().__init__(text)
        self.death, self.hung = death, hung


class Busy(Exception):
    """A server does not take us now. silent: its (pid, start time) where it listens and says nothing."""

    def __init__(self, text, silent=None):
        super().__init__(text)
        self.silent = silent


def settings(config):
    """The config and its defaults as attributes. An unknown key is refused, for it would be ignored."""
    unknown = sorted(set(config) - set(DEFAULTS))
    if unknown or config.get("v", 1) != 1:
        raise ImgvecError(f"read the worker's config: version {config.get('v')}, unknown keys {unknown}: it was made by "
                          "another version of imgvec")
    return types.SimpleNamespace(**{**DEFAULTS, **config})


# --- where we run ---------------------------------------------------------------------------------------------------

class Task:
    """The Spark task that runs this call, or the plain Python process."""

    def __init__(self):
        module = sys.modules.get("pyspark")  # a worker has it; nobody else needs it
        context = module.TaskContext.get() if module else None
        self.spark, self.gpus, self.about = context is not None, [], {"process": os.getpid()}
        if self.spark:
            self.about = {"stage": context.stageId(), "partition": context.partitionId(),
                          "attempt": context.attemptNumber()}
            if "gpu" in context.resources():
                self.gpus = list(context.resources()["gpu"].addresses)

    def __str__(self):
        return ", ".join(f"{key} {value}" for key, value in self.about.items())

    def file(self, name):
        """The path of a file that was shipped with the Spark job, or None."""
        if self.spark:
            with contextlib.suppress(Exception):  # of a job without a folder of files
                path = sys.modules["pyspark"].SparkFiles.get(name)
                return path if os.path.exists(path) else None
        return None


def process(pid):
    """(whether it runs, start time) of a process from /proc; (False, None) where there is none.

    A zombie does not run; but one that has other threads still does, with its files open.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
        return fields[0] not in b"ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1, int(fields[19])
    except OSError:
        return False, None


def gone(peer, seconds=0):
    """Tells whether a process, (pid, start time) or None, has ended; waits so long for that."""
    end = time.monotonic() + seconds
    while peer and process(peer[0]) == (True, peer[1]):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def owner(spark):
    """PID:START of the process with which the server ends: in Spark the leader of our process group, the executor's
    Python daemon, which outlives tasks, or our parent where it is gone; elsewhere this process."""
    pid = os.getpid()
    if spark:
        pid = os.getpgrp() if process(os.getpgrp())[0] else os.getppid()
    start = process(pid)[1]
    return f"{pid}:{start}" if start is not None else str(pid)


def find_binary(cfg, task):
    """The path of the imgvec command. Raises ImgvecError with the list of places where it is not."""
    if cfg.binary:
        places = [("the option binary", task.file(cfg.binary) or os.path.abspath(os.path.expanduser(cfg.binary)))]
    elif os.environ.get("IMGVEC_BINARY"):
        places = [("the variable IMGVEC_BINARY", os.environ["IMGVEC_BINARY"])]
    else:
        user = sysconfig.get_preferred_scheme("user") if sys.version_info >= (3, 10) else os.name + "_user"
        places = [("scripts of " + sys.executable, os.path.join(sysconfig.get_path("scripts"), "imgvec")),
                  ("scripts of the user", os.path.join(sysconfig.get_path("scripts", user), "imgvec")),
                  ("files of the Spark job", task.file("imgvec")),
                  ("PATH", shutil.which("imgvec"))]
    for _, path in places:
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    tried = "; ".join(f"{name}: {path or 'nothing'}" for name, path in places)
    raise ImgvecError(f"find the imgvec command on {socket.gethostname()}: no executable file at {tried}. Install the "
                      "wheel there (pip install imgvec), ship the command with the job (--files imgvec, or "
                      "spark.addArtifact(path, file=True)), or name it by binary= or IMGVEC_BINARY")


def device(cfg, task):
    """The server's options and environment by what Spark assigned to the task: never silently the CPU for a GPU."""
    options, env = dict(cfg.options), {}
    wanted = options.get("device", "auto")
    if task.gpus and wanted != "cpu":
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if seen == "":
            raise ImgvecError(f"choose the GPU: Spark assigned {','.join(task.gpus)}, but CUDA_VISIBLE_DEVICES is set "
                              "and empty: unset it, or ask for device='cpu'")
        if seen is None:
            env = {"CUDA_VISIBLE_DEVICES": ",".join(task.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        options["device"] = "cuda" if wanted == "auto" else wanted
    model = options.get("model", "")
    if not os.path.isabs(model) and ("/" in model or model.endswith(".onnx")):
        found = task.file(model) or os.path.abspath(model)  # the server runs in another folder
        options["model"] = found if os.path.exists(found) else model
    return options, env


def absolute(path):
    """The path as it is for the server, which runs in another folder."""
    return os.path.abspath(os.path.expanduser(path))


def private_folder(path):
    """Makes the folder of sockets, which is ours alone: who can write there could be taken for the server."""
    path = absolute(path)
    try:
        with contextlib.suppress(FileExistsError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(path, 0o700)
    except OSError as error:
        raise ImgvecError(f"use {path} for sockets: {error}: name another folder by IMGVEC_SOCKET_DIR") from error
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise ImgvecError(f"use {path} for sockets: it must be a folder of user {os.geteuid()} that no other may enter: "
                          "chmod 700 it, or name another by IMGVEC_SOCKET_DIR")
    return path


def memory():
    """(What to say of the limit on address space, whether it is too low); (None, False) without one."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None, False
    return (f"this process and the server may use {limit >> 20} MiB of address space each, and {LEAST_MEMORY >> 20} are "
            "needed: unset spark.executor.pyspark.memory, which limits it (or ulimit -v), and give "
            "spark.executor.memoryOverhead"), limit < LEAST_MEMORY


# --- the server -----------------------------------------------------------------------------------------------------

class Place:
    """Where the server of this configuration, executor and GPU is found; how it is spawned, joined and killed.

    KEY.sock is its socket. KEY.lock is held by who spawns it, and by itself until it is ready; never removed, for then
    two could hold it. KEY.log has the last words of a server that crashed.
    """

    def __init__(self, cfg, task):
        self.cfg, self.task, self.binary = cfg, task, find_binary(cfg, task)
        self.options, self.env = device(cfg, task)
        self.owner = owner(task.spark)
        self.folder = private_folder(cfg.socket_dir or os.environ.get("IMGVEC_SOCKET_DIR")
                                     or f"/tmp/imgvec-{os.geteuid()}")
        base = os.path.join(self.folder, self.identity())
        self.socket, self.lock, self.log = base + ".sock", base + ".lock", base + ".log"
        if len(os.fsencode(self.socket)) > 100:
            raise ImgvecError(f"use {self.folder} for sockets: the path is too long: name another by IMGVEC_SOCKET_DIR")

    def identity(self):
        """Equal for all who may share one server: same user, executor, GPU, options and command."""
        cfg, env, info = self.cfg, os.environ, os.stat(self.binary)
        namespace = ""  # where our process ids mean something
        with contextlib.suppress(OSError):
            namespace = os.readlink("/proc/self/ns/pid")
        parts = [PROTOCOL, os.geteuid(), namespace, self.owner, env.get("SPARK_LOCAL_DIRS"), env.get("SPARK_EXECUTOR_DIRS"),
                 self.env, env.get("CUDA_VISIBLE_DEVICES"), self.options, cfg.model_sha256, cfg.cores,
                 cfg.home or env.get("IMGVEC_HOME"), cfg.env, self.binary, info.st_mtime_ns, info.st_size]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def hello(self, batches=None):
        """The first line of a connection. batches: of the window, where it is not the config's."""
        cfg = self.cfg
        line = {"protocol": PROTOCOL, "request": "extract", "version": cfg.package, "options": self.options,
                "input": cfg.input, "task": self.task.about, "model_sha256": cfg.model_sha256 or "",
                "window": {"batches": batches or cfg.window_batches, "bytes": cfg.window_bytes}}
        return json.dumps(line).encode() + b"\n"

    def start(self, name, *more, **popen):
        """Starts the server or a child for quarantine, in the root folder: it outlives ours."""
        cfg = self.cfg
        if memory()[1]:
            raise ImgvecError("start imgvec: " + memory()[0])
        env = {**os.environ, "IMGVEC_PYTHON": sys.executable, **self.env, **cfg.env}
        if cfg.home:
            env["IMGVEC_HOME"] = absolute(cfg.home)
        argv = [self.binary, name, *(f"--{key}={value}" for key, value in self.options.items()),
                *([f"--cores={cfg.cores}"] if cfg.cores else []), *(["--fetch"] if cfg.fetch else []), *more]
        try:
            return subprocess.Popen(argv, cwd="/", env=env, **popen)
        except OSError as error:
            raise ImgvecError(f"start {self.binary}: {error}: is it the command for this system?") from error

    def connect(self):
        """A connection on which the server has let us in. Raises Lost, or ImgvecError where no other try can help."""
        silent = 0
        for pause in PAUSES:
            try:
                try:
                    return self.join()
                except ABSENT:
                    with locked(self.lock, self.cfg.ready_timeout) as lock:
                        try:
                            return self.join()  # another has spawned it while we waited
                        except ABSENT:
                            self.spawn(lock)
                        return self.join()
            except ABSENT as error:
                raise Lost(f"the new server is gone: {error}") from error
            except Busy as busy:
                silent += bool(busy.silent)
                if silent == 3:
                    self.kill(busy.silent)
                    raise Lost("the server did not answer three greetings") from busy
            time.sleep(pause)
        raise Lost("no server let us in: each was busy or ending")

    def join(self):
        """Greets the server that lives. Raises Busy, and one of ABSENT where none does."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(GREETING, self.cfg.timeout))
            sock.connect(self.socket)
            connection = Connection(sock, self.cfg)
            connection.greet(self.hello())
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError) and not isinstance(error, ABSENT):  # its queue of callers is full
                raise Busy(str(error)) from error
            raise
        return connection

    def spawn(self, lock):
        """Starts a server and waits until it is ready. The child holds the lock too, and keeps it if we are killed."""
        self.sweep()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)
        cfg, (theirs, ours) = self.cfg, socket.socketpair()
        with theirs, ours:
            child = self.start("serve", f"--listen=unix:{self.socket}", f"--owner-pid={self.owner}",
                               f"--lock-fd={lock}", f"--last-words={self.log}", f"--idle-exit={cfg.idle_exit}s",
                               f"--stall-timeout={cfg.stall_timeout}s", stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=subprocess.DEVNULL if cfg.quiet else None, pass_fds=(lock,))
            theirs.close()
            children().append(child)
            try:
                if cfg.quiet and not heard(ours, min(5, cfg.ready_timeout)):
                    print("imgvec: the server is starting: it may fetch libraries and the model (quiet=False shows its log)", file=sys.stderr)
                if not heard(ours, cfg.ready_timeout):
                    raise ImgvecError(f"start imgvec serve: not ready in {cfg.ready_timeout} s: raise ready_timeout if "
                                      "the model takes that long")
                ready = ours.recv(6) == b"READY "
            except BaseException:  # an interrupt too
                child.kill()
                raise
        if not ready:
            self.not_started(child)

    def not_started(self, child):
        """Raises for a server that was never ready: Lost if another try may do better."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        status, words = child.poll(), self.words()
        child.kill()
        if 0 < (status or 0) <= 128 and not words:  # before it had a log, and so again: wrong usage, not for this system
            argv = [arg for arg in child.args if not arg.startswith("--lock-fd=")]
            with contextlib.suppress(subprocess.TimeoutExpired):
                again = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
                words = last_words(again.stderr.decode(errors="replace"))
        text = f"start imgvec serve ({self.task}): {ending(status)} before it was ready: " + "\n".join(words)
        if status is None or status < 0 or status > 128 or status in PASSING or headline(words).startswith(HEADS):
            raise Lost(text)
        if self.options.get("device", "").startswith("cuda") and self.task.spark and not self.task.gpus:
            text += ("\nSpark assigned no GPU: set spark.executor.resource.gpu.amount and spark.task.resource.gpu.amount, "
                     "or ask for device='auto' or 'cpu'")
        raise ImgvecError("\n".join([text, memory()[0] or ""]).strip())

    def words(self):
        """Last words of the server, as lines; none if it left none."""
        with contextlib.suppress(OSError), open(self.log, encoding="utf-8", errors="replace") as file:
            return last_words(file.read(4 << 20))
        return []

    def kill(self, peer):
        """Ends a server that hangs, unless another has done so. peer: its (pid, start time)."""
        with locked(self.lock, self.cfg.ready_timeout):
            if not gone(peer):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(peer[0], signal.SIGKILL)

    def sweep(self):
        """Removes what dead servers left, whosever, but for locks; reaps our dead children."""
        children()[:] = [child for child in children() if child.poll() is None]
        for name in os.listdir(self.folder):
            base, kind = os.path.splitext(os.path.join(self.folder, name))
            if kind == ".sock" and dead(base):
                with contextlib.suppress(OSError, ImgvecError), locked(base + ".lock", 0):
                    if dead(base):
                        os.unlink(base + ".sock")
                        os.unlink(base + ".log")


def heard(sock, seconds):
    """Waits until there is something to read, or the end; False where nothing comes."""
    sock.settimeout(seconds)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except socket.timeout:
        return False
    return True


def dead(base):
    """Tells whether nobody listens on a socket that is there."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(1)
        try:
            sock.connect(base + ".sock")
        except OSError as error:
            return isinstance(error, ConnectionRefusedError)
    return False


@contextlib.contextmanager
def locked(path, seconds):
    """Holds the lock of that file and yields its descriptor, whose closing unlocks. Raises ImgvecError after so long."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end, pause = time.monotonic() + seconds, 0.01
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise ImgvecError(f"wait for {path}: another process has been starting the server for {seconds} s: "
                                      "raise ready_timeout if the model takes that long") from error
            time.sleep(pause)
            pause = min(0.25, pause * 1.5)
        yield fd
    finally:
        os.close(fd)


_children = {}


def children():
    """The list of servers (Popen) that this process spawned; a fork has none of its parent's."""
    if os.getpid() not in _children:
        _children.clear()
    return _children.setdefault(os.getpid(), [])


def last_words(text, most=20):
    """The lines of a log that say why its process died: the head of a crash and what came before, else the end."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("Try 'imgvec ")]  # no shell here
    heads = (i for i, line in enumerate(lines) if line.startswith(HEADS))
    return lines[max(0, next(heads, len(lines) - most + 2) - 2):][:most]


def headline(words):
    """The one line of last words that says most."""
    return next((line for line in words if line.startswith(HEADS)), words[-1] if words else "no last words")


def ending(status):
    """How a child ended, in words. status is Popen's."""
    if status is None or 0 <= status <= 128:
        return "it did not end" if status is None else f"it ended with status {status}"
    number = -status if status < 0 else status - 128
    return f"it was killed by {next((s.name for s in signal.Signals if s == number), f'signal {number}')}"


# --- one connection -------------------------------------------------------------------------------------------------

class Connection:
    """Protocol 1 over one socket; every error of the transport is a Lost. To write without reading in between can't end
    in both sides waiting: the server's queues hold our whole window."""

    def __init__(self, sock, cfg):
        self.sock, self.cfg, self.file = sock, cfg, sock.makefile("rb")
        self.schema = pa.schema([("image", WIRE[cfg.input])])
        self.about, self.peer, self.started, self.reader = {}, None, False, None
        if hasattr(socket, "SO_PEERCRED"):  # who listens, known without its help
            pid = struct.unpack("i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4))[0]
            self.peer = pid, process(pid)[1]

    def greet(self, hello):
        """Says hello and keeps what the server says of itself. Raises Busy, or ImgvecError for a refusal."""
        try:
            self.sock.sendall(hello)
            line = self.file.readline()
        except OSError as error:
            raise Busy(str(error), self.peer if isinstance(error, socket.timeout) else None) from error
        if not line.endswith(b"\n"):
            raise Busy("the server ended at the greeting")
        answer = json.loads(line)
        if answer.get("code") == "stopping":
            raise Busy("the server is ending")
        if not answer.get("ok"):
            raise ImgvecError(f"the server refused ({answer.get('code')}): {answer.get('error')}")
        self.about = answer["about"]
        self.sock.settimeout(self.cfg.timeout)

    def send(self, array):
        """Sends one batch: of a slice, its own bytes only."""
        batch = pa.RecordBatch.from_arrays([array], schema=self.schema)
        try:
            with self.transport("send images"):
                if not self.started:
                    self.sock.sendall(self.schema.serialize())
                    self.started = True
                self.sock.sendall(batch.serialize())
        except Lost as lost:
            lost.death = lost.death and (lost.hung or not self.stopped())
            raise

    def stopped(self):
        """Tells whether a server that is gone had said that it would stop: its last line, behind answers, tells."""
        with contextlib.suppress(OSError, EOFError, ValueError, pa.ArrowException):
            self.reader = self.reader or pa.ipc.open_stream(self.file)
            for _ in self.reader:
                pass
            return json.loads(self.file.readline()).get("code") == "stopping"
        return False

    def receive(self, rows):
        """The answer to the oldest unanswered batch, which had so many rows."""
        with self.transport("receive features"):
            if self.reader is None:
                self.reader = pa.ipc.open_stream(self.file)
            try:
                answer = self.reader.read_next_batch()
            except StopIteration:
                answer = None
        if answer is None:
            self.ended()
        if answer.num_rows != rows or not answer.schema.equals(ANSWER):
            raise ImgvecError(f"imgvec: BUG: {answer.num_rows} answers to {rows} images: {answer.schema}")
        return pa.RecordBatch.from_arrays(answer.columns, schema=ANSWER)

    def ended(self):
        """Raises for a stream that ended too early: its last line says why."""
        with self.transport("receive features"):
            trailer = json.loads(self.file.readline() or b'{"code": "none", "error": "the server is gone"}')
        code, text = trailer.get("code"), trailer.get("error")
        if code in ("window", "batch"):
            raise ImgvecError(f"imgvec: BUG: the server refused a batch ({code}): {text}")
        raise Lost(text, death=code != "stopping")

    def end(self):
        """Ends a connection on which all is answered. What fails now hurts nobody."""
        with contextlib.suppress(Lost), self.transport("end"):
            self.sock.settimeout(min(10, self.cfg.timeout))
            self.sock.sendall(END)
            self.sock.shutdown(socket.SHUT_WR)
            while self.file.read(65536):
                pass

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
            raise Lost(f"{what}: nothing moved for {self.cfg.timeout} s", hung=True) from error
        except (OSError, EOFError, ValueError, pa.ArrowException) as error:
            raise Lost(f"{what}: {error}") from error


# --- what is under way ----------------------------------------------------------------------------------------------

class Piece:
    """A slice of an input column on its way. source: what it was cut from, start: its first row there."""

    def __init__(self, array, size, source, start, last):
        self.array, self.size, self.source, self.start, self.last = array, size, source, start, last
        self.sent, self.deaths = False, 0
        self.answer = None if len(array) else pa.RecordBatch.from_pylist([], schema=ANSWER)


def cut(column, source, cfg):
    """The pieces of a column: at most `rows` images and `batch_bytes` each; a larger image is a piece of its own."""
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        array = column.cast(WIRE[cfg.input])  # copies no image
    except pa.ArrowException as error:
        raise ImgvecError(f"read the images: they are {column.type}, which can't be taken as "
                          f"{'image files' if cfg.input == 'binary' else 'paths'}: {error}") from error
    n = len(array)
    if not n:
        yield Piece(array, 0, source, 0, True)
        return
    at = memoryview(array.buffers()[1]).cast("q")[array.offset:array.offset + n + 1]
    start = 0
    for i in range(1, n + 1):
        if i == n or i - start == cfg.rows or at[i + 1] - at[start] > cfg.batch_bytes:
            yield Piece(array.slice(start, i - start), at[i] - at[start], source, start, i == n)
            start = i


class Session:
    """One call's images on their way through servers that may die. Used by one thread."""

    def __init__(self, cfg):
        self.cfg, self.task, self.place, self.connection = cfg, Task(), None, None
        self.waiting = collections.deque()  # pieces in order, not yet yielded
        self.deaths = self.rows = self.failed = self.lost = 0  # deaths: in a row
        self.waited, self.about = 0.0, {}

    def run(self, pieces):
        """Yields every piece in order, answered. Takes no more pieces than the window holds; closing drops them."""
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
            self.summary()
        finally:
            self.close()

    def fits(self, piece):
        size = sum(p.size for p in self.waiting) + piece.size
        return len(self.waiting) < self.cfg.window_batches and size <= self.cfg.window_bytes

    def take(self):
        """The oldest piece, with its answer."""
        while self.waiting[0].answer is None:
            self.attempt(self.answer_first)
        piece = self.waiting.popleft()
        self.rows += len(piece.array)
        self.failed += len(piece.array) - piece.answer.column(1).null_count
        return piece

    def answer_first(self):
        self.pump()
        piece = self.waiting[0]
        if piece.answer is None:
            piece.answer = self.connection.receive(len(piece.array))
            self.deaths = 0

    def pump(self):
        """Sends what may be sent. A suspect, which saw a server die, goes alone: then the second death convicts it and
        not its neighbours."""
        out = [p for p in self.waiting if p.sent and p.answer is None]
        for piece in self.waiting:
            if piece.sent or piece.answer is not None:
                continue
            if out and (piece.deaths or out[0].deaths):
                return
            if not self.connection:
                self.place = self.place or Place(self.cfg, self.task)
                self.connection = self.place.connect()
                self.about = self.connection.about
            most = self.about["max_window"]["bytes"]
            if piece.size > most and len(piece.array) == 1:
                piece.answer = failed(f"image too large: it has {piece.size} bytes, and the server takes {most}")
                continue
            piece.sent = True
            out.append(piece)
            self.connection.send(piece.array)

    def attempt(self, step):
        """Runs a step; sees to a server that is lost on the way."""
        start = time.monotonic()
        try:
            step()
        except Lost as lost:
            self.mend(lost)
        finally:
            self.waited += time.monotonic() - start

    def mend(self, lost):
        """After a loss: counts, kills a server that hangs, tries in quarantine what saw two deaths."""
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
        self.lost += 1
        self.deaths += 1
        words = self.place.words()
        self.say(f"server lost, {self.deaths} in a row: {lost}")
        gone(peer, 5)  # it closes our connection before its socket
        self.place.sweep()
        if self.deaths > self.cfg.respawns:
            raise ImgvecError(f"extract features ({self.task}): {self.deaths} servers died without an answer in between:"
                              f" {lost}\nlast words: " + "\n".join(words)) from lost
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

    def summary(self):
        if not self.about:  # an empty partition
            return
        ran = ", ".join(str(self.about.get(key))[:64] for key in ("model", "sha256", "device", "provider", "precision"))
        self.say(f"{self.rows} rows, {self.failed} failed, {self.waited:.1f} s waiting, {self.lost} servers lost; {ran}")


class Quarantine:
    """Tries suspect pieces in children of their own (`imgvec stdio`), halved until the image that kills is found. One
    at a time beside a server: each child loads the model once more."""

    def __init__(self, place, say):
        self.place, self.cfg, self.say = place, place.cfg, say
        self.child = self.connection = self.errors = None

    def judge_all(self, pieces):
        """Gives every piece its answer."""
        self.say(f"quarantine of {sum(len(piece.array) for piece in pieces)} images that saw two servers die, one task after another")
        with locked(self.place.log + ".lock", float("inf")):
            try:
                for piece in pieces:
                    piece.answer = self.judge(piece.array)
            finally:
                if self.connection:
                    self.bury()

    def judge(self, array):
        """The answers to these images; those that kill get an error that says how."""
        todo, answers = [(0, len(array))], []  # (start, rows): the next is the last
        while todo:
            start, rows = todo.pop()
            answer, death, hung = self.run(array.slice(start, rows))
            if answer is None and rows == 1:
                answer = failed(f"the image ends the process that reads it: {death}")
            if answer is None:  # a death costs a load of the model, a hang its time-out: small pieces go one by one
                step = 1 if hung or rows <= 8 else (rows + 1) // 2
                todo += reversed([(i, min(step, start + rows - i)) for i in range(start, start + rows, step)])
            else:
                answers.append(answer)
        return combine(answers)

    def run(self, array):
        """(answer, None, None), or (None, how the child died, whether it hung)."""
        self.open()
        try:
            self.connection.send(array)
            return self.connection.receive(len(array)), None, None
        except Lost as lost:
            hung = lost.hung
        status, words = self.bury()
        return None, f"{ending(status)}: {headline(words)}", hung or status == 70

    def open(self):
        """Starts a child that has taken our hello, if none runs. One that can't start is no image's fault."""
        for left in range(self.cfg.respawns, -1, -1):
            if self.connection:
                return
            self.errors = tempfile.TemporaryFile()
            theirs, ours = socket.socketpair()
            with theirs:
                self.child = self.place.start("stdio", f"--owner-pid={owner(False)}",
                                              f"--stall-timeout={min(30, self.cfg.stall_timeout)}s",
                                              stdin=theirs, stdout=theirs, stderr=self.errors)
            self.connection = Connection(ours, self.cfg)
            ours.settimeout(self.cfg.ready_timeout)  # it loads the model first
            try:
                self.connection.greet(self.place.hello(batches=1))
            except Busy as busy:
                status, words = self.bury()
                if not left:
                    raise ImgvecError(f"start imgvec stdio: {ending(status)}: " + "\n".join(words)) from busy

    def bury(self):
        """Ends the child; its status, None where it had to be killed, and last words."""
        self.connection.close()
        self.connection = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5)
        status = self.child.poll()
        self.child.kill()
        self.child.wait()
        self.errors.seek(0)
        return status, last_words(self.errors.read(4 << 20).decode(errors="replace"))


def failed(error):
    """The answer to one image that has no features."""
    return pa.RecordBatch.from_pylist([{"error": error}], schema=ANSWER)


def combine(answers):
    """One batch of several."""
    return answers[0] if len(answers) == 1 else pa.Table.from_batches(answers).combine_chunks().to_batches()[0]


# --- what is called -------------------------------------------------------------------------------------------------

def features_of(config, arrays, about=None):
    """For each array of images one batch {features, error, width, height} of the same length, in the same order.

    config: a dict (see DEFAULTS). arrays: any iterable of Arrow arrays of binary or string values, read ahead as far as
    the window goes. about: a dict that gets what the server says of itself. Raises ImgvecError; closing the generator
    drops what is under way.
    """
    cfg, parts = settings(config), []
    session = Session(cfg)
    pieces = (piece for array in arrays for piece in cut(array, None, cfg))
    with contextlib.closing(session.run(pieces)) as answered:
        for piece in answered:
            if about is not None:
                about.update(session.about)
            parts.append(piece.answer)
            if piece.last:
                yield combine(parts)
                parts = []


def map_batches(config, batches):
    """The body of mapInArrow: batches with the columns `keep`, then `output`, then `error`, in the input's order.

    config: a dict (see DEFAULTS). batches: an iterator of record batches that have the columns `column` and `keep`;
    they are sliced, not copied. Raises ImgvecError, with on_error "fail" for the first image without features.
    """
    cfg = settings(config)
    if {cfg.output, cfg.error} & set(cfg.keep) or cfg.output == cfg.error:
        raise ImgvecError(f"name the output: {cfg.output!r} or {cfg.error!r} is there already: choose other names")
    session = Session(cfg)
    pieces = (piece for batch in batches for piece in cut(image_column(batch, cfg), batch, cfg))
    with contextlib.closing(session.run(pieces)) as answered:
        for piece in answered:
            source = piece.source.slice(piece.start, len(piece.array))
            if cfg.on_error == "fail":
                fail_if_any(cfg, session.task, source, piece.answer)
            result = assemble(cfg, source, piece.answer)
            yield result.filter(piece.answer.column(1).is_null()) if cfg.on_error == "drop" else result


def image_column(batch, cfg):
    """The column of images of a batch that has all columns that the config names."""
    names = batch.schema.names
    missing = [name for name in [cfg.column, *cfg.keep] if names.count(name) != 1]
    if missing:
        raise ImgvecError(f"read a batch: it must have the columns {missing} once each; it has {names}")
    return batch.column(names.index(cfg.column))


def assemble(cfg, source, answer):
    """The columns that Spark expects, in its order, with the declared names and types."""
    at = [source.schema.names.index(name) for name in cfg.keep]
    columns = [source.column(i) for i in at] + [answer.column(0)]
    fields = [source.schema.field(i) for i in at] + [pa.field(cfg.output, FEATURES)]
    if cfg.error:
        columns.append(answer.column(1))
        fields.append(pa.field(cfg.error, pa.string()))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def fail_if_any(cfg, task, source, answer):
    """Raises for the first image without features, and names its row."""
    errors = answer.column(1)
    i = next((i for i, error in enumerate(errors) if error.is_valid), None)
    if i is None:
        return
    names, row = source.schema.names, "a row"
    if cfg.id_column in names:
        row = f"{cfg.id_column} = {source.column(names.index(cfg.id_column))[i].as_py()!r}"
    raise ImgvecError(f"extract features of {row} ({task}): {errors[i].as_py()}. To keep the job going, ask for onError="
                      "'null' (the reason stands in the error column) or 'drop'")
