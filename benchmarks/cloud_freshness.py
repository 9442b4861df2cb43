"""How fresh what is served is: `python -m benchmarks.cloud_freshness` prints a table.

A batch of generated events is served from a real Cassandra; then the speed layer runs on Spark with two cores, and one
file after the other lands, each with an event of a customer's day that nobody else touches. The time from the moment
at which the file has its name until the query `org-daily` shows its event is what counts, at each trigger. A file lands
when the one before is served and a varying part of the trigger has passed: no moment of the trigger is favoured.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from toolchain import cassandra

TRIGGERS = (30, 5)
EVENTS, SEED = 20_000, 501
FIRST_DAY = date(2025, 1, 1)  # before all generated events
LOOK_EVERY = 0.05  # seconds
GIVE_UP = 600


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, nargs="+", default=TRIGGERS, help="seconds")
    parser.add_argument("--files", type=int, default=20, help="files for each trigger")
    options = parser.parse_args()
    console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD, title=f"file to served row, seconds; {options.files} files, two cores")
    for column in ("trigger s", "median", "p95", "most", "wanted p95"):
        table.add_column(column, justify="right")
    with (
        tempfile.TemporaryDirectory(prefix="medallion-") as name,
        cassandra.running(Path(name), console.print) as store,
    ):
        os.environ["MEDALLION_SERVING_STORE"] = f"cassandra://{store.host}:{store.port}/cloud_usage"
        place = _prepare(Path(name))
        for number, trigger in enumerate(options.triggers):
            waits = _waits(place, trigger, options.files, FIRST_DAY + timedelta(days=100 * number))
            figures = (np.median(waits), np.percentile(waits, 95), max(waits))
            table.add_row(str(trigger), *(f"{figure:.1f}" for figure in figures), f"{trigger + 15}")
            console.print(table)


def _prepare(folder: Path) -> Path:
    """A lake whose first version is served; gives the folder in which files of events land."""
    from benchmarks.spark import session
    from workloads.cloud_usage import generate

    places = {"MEDALLION_VOLUMES": folder / "volumes", "MEDALLION_CATALOG": "spark_catalog"}
    os.environ |= {name: str(value) for name, value in places.items()}
    os.environ |= {"MEDALLION_EXPERIMENTS": "", "MEDALLION_MODELS": ""}
    session(folder, "2g")
    generate.write(folder / "sample", events=EVENTS, seed=SEED, bad_share=0)
    landing = folder / "volumes" / "landing" / "files" / "cloud_usage"
    landing.parent.mkdir(parents=True)
    (folder / "sample" / "data").rename(landing)
    for task in ("bronze", "silver", "anomalies", "gold", "serve"):
        _carry_out(task)
    return landing / "usage_events_stream"


def _carry_out(task: str, **parameters: object) -> None:
    from workloads.lakehouse import task as entry

    given = [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]
    now = datetime.now(UTC).isoformat()
    options = ["--workload", "cloud-usage", "--task", task, "--run-id", "run", "--ingest-time", now, *given]
    entry.carry_out(entry.context(options))


def _waits(place: Path, trigger: int, files: int, day: date) -> list[float]:
    """Seconds that each file waited until its event was served."""
    lasting = threading.Thread(
        target=_carry_out, args=("speed",), kwargs={"trigger_seconds": trigger, "stop_after_seconds": GIVE_UP * 10}
    )
    lasting.daemon = True
    lasting.start()
    _wait(place, f"{trigger}-begin", day)  # what the stream begins with is no part of it
    found = []
    for number in range(files):
        time.sleep(trigger * (number * 7 % 10) / 10)
        found.append(_wait(place, f"{trigger}-{number}", day + timedelta(days=number + 1)))
    from pyspark.sql import SparkSession

    for query in SparkSession.active().streams.active:
        query.stop()
    lasting.join()
    return found


def _wait(place: Path, name: str, day: date) -> float:
    """Lands a file with one event and waits for it. Raises TimeoutError where it is never served."""
    from workloads import spec
    from workloads.lakehouse import serving

    workload = spec.find("cloud-usage")
    (question,) = [query for query in workload.queries if query.name == "org-daily"]
    known = json.loads(next(line for line in _lines(place) if '"metric": "requests"' in line))
    event = {**known, "event_id": f"evt_{name}", "timestamp": f"{day}T12:00:00Z"}
    hidden, file = place / f"_{name}", place / f"{name}.jsonl"
    hidden.write_text(json.dumps(event) + "\n")
    hidden.rename(file)
    began = time.monotonic()
    values = {"org_id": event["org_id"], "date": day}
    while time.monotonic() - began < GIVE_UP:
        if serving.query(serving.from_environment(), workload, question, values):
            return time.monotonic() - began
        time.sleep(LOOK_EVERY)
    raise TimeoutError(f"{file} was not served within {GIVE_UP} seconds")


def _lines(place: Path) -> list[str]:
    return sorted(place.glob("events_part_*.jsonl"))[0].read_text().splitlines()


if __name__ == "__main__":
    main()
