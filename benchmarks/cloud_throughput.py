"""How fast `cloud-usage` is: `python -m benchmarks.cloud_throughput` prints a table.

Generated masters and usage events go from landing to gold in two ways: through the tasks bronze, silver, anomalies and
gold of the workload on Spark with two cores, as the simulated cluster has it; and through the program of
`cloud_pandas`, which writes the same tables and marts as Parquet. Each measurement is a process of its own in a fresh
folder; the median of all runs counts, the anomalies are part of silver's time. Memory is that of the whole process tree
at its highest. The start of the session and the import of libraries stand apart.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measured import Measured, figures, measure

SIZES = (250_000, 500_000, 2_000_000)
SEED = 501
MEMORY = "1g"  # the driver's heap at most, whatever the size
INGEST_TIME = "2026-11-21T08:00:00Z"
TASKS = {"bronze": "bronze", "silver": "silver", "anomalies": "silver", "gold": "gold"}


def spark(landing: Path, folder: Path) -> dict[str, float]:
    """Seconds of the session's start and of each layer, on a landing folder, in an empty folder."""
    from benchmarks.spark import session
    from workloads.lakehouse import task as entry

    places = {"MEDALLION_VOLUMES": folder / "volumes", "MEDALLION_CATALOG": "spark_catalog"}
    os.environ |= {name: str(value) for name, value in places.items()}
    os.environ |= {"MEDALLION_EXPERIMENTS": "", "MEDALLION_MODELS": ""}
    started = time.perf_counter()
    session(folder, MEMORY)
    seconds = {"session": time.perf_counter() - started, "bronze": 0.0, "silver": 0.0, "gold": 0.0}
    raw = folder / "volumes" / "landing" / "files"
    raw.mkdir(parents=True)
    (raw / "cloud_usage").symlink_to(landing, target_is_directory=True)
    for key, layer in TASKS.items():
        started = time.perf_counter()
        options = ["--task", key, "--run-id", "run", "--ingest-time", INGEST_TIME]
        entry.carry_out(entry.context(["--workload", "cloud-usage", *options]))
        seconds[layer] += time.perf_counter() - started
    return seconds


def pandas(landing: Path, folder: Path) -> dict[str, float]:
    """Seconds of each layer by the program in pandas."""
    from benchmarks import cloud_pandas

    return cloud_pandas.run(landing, folder, datetime.fromisoformat(INGEST_TIME))


WAYS = {"spark": spark, "pandas": pandas}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=SIZES, help="numbers of events")
    parser.add_argument("--runs", type=int, default=5, help="runs of each")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="which programs")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "LANDING", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, landing, folder = options.one
        print(json.dumps(WAYS[way](Path(landing), Path(folder))))
        return
    console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD, title=f"cloud-usage, landing to gold; medians of {options.runs}")
    layers = (f"{layer} µs" for layer in ("bronze", "silver", "gold"))
    for column in ("events", "way", "events/s", "µs/event", *layers, "start s", "memory MiB"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="medallion-") as name:
        from workloads.cloud_usage import generate

        for events in options.events:
            sample = Path(name) / str(events)
            generate.write(sample, events=events, seed=SEED)
            found: dict[str, list[Measured]] = {way: [] for way in options.ways}
            for _ in range(options.runs):
                for way, runs in found.items():
                    runs.append(measure("benchmarks.cloud_throughput", way, sample / "data", Path(name)))
            for way, runs in found.items():
                table.add_row(*figures(events, way, runs))
            console.print(table)


if __name__ == "__main__":
    main()
