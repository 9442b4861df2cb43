"""The driver of a simulated job cluster: one process a run, whose threads carry out the tasks on one Spark session.

Started by `simulator.drivers` as `python -P cluster.py --report FD` in a session of its own. It reads orders from its
standard input, a JSON object a line (first the cluster's settings, then `run`, `cancel`, `stop`), and reports on FD in
the same way. It imports nothing of this project, so that what it runs comes from the unpacked wheel alone. Where its
input ends, whoever started it is gone, and it ends itself with all its children.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

LINE = 2000  # the longest error that is still a line for people
FEW_CORES = 2
UTC = "-Duser.timezone=UTC"
# Java's thorough compiler takes up a method when it ran ten times as often as by default, with half of what it calls:
# it took a third of the main job's CPU on a million lines, and takes a sixth; what it compiles is no slower.
SPARING = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 -XX:Tier4CompileThreshold=150000"
    " -XX:Tier4BackEdgeThreshold=400000 -XX:FreqInlineSize=160 -XX:InlineSmallCode=1200"
)
ARGV = threading.Lock()


class ClusterError(Exception):
    """Why the cluster cannot start, or a task cannot: one clear line."""


# --- what tasks print ------------------------------------------------------------------------------------------------


class Output(io.TextIOBase):
    """A standard stream that gives each task's thread a log of its own, besides the driver's."""

    def __init__(self, driver: TextIO):
        self._driver = driver
        self._own = threading.local()

    def write(self, text: str) -> int:
        self._driver.write(text)
        log = getattr(self._own, "log", None)
        if log is not None:
            log.write(text)
            self._own.tail = (self._own.tail + text)[-LINE:]
        return len(text)

    def flush(self) -> None:
        self._driver.flush()
        if getattr(self._own, "log", None) is not None:
            self._own.log.flush()

    def fileno(self) -> int:
        return self._driver.fileno()

    def isatty(self) -> bool:
        return False

    @property
    def encoding(self) -> str:
        return "utf-8"

    @contextlib.contextmanager
    def into(self, log: TextIO) -> Iterator[None]:
        """Copy what this thread writes to `log` as well."""
        self._own.log, self._own.tail = log, ""
        try:
            yield
        finally:
            self._own.log = None

    def last_line(self) -> str:
        """The last line that this thread's task wrote."""
        lines = [line.strip() for line in self._own.tail.splitlines() if line.strip()]
        return lines[-1] if lines else ""


# --- errors for people -----------------------------------------------------------------------------------------------


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def one_line(error: BaseException, place: Path | None = None) -> str:
    """What went wrong, in a line: the innermost message of a Python worker, the first line of any other.

    `place` is where space would be needed; without it, the working directory, which is the cluster's own.
    """
    for cause in chain(error):
        if getattr(cause, "errno", None) == errno.ENOSPC or "No space left on device" in str(cause):
            return f"No space left on device: free some disk space below {place or Path.cwd()}, then repair the run."
    text = str(error)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if "Traceback (most recent call last)" in text:
        ends = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit|Interrupt)\b", line)]
        if ends:
            return ends[-1][:LINE]
    first = " ".join(lines[:2]) if lines and lines[0].endswith(".") and "calling o" in lines[0] else "".join(lines[:1])
    return f"{type(error).__name__}: {first}"[:LINE] if first else type(error).__name__


# --- Spark -----------------------------------------------------------------------------------------------------------


def spark_conf(settings: dict[str, Any], scratch: Path) -> dict[str, str]:
    """The session's configuration. `settings`: `warehouse`, `jars`, `memory`, `options` (Java's), `conf`, `name`."""
    return {
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        # VACUUM lists files in so many tasks, of each table however small: 10,000 by default, which take a minute here.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        # A micro-batch alone has some 300 pieces of generated code; where the cache holds only 100, the default, they
        # are compiled anew each time, which took 8 of its 30 seconds of CPU.
        "spark.sql.codegen.cache.maxEntries": "2000",
        # Times as the whole numbers that the format has for them, not as the twelve bytes of old; and columns in which
        # nearly all values differ give up their dictionaries early. Both cost a sixteenth of the executors' CPU.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.hadoop.parquet.dictionary.page.size": str(2**18),
        **settings["conf"],
        "spark.master": "local[*]",
        "spark.app.name": settings["name"],
        "spark.driver.memory": settings["memory"],
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # The executor is the driver's own process: a class path does what spark.jars would, without copies.
        "spark.driver.extraClassPath": os.pathsep.join(settings["jars"]),
        "spark.driver.extraJavaOptions": java_options(settings["options"], os.cpu_count() or 1),
        "spark.local.dir": str(scratch),
        "spark.log.level": "WARN",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(settings["warehouse"]),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }


