"""How well anomalies of `cloud-usage` are found, by method: generated ones, whose truth is known, and the real ones.

- Generated: units of which all events cost 2 to 16 times their price. Precision and recall by method, and recall by
  strength, over the events of all seeds. A unit that is flagged and not in the truth is a false alarm, although days
  far out come by chance, too.
- Real (`MEDALLION_REAL_DATA`): true are the units that hold an event above 30 USD.

`python -m benchmarks.cloud_anomalies [--events 43200] [--seeds 5]`. A seed takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import cloud_pandas, cloud_reference
from benchmarks.cloud_reference import DIGITS, UNIT
from workloads.cloud_usage import generate
from workloads.cloud_usage.generated_events import STRENGTHS

EVENTS, SEEDS = 43_200, 5  # as many events as there are real ones
DEAR = 30  # USD
NOW = datetime(2026, 1, 1, tzinfo=UTC)  # after all events
KEPT = [*UNIT, "methods", "severity"]

Flags = Callable[[Path], pd.DataFrame]


def flags(landing: Path) -> pd.DataFrame:
    """All units of a landing folder, with `methods` and `severity` as in `cost_anomaly_mart`: tests hold them equal."""
    events, _ = cloud_pandas.bronze(landing, NOW)
    placed, _ = cloud_pandas.silver(events, {path.stem: cloud_reference.table(path) for path in landing.glob("*.csv")})
    return cloud_pandas.flagged(placed)[KEPT].astype(dict.fromkeys(UNIT, object))


def generated(events: int, seeds: int, found_by: Flags = flags) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the methods say of the units of all seeds, and the true ones, with their strength; customers tell seeds."""
    days, true = [], []
    for seed in range(1, seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            generate.write(Path(folder), events, seed)
            days.append(found_by(Path(folder) / "data").assign(seed=seed))
            with (Path(folder) / "truth" / "anomalies.csv").open() as stream:
                rows = pd.DataFrame(csv.DictReader(stream))
        rows["date"] = rows["date"].map(date.fromisoformat)
        true.append(rows[[*UNIT, "strength"]].astype({"strength": float}).assign(seed=seed))
    return pd.concat(days, ignore_index=True), pd.concat(true, ignore_index=True)


def dear(landing: Path) -> pd.DataFrame:
    """The units that hold an event above 30 USD."""
    events, _ = cloud_pandas.bronze(landing, NOW)
    chosen = events[events["cost"] > DEAR * 10**DIGITS].rename(columns={"event_date": "date"})
    return chosen[UNIT].astype(object).drop_duplicates()


def recall_by_strength(days: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """The recall of each method, a column for each strength."""
    found = {}
    for strength, units in true.groupby("strength"):
        judged = cloud_reference.judged(days, units[UNIT].itertuples(index=False, name=None))
        found[f"×{strength:g} ({len(units)})"] = judged["recall"]
    return pd.DataFrame(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="events of a generated sample")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="generated samples")
    options = parser.parse_args()
    console = Console()
    days, true = generated(options.events, options.seeds)
    judged = cloud_reference.judged(days, true[UNIT].itertuples(index=False, name=None))
    title = f"generated: {len(true)} of {len(days):,} units are anomalous, ×{STRENGTHS[0]:g} to ×{STRENGTHS[-1]:g}"
    _print(console, title, judged.join(recall_by_strength(days, true)))
    if real := os.environ.get("MEDALLION_REAL_DATA"):
        landing = Path(real) / "cloud_usage"
        days, true = flags(landing), dear(landing)
        judged = cloud_reference.judged(days, true.itertuples(index=False, name=None))
        _print(console, f"real: {len(true)} of {len(days):,} units hold an event above {DEAR} USD", judged)
    else:
        console.print("Real data are not measured: MEDALLION_REAL_DATA names no folder.")


def _print(console: Console, title: str, judged: pd.DataFrame) -> None:
    table = Table("method", *(name.replace("×", "recall at ×") for name in judged.columns), title=title)
    for method, row in judged.iterrows():
        table.add_row(method, f"{row['flags']:,.0f}", *(f"{share:.3f}" for share in row.drop("flags")))
    console.print(table)


if __name__ == "__main__":
    main()
