"""Kills the job's driver at each durable write, and repairs the run: `python -m benchmarks.kill_job`, a line for each.

Every durable write of every task passes one gate that announces it (`workloads/lakehouse/effects.py`). In one run, the
driver with its Java is stopped before each of them and the state folder is copied: that is what signal 9 leaves there,
at each point, for the price of one run. From each copy, whose run is then one whose driver and session are gone, the
run is repaired, or run again. With `--kill`, the driver is killed indeed, in a run for each point (an hour more); after
the last write it always is. Tables, exports and the model registry must be those of an undisturbed run: tables by
content without audit columns, exports by what they say (see `export`), one new version of the model. Between two
reports that only tell of the run nothing of this can change: of several in a row, the first is a point.

With `--stream`, half of the events come after the job ran, and it is the workload's stream that is killed while it
takes them, and run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mlflow.tracking import MlflowClient
from rich.console import Console

from benchmarks.kill_up import difference
from benchmarks.platform import Platform
from benchmarks.tables import contents, lines
from toolchain import paths

SAMPLES = {"ssh-logs": ("--lines", "400"), "cloud-usage": ("--events", "600")}
KILL_POINT = paths.ROOT / "benchmarks" / "kill_point"
# Not compared: reports say which run made them, when it ran and how long it took; tables are compared as tables.
APART = ("reports/", "silver/quality_reports/", "catalog/", "bronze/checkpoints/")
OF_ONE_RUN = ("artifact_path:", "model_id:", "model_size_bytes:", "model_uuid:", "run_id:", "utc_time_created:")
ENCODERS = "label_encoders.pkl"
OF_A_RUN = "reports/runs/"
STREAM = ("--stream", "--for", "20s", "-p", "trigger_seconds=1", "-p", "files_per_trigger=4")


def prepare(folder: Path, workload: str, stream: bool = False) -> Platform:
    """A platform whose stack is up and whose input, a small sample, is uploaded; that of a stream half before the job
    ran, half after it.
    """
    at, data = Platform(folder / "home"), folder / "sample" / "data"
    at.up()
    at.succeed("medallion", "generate", workload, *SAMPLES[workload], "--output", str(folder / "sample"))
    if stream:
        later = folder / "later" / "usage_events_stream"
        later.mkdir(parents=True)
        for file in sorted((data / later.name).iterdir())[::2]:
            file.rename(later / file.name)
    at.succeed("medallion", "upload", workload, str(data), "--replace")
    if stream:
        at.succeed("medallion", "run", workload)
        at.succeed("medallion", "upload", workload, str(later.parent))
    return at


def outcome(at: Platform) -> dict[str, Any]:
    """What runs led to: content of all tables, digests of all exports, versions of the model with their aliases."""
    lake = at.home / "lake"
    places = {file.relative_to(lake).as_posix(): file for file in sorted(lake.rglob("*")) if file.is_file()}
    exports = {place: export(file) for place, file in places.items() if not place.startswith(APART)}
    registry = MlflowClient(f"sqlite:///{at.home / 'mlflow' / 'mlflow.db'}")
    versions = {
        model.name: {"versions": len(registry.search_model_versions(f"name='{model.name}'")), "aliases": model.aliases}
        for model in registry.search_registered_models()
    }
    return {"tables": contents(lake / "catalog"), "exports": exports, "models": versions}


def export(file: Path) -> str:
    """What an export says, as a digest: Parquet by rows without audit columns, a model by its scores, else bytes.

    Of what MLflow keeps beside a model, ids and times are left out; the model itself is the one that is pickled, too.
    """
    if file.suffix == ".parquet":
        content = "\n".join(lines(pq.read_table(file).to_pandas())).encode()
    elif file.suffix == ".skops":
        content = b""
    elif file.name == "MLmodel":
        kept = (line for line in file.read_text().splitlines() if not line.strip().startswith(OF_ONE_RUN))
        content = "\n".join(kept).encode()
    elif file.suffix == ".pkl" and file.name != ENCODERS:
        model = pickle.loads(file.read_bytes())  # noqa: S301 (written by the run under test)
        grid = np.arange(model.n_features_in_ * 50, dtype=float).reshape(50, -1) % 17
        content = model.score_samples(pd.DataFrame(grid, columns=model.feature_names_in_)).tobytes()
    else:
        content = file.read_bytes()
    return hashlib.sha256(content).hexdigest()


def writes(at: Platform, run: Sequence[str], listing: Path, states: Path | None = None) -> list[str]:
    """Run the job (`medallion RUN`) undisturbed; its durable writes in order, as `kind name`.

    `states`: where to copy what each finds.
    """
    ways = {"EFFECTS_LIST": str(listing)}
    if states is not None:
        states.mkdir()
        ways |= {"EFFECTS_STATES": str(states), "EFFECTS_HOME": str(at.home)}
    at.succeed("medallion", *run, PYTHONPATH=str(KILL_POINT), **ways)
    return [line.replace("\t", " ") for line in listing.read_text().splitlines()]


def kill_points(names: list[str], every: int = 1, first: int = 1) -> list[tuple[str, str]]:
    """Where to kill, as the driver takes it, and what is written there: every N-th point from one on, and the last."""
    tells = [text.partition(" ")[2].startswith(OF_A_RUN) for text in names]
    before = [number for number in range(len(names)) if not (number and tells[number] and tells[number - 1])]
    points = [(f"before:{number + 1}", names[number]) for number in before[first - 1 :: every]]
    return [*points, (f"after:{len(names)}", names[-1])]


def killed(
    at: Platform, run: Sequence[str], snapshot: Path, point: str, mend: Sequence[str]
) -> tuple[dict[str, Any], bool]:
    """The outcome of a run killed at a point and mended (`medallion MEND`); and whether it was killed indeed."""
    at.restore(snapshot)
    first = at.call("medallion", *run, PYTHONPATH=str(KILL_POINT), EFFECTS_KILL_POINT=point)
    at.succeed("medallion", *mend)
    return outcome(at), first.returncode != 0


def mended(at: Platform, state: Path, mend: Sequence[str]) -> dict[str, Any]:
    """The outcome of a run whose driver and session were gone in that state, mended by `medallion MEND`."""
    at.restore(state)
    at.succeed("medallion", *mend)
    return outcome(at)


def main() -> None:
    """Enumerate all kill points and print each with what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=SAMPLES, default="ssh-logs")
    parser.add_argument("--every", type=int, default=1, help="only every N-th point, and the last")
    parser.add_argument("--first", type=int, default=1, help="begin with that point, to share them out")
    parser.add_argument("--kill", action="store_true", help="a run for each point, killed there")
    parser.add_argument("--mend", choices=("repair", "run"), default="repair")
    parser.add_argument("--stream", action="store_true", help="kill the stream of cloud-usage, and run it again")
    options = parser.parse_args()
    workload = "cloud-usage" if options.stream else options.workload
    run = ["run", workload, *(STREAM if options.stream else ())]
    mend = run if options.stream else [options.mend, workload]
    console = Console(width=160)
    with tempfile.TemporaryDirectory(prefix="medallion-") as name:
        folder = Path(name).resolve()
        at = prepare(folder, workload, options.stream)
        at.snapshot(folder / "snapshot")
        states = folder / "states"
        names = writes(at, run, folder / "writes", None if options.kill else states)
        expected = outcome(at)
        points = kill_points(names, options.every, options.first)
        way = "killed" if options.kill else "stopped for good"
        console.print(f"Driver {way} at each of {len(points)} points, then `medallion {' '.join(mend)}`")
        wrong = 0
        # Line by line, for it takes an hour: whoever ends it early has what was found.
        for number, (point, text) in enumerate(points, 1):
            if (state := states / point).is_dir():
                found, was = mended(at, state, mend), "stopped"
            else:
                found, died = killed(at, run, folder / "snapshot", point, mend)
                was = "killed" if died else "NOT KILLED"
            place = difference(expected, found)
            wrong += bool(place) or was == "NOT KILLED"
            told = (was, f"DIFFERENT: {place}" if place else "same outcome")
            console.print(f"{number:3} {point:10} {text:60} {', '.join(told)}")
    console.print(f"{len(points) - wrong} of {len(points)} points: same outcome; {json.dumps(expected['models'])}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
