"""Spark sessions for the tests: one at a time, each with a JVM of its own, and nothing left of it when it ends.

Spark allows one context in a process, and its local workers inherit the JVM's environment, which is fixed when it starts. So a session of
another mode ends the context and the JVM of the one before. That costs some seconds, so tests of one mode stand in one module.
"""

import os
import shutil
import sys
import tempfile
import uuid

import procs

# One file of a data set is one partition, however small it is: a file's cost fills a partition.
FILES = {"spark.sql.files.maxPartitionBytes": str(4 << 20), "spark.sql.files.openCostInBytes": str(4 << 20)}
QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2"}
HERE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

# JVMs that live for a minute: compiling well costs more than it brings, and so do collectors that run beside the program.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"

# An address list as Spark's discovery scripts print it.
DISCOVERY = '#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0", "1"]}\'\n'


def home_of_links(folder):
    """Makes a SPARK_HOME of links to the installed one. local-cluster writes `work/` below it, and environments may be read-only."""
    import pyspark

    source = os.path.dirname(pyspark.__file__)
    home = os.path.join(folder, "home")
    os.makedirs(home)
    for name in os.listdir(source):
        if name != "work":
            os.symlink(os.path.join(source, name), os.path.join(home, name))
    return home


def fake_gpus(folder):
    """Returns the settings of an executor with the GPU addresses 0 and 1, and two tasks on each."""
    script = os.path.join(folder, "gpus.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write(DISCOVERY)
    os.chmod(script, 0o755)
    return {
        "spark.worker.resource.gpu.amount": "2",
        "spark.worker.resource.gpu.discoveryScript": script,
        "spark.executor.resource.gpu.amount": "2",
        "spark.executor.resource.gpu.discoveryScript": script,
        "spark.task.resource.gpu.amount": "0.5",
        "spark.executor.cores": "4",
    }


class Session:
    """A Spark session with its own JVM, temporary folder and socket folder.

    master and conf are Spark's; env is added to the JVM's environment, which workers inherit. stop() ends all of it and fails
    when a process or a socket is left 10 s (times the tests' slack) after spark.stop().
    """

    def __init__(self, master, conf=None, env=None):
        self.master, self.mark = master, uuid.uuid4().hex
        self.folder = tempfile.mkdtemp(prefix="iv-")  # short: a socket's path has at most 107 bytes
        self.sockets = os.path.join(self.folder, "s")
        os.mkdir(self.sockets, 0o700)
        conf = {**FILES, **QUIET, **HERE, "spark.local.dir": os.path.join(self.folder, "local"), **(conf or {})}
        conf["spark.executor.extraJavaOptions"] = JAVA
        conf["spark.sql.warehouse.dir"] = os.path.join(self.folder, "warehouse")
        self.spark = self._start(conf, {**self._environment(), **(env or {})})

    def _environment(self):
        env = {
            procs.MARK: self.mark,
            "IMGVEC_SOCKET_DIR": self.sockets,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": f"--driver-memory 900m --driver-java-options '{JAVA}' pyspark-shell",
        }
        if self.master.startswith("local-cluster"):
            env["SPARK_HOME"] = home_of_links(self.folder)
        return env

    def _start(self, conf, env):
        from pyspark.sql import SparkSession

        before = dict(os.environ)
        os.environ.update(env)
        for name in ("PYTHONPATH", "IMGVEC_BINARY"):  # the closure brings the package, and the tests name the command
            os.environ.pop(name, None)
        try:
            builder = SparkSession.builder.master(self.master).appName("imgvec")
            for key, value in conf.items():
                builder = builder.config(key, value)
            spark = builder.getOrCreate()
            self.env = env
            spark.sparkContext.setLogLevel("ERROR")
            return spark
        finally:
            os.environ.clear()
            os.environ.update(before)

    def left(self):
        """Lists what must be gone after spark.stop(): processes other than the driver's JVM, and sockets."""
        from pyspark import SparkContext

        gateway = SparkContext._gateway
        jvm = gateway.proc.pid if gateway else 0
        return [p for p in procs.marked(self.mark) if p.pid != jvm] + procs.sockets(self.sockets)

    def stop(self):
        """Ends the session, checks that nothing is left, ends the JVM and removes the folder."""
        self.spark.stop()
        try:
            procs.within(10, f"nothing to be left of {self.master}", lambda: not self.left(), self.left)
        finally:
            end_jvm()
            for process in procs.marked(self.mark):
                procs.kill(process.pid)
            shutil.rmtree(self.folder, ignore_errors=True)


def end_jvm():
    """Ends the driver's JVM, so that the next session starts another with its own environment."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()  # the JVM ends when its standard input does
    try:
        gateway.proc.wait(30)
    except Exception:  # noqa: BLE001  whatever it waits for, it ends here
        gateway.proc.kill()
        gateway.proc.wait(30)
    SparkContext._gateway = SparkContext._jvm = None


class Sessions:
    """Hands out sessions by name; at most one lives."""

    def __init__(self):
        self.current, self.key = None, None

    def get(self, master, conf=None, env=None):
        """Returns the living session where it is the one asked for, else a new one, after the old one's end."""
        key = (master, tuple(sorted((conf or {}).items())), tuple(sorted((env or {}).items())))
        if key != self.key:
            self.close()
            self.current, self.key = Session(master, conf, env), key
        return self.current

    def close(self):
        """Ends the living session, if there is one."""
        session, self.current, self.key = self.current, None, None
        if session:
            session.stop()