def java_options(given: str, cores: int) -> str:
    """Java's options: those given, which come last and so go before, and what they leave open.

    Where there are two cores at most, Java's threads are sparing with them. Garbage is collected by the simplest of its
    collectors: its own choice, which collects while the program runs, took a tenth to a sixth longer for the main job
    on two cores. Java refuses two. And only what runs very often is compiled thoroughly (see SPARING).
    """
    if cores > FEW_CORES:
        return " ".join(filter(None, (UTC, given)))
    named = re.search(r"-XX:\+Use\w*GC\b", given)
    return " ".join(filter(None, (UTC, "" if named else "-XX:+UseSerialGC", SPARING, given)))


class SparkSessionOfCluster:
    """The cluster's Spark: started at once, with Delta, over the tables that lie in the warehouse.

    A factory of another class with `prepare`, `cancel`, `alive` and `stop` can stand in (`--session module:name`).
    """

    def __init__(self, settings: dict[str, Any]):
        """Start the session. `settings`: `schemas`, and what `spark_conf` takes."""
        require_java()
        if not settings["jars"]:
            raise ClusterError("MEDALLION_SPARK_JARS names no Delta jars: run `make up`.")
        if missing := [jar for jar in settings["jars"] if not Path(jar).is_file()]:
            raise ClusterError(f"Delta jar {missing[0]} is missing: run `make up`.")
        self._warehouse = Path(settings["warehouse"])
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()
        self._spark = self._start(settings)
        for schema in settings["schemas"]:
            self._spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{schema}`")
        self.register()

    def _start(self, settings: dict[str, Any]) -> Any:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for key, value in spark_conf(settings, Path.cwd() / "tmp").items():
            builder = builder.config(key, value)
        return builder.getOrCreate()

    def register(self) -> None:
        """Make tables that lie in the warehouse known to the catalog, which is this process's own."""
        with self._lock:
            for schema, table, folder in committed_tables(self._warehouse):
                if (schema, table) not in self._known:
                    self._register(schema, table, folder)
                    self._known.add((schema, table))

    def _register(self, schema: str, table: str, folder: Path) -> None:
        self._spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{schema}`")
        name = f"`{schema}`.`{table}`"
        if self._spark.catalog.tableExists(name):
            return
        place = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        self._spark.sql(f"CREATE TABLE {name} USING delta LOCATION '{place}'")
        # A table with a location is external; in Unity Catalog this one is managed (dropping it removes its files).
        session = self._spark._jsparkSession.sessionState()
        catalog, jvm = session.catalog(), self._spark._jvm
        entry = catalog.getTableMetadata(session.sqlParser().parseTableIdentifier(name))
        fields = [getattr(entry, f"copy$default${i}")() for i in range(1, entry.productArity() + 1)]
        fields[1] = jvm.org.apache.spark.sql.catalyst.catalog.CatalogTableType.MANAGED()
        catalog.alterTable(entry.copy(*fields))

    def prepare(self, task_run_id: int, task_key: str) -> None:
        """Ready this thread for a task: it sees what other clusters wrote, and its Spark jobs can be cancelled."""
        self.register()
        self._spark.sparkContext.setJobGroup(str(task_run_id), task_key, interruptOnCancel=True)

    def cancel(self, task_run_id: int) -> None:
        """Cancel the Spark jobs of a task."""
        self._spark.sparkContext.cancelJobGroup(str(task_run_id))

    def alive(self) -> bool:
        """Whether the Java side still runs."""
        context = self._spark.sparkContext
        return context._jsc is not None and context._gateway.proc.poll() is None

    def stop(self) -> None:
        """End the session."""
        self._spark.stop()


def require_java() -> None:
    """Raise ClusterError, saying what to install, unless Java 17 or later is found as Spark finds it."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME={home} holds no Java" if home else "no Java found on PATH or by JAVA_HOME"
        raise ClusterError(f"{where}: Spark needs Java 17 or 21; run `make up`, or install a JRE.")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    if version is None or int(version.group(1)) < 17:
        found = told.splitlines()[0] if told else "nothing"
        raise ClusterError(f"Spark needs Java 17 or 21, and {java} says {found!r}: set JAVA_HOME.")


def committed_tables(warehouse: Path) -> list[tuple[str, str, Path]]:
    """Schema, table and folder of each Delta table with a commit, in order."""
    found = []
    for folder in sorted(warehouse.glob("*.db/*/_delta_log")):
        if any(folder.glob("*.json")) or any(folder.glob("*.checkpoint*.parquet")):
            table = folder.parent
            found.append((table.parent.name.removesuffix(".db"), table.name, table))
    return found


def remove_unborn_tables(warehouse: Path) -> None:
    """Remove folders of tables whose first write was killed before its commit; no driver may be at work there.

    Unity Catalog gives each new table a folder of its own; here the name decides, and Delta refuses one in use.
    """
    born = {table for _, _, table in committed_tables(warehouse)}
    for folder in warehouse.glob("*.db/*"):
        if folder.is_dir() and folder not in born:
            shutil.rmtree(folder)


# --- tasks -----------------------------------------------------------------------------------------------------------


def entry_point(site: str, package: str, name: str) -> Callable[..., Any]:
    """The function that a wheel task calls: the entry point of the package's metadata, else the package's attribute.

    Raises ClusterError where the wheel has neither. Rule: "Python wheel task", docs.databricks.com/jobs/python-wheel.
    """
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    for distribution in importlib.metadata.distributions(path=[site]):
        if re.sub(r"[-_.]+", "-", distribution.name).lower() == wanted:
            for entry in distribution.entry_points:
                if entry.name == name:
                    return entry.load()
            function = getattr(importlib.import_module(package), name, None) if importable(package) else None
            if callable(function):
                return function
            raise ClusterError(f"package {package!r} has no entry point {name!r}")
    raise ClusterError(f"no wheel of package {package!r} is installed on the cluster")


def importable(package: str) -> bool:
    """Whether there is a module of that name."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def call(function: Callable[..., Any], name: str, arguments: list[str]) -> None:
    """Call an entry point with its command line: as its parameter `argv`, else in `sys.argv`, one task at a time.

    `sys.argv` belongs to the process, and the tasks of a run share one.
    """
    if "argv" in inspect.signature(function).parameters:
        result = function(argv=arguments)
    else:
        with ARGV:
            sys.argv = [name, *arguments]
            result = function()
    if isinstance(result, int) and result:
        raise ClusterError(f"the entry point returned {result}; Databricks only sees an exception or an exit code")


