"""How fast `ssh-logs` is: `python -m benchmarks.ssh_throughput` prints a table.

Generated logs go from raw lines to gold, with all exports, in three ways: through the tasks bronze, silver and gold of
the workload on Spark with two cores, as the simulated cluster has it; through the program of `ssh_pandas`, written as
one writes pandas; and through that of `ssh_arrow`, whose kernels are as fast as a single process gets. Both of these do
less (see there). Each measurement is a process of its own in a fresh folder; the median of all runs counts. Memory is
that of the whole process tree at its highest, pages that processes share divided among them (PSS). The start of the
session and the import of libraries stand apart.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measured import LAYERS, Measured, figures, measure

SIZES = (500_000, 1_000_000, 5_000_000)
SEED = 501
MEMORY = "1g"  # the driver's heap at most, whatever the size
INGEST_TIME = "2026-11-21T08:00:00Z"
YEAR = 2026


def spark(log: Path, folder: Path) -> dict[str, float]:
    """Seconds of the session's start and of each layer, on a log, in an empty folder."""
    from benchmarks.spark import session
    from workloads.lakehouse import task as entry

    places = {"MEDALLION_VOLUMES": folder / "volumes", "MEDALLION_CATALOG": "spark_catalog"}
    os.environ |= {name: str(value) for name, value in places.items()}
    os.environ |= {"MEDALLION_EXPERIMENTS": "", "MEDALLION_MODELS": ""}
    started = time.perf_counter()
    session(folder, MEMORY)
    seconds = {"session": time.perf_counter() - started}
    raw = folder / "volumes" / "bronze" / "files" / "raw_logs"
    raw.mkdir(parents=True)
    os.link(log, raw / log.name)
    for layer in LAYERS:
        started = time.perf_counter()
        options = ["--task", layer, "--run-id", "run", "--ingest-time", INGEST_TIME]
        entry.carry_out(entry.context(["--workload", "ssh-logs", *options]))
        seconds[layer] = time.perf_counter() - started
    return seconds


def alone(program: str, log: Path, folder: Path) -> dict[str, float]:
    """Seconds of each layer by a program of one process, on a log, in an empty folder."""
    return importlib.import_module(f"benchmarks.ssh_{program}").run(log, folder, YEAR)


WAYS = {"spark": spark, "pandas": partial(alone, "pandas"), "arrow": partial(alone, "arrow")}


def sample(lines: int, folder: Path) -> Path:
    """A generated log of so many lines."""
    from workloads.ssh_logs.generate import generate

    path = folder / f"{lines}.log"
    with path.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(f"{line}\n" for line, _ in generate(lines, SEED))
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES, help="sizes of logs")
    parser.add_argument("--runs", type=int, default=5, help="runs of each")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="which programs")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "LOG", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, log, folder = options.one
        print(json.dumps(WAYS[way](Path(log), Path(folder))))
        return
    console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD, title=f"ssh-logs, raw lines to gold with all exports; medians of {options.runs}")
    for column in ("lines", "way", "lines/s", "µs/line", *(f"{layer} µs" for layer in LAYERS), "start s", "memory MiB"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="medallion-") as name:
        for lines in options.lines:
            log = sample(lines, Path(name))
            found: dict[str, list[Measured]] = {way: [] for way in options.ways}
            for _ in range(options.runs):
                for way, runs in found.items():
                    runs.append(measure("benchmarks.ssh_throughput", way, log, Path(name)))
            for way, runs in found.items():
                table.add_row(*figures(lines, way, runs))
            log.unlink()
            console.print(table)


if __name__ == "__main__":
    main()
