"""Rules for Databricks jobs. The table of runtimes is `runtimes.toml`, which the platform's clusters come from too."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from pulumi_policy import Severity

from policies.rule import Properties, Rule

JOB = "databricks:index/job:Job"
TABLE = Path(__file__).resolve().parent / "runtimes.toml"


def ends_of_support(table: Path = TABLE) -> dict[str, date]:
    """Version key of each known runtime → the last day of its support."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["runtime"].values()
    return {row["key"]: row["end_of_support"] for row in rows}


def runtime_violations(properties: Properties, ends: Mapping[str, date], today: date) -> Iterator[str]:
    """A message for every cluster of a job whose runtime is unknown or has ended by that day."""
    for index, cluster in enumerate(properties.get("jobClusters") or ()):
        yield from _runtime(f"jobClusters[{index}]", cluster.get("newCluster"), ends, today)
    for index, task in enumerate(properties.get("tasks") or ()):
        yield from _runtime(f"tasks[{index}]", task.get("newCluster"), ends, today)


def _runtime(path: str, cluster: Properties | None, ends: Mapping[str, date], today: date) -> Iterator[str]:
    if cluster is None:
        return
    version = cluster.get("sparkVersion")
    if version not in ends:
        yield f"{path}.newCluster.sparkVersion {version!r} is not in the table of long-term-support runtimes"
    elif ends[version] < today:
        yield f"{path}.newCluster.sparkVersion {version!r} has been without support since {ends[version]}"


RULES = (
    Rule(
        name="databricks-supported-runtime",
        description="Clusters have a Databricks Runtime with long-term support that has not ended.",
        severity=Severity.HIGH,
        types=(JOB,),
        sources=("GOV-5",),
        link="https://learn.microsoft.com/azure/databricks/release-notes/runtime/",
        violations=lambda properties: runtime_violations(properties, ends_of_support(), datetime.now(UTC).date()),
    ),
)