class Driver:
    """Carries out orders; one thread a task."""

    def __init__(self, settings: dict[str, Any], session: Any, report: Callable[[dict[str, Any]], None]):
        self._site, self._session, self._report = settings["site"], session, report

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out `run` or `cancel` without waiting for it."""
        target = {"run": self.run, "cancel": self.cancel}[order["order"]]
        threading.Thread(target=target, args=(order,), name=order.get("task_key"), daemon=True).start()

    def cancel(self, order: dict[str, Any]) -> None:
        """Cancel a task's Spark jobs, which ends most tasks."""
        self._session.cancel(order["id"])

    def run(self, order: dict[str, Any]) -> None:
        """Run a task to its end and report it."""
        result: dict[str, Any] = {"event": "ended", "id": order["id"], "error": None, "trace": None}
        log = Path(order["log"])
        with log.open("w", encoding="utf-8", buffering=1) as own, sys.stdout.into(own), sys.stderr.into(own):
            try:
                self._session.prepare(order["id"], order["task_key"])
                function = entry_point(self._site, order["package_name"], order["entry_point"])
                call(function, order["entry_point"], order["arguments"])
            except SystemExit as end:
                result["error"] = exit_line(end)
            except ClusterError as error:
                result["error"] = str(error)
            except BaseException as error:  # noqa: BLE001 (whatever a task raises is its result)
                traceback.print_exc()
                result |= {"error": one_line(error), "trace": traceback.format_exc()}
        if result["error"] and not self._session.alive():
            result["error"] = f"the Spark session of the cluster ended: {result['error']}"
            self._report(result)
            os._exit(3)
        self._report(result)


def exit_line(end: SystemExit) -> str | None:
    """None for a good exit, else what the task said last: its exit message, or its last line on standard error."""
    if end.code in (None, 0):
        return None
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
        return end.code
    return sys.stderr.last_line() or sys.stdout.last_line() or f"the task ended with exit code {end.code}"


def end_group() -> None:
    """End this process and its children (Java, Python workers) at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Serve orders until `stop`; see the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=int, required=True)
    parser.add_argument("--session")
    options = parser.parse_args()
    lock, pipe = threading.Lock(), os.fdopen(options.report, "w", encoding="utf-8")
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)

    def report(event: dict[str, Any]) -> None:
        with lock:
            pipe.write(json.dumps(event) + "\n")
            pipe.flush()

    settings = json.loads(sys.stdin.readline())
    driver: Driver | None = None
    ready = threading.Event()

    def orders() -> None:
        for line in sys.stdin:
            ready.wait()
            order = json.loads(line)
            if order["order"] == "stop":
                driver._session.stop()
                os._exit(0)
            driver.obey(order)
        end_group()

    # Orders are read from the start: a caller who dies while Spark starts is noticed, too.
    reader = threading.Thread(target=orders, name="orders")
    reader.start()
    try:
        session = session_factory(options.session)(settings["spark"])
    except ClusterError as error:
        report({"event": "failed", "error": str(error), "trace": None})
        os._exit(1)
    except BaseException as error:  # noqa: BLE001 (reported to whoever started the cluster)
        traceback.print_exc()
        report({"event": "failed", "error": one_line(error), "trace": traceback.format_exc()})
        os._exit(1)
    driver = Driver(settings, session, report)
    report({"event": "ready"})
    ready.set()
    reader.join()  # the interpreter must not begin to shut down: thread pools of tasks would refuse work


def session_factory(name: str | None) -> Callable[[dict[str, Any]], Any]:
    """`module:name` → that factory; without a name, Spark."""
    if name is None:
        return SparkSessionOfCluster
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    main()
