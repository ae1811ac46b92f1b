"""What lives on this machine because of a test: servers, their children, Python workers, sockets; and what they say.

Everything a session starts inherits the variable MARK from its JVM, so that the processes of one session are told from all others. Zombies
count as dead: nobody may be there to reap them (in a container the first process often does not).
"""

import json
import os
import signal
import socket
import time

MARK = "IMGVEC_TEST_SESSION"

# Deadlines that the product promises are multiplied by this, as test machines are small and shared.
SLACK = float(os.environ.get("IMGVEC_TEST_SLACK", "3"))

# How long each promise took, for the end of pytest's report.
KEPT = []


def wait(what, condition, seconds=60.0):
    """Returns the first true value of condition(), which is asked until so many seconds are over; then it fails and says what."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


def within(promise, what, condition, details=list):
    """wait() for something that the product promises to do in so many seconds. details() is shown when it does not."""
    begin = time.monotonic()
    try:
        wait(what, condition, promise * SLACK)
    except AssertionError as err:
        raise AssertionError(f"{err}; there still is: {details()}") from None
    KEPT.append(f"{what}: {time.monotonic() - begin:.1f} s of {promise:.0f}")


class Process:
    """A living process as /proc has it: pid, ppid, start (clock ticks after boot), argv, environ (a dict)."""

    def __init__(self, pid, ppid, start, argv, environ):
        self.pid, self.ppid, self.start, self.argv, self.environ = pid, ppid, start, argv, environ

    def __repr__(self):
        return f"{self.pid} {' '.join(self.argv)[:300]}"

    def runs(self, command):
        """Tells whether this is the binary, whatever its name, running `serve` or `stdio`."""
        return len(self.argv) > 1 and "imgvec" in os.path.basename(self.argv[0]) and self.argv[1] == command


def _read(pid):
    """Returns the Process, or None where it is gone, a zombie or not ours to read."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = [os.fsdecode(a) for a in file.read().split(b"\0")[:-1]]
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = [os.fsdecode(e).partition("=") for e in file.read().split(b"\0") if e]
    except OSError:
        return None
    return Process(int(pid), int(fields[1]), int(fields[19]), argv, {k: v for k, _, v in pairs})


def alive(pid):
    """Tells whether the process lives; a zombie does not."""
    return _read(pid) is not None


def marked(mark):
    """Lists the living processes of a session, its JVMs too."""
    found = [_read(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
    return [p for p in found if p and p.environ.get(MARK) == mark]


def servers(mark):
    """Lists the session's processes that are `imgvec serve`."""
    return [p for p in marked(mark) if p.runs("serve")]


def children(mark):
    """Lists the session's processes that are `imgvec stdio`."""
    return [p for p in marked(mark) if p.runs("stdio")]


def workers(mark):
    """Lists the session's Python processes that Spark started: daemons and workers."""
    return [p for p in marked(mark) if any("pyspark" in a and ("daemon" in a or "worker" in a) for a in p.argv)]


def executors(mark):
    """Lists the JVMs of local-cluster's executors."""
    return [p for p in marked(mark) if any("CoarseGrainedExecutorBackend" in a for a in p.argv)]


def sockets(folder):
    """Lists the paths of the sockets in a folder and below."""
    found = []
    for parent, _, names in os.walk(folder):
        found += [os.path.join(parent, n) for n in names if n.endswith(".sock")]
    return sorted(found)


def ask(path, request):
    """Sends a request of protocol 1 ("about" or "metrics") to a socket; returns what comes back until the end, as text."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall((json.dumps({"protocol": 1, "request": request}) + "\n").encode())
        parts = []
        while True:
            part = s.recv(65536)
            if not part:
                return b"".join(parts).decode()
            parts.append(part)


def _answers(folder, request):
    """Yields (path, answer) of every socket in the folder behind which a server lives."""
    for path in sockets(folder):
        try:
            answer = ask(path, request)
        except OSError:
            continue
        if answer:
            yield path, answer


def abouts(folder):
    """Lists what every living server of the folder says of itself: the dict `about`."""
    return [json.loads(answer)["about"] for _, answer in _answers(folder, "about")]


class Metrics:
    """The counters of one server: a dict from name with labels, as Prometheus writes it, to float."""

    def __init__(self, text):
        self.values = {}
        for line in text.splitlines():
            if line and not line.startswith(("#", "{")):
                name, _, value = line.rpartition(" ")
                self.values[name] = float(value)

    def get(self, name):
        """Returns the sum over all labels of a name."""
        return sum(v for k, v in self.values.items() if k == name or k.startswith(name + "{"))


def metrics(folder):
    """Lists the Metrics of every living server of the folder."""
    return [Metrics(answer) for _, answer in _answers(folder, "metrics")]


def total(folder, name):
    """Returns the sum of a metric over the folder's living servers."""
    return sum(m.get(name) for m in metrics(folder))


def connections(folder):
    """Returns how many connections the folder's living servers have, but for those that ask for it."""
    return sum(m.get("imgvec_connections") - 1 for m in metrics(folder))


def kill(pid):
    """Kills a process with SIGKILL and waits until it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait(f"process {pid} to be gone", lambda: not alive(pid))


def memory(pid):
    """Returns the memory of a process that no other shares, and the shared part by its share (PSS), in bytes; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except OSError:
        return 0
