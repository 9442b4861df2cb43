"""Grafana's dashboards, made from what workloads declare. The same declarations give the same text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from workloads.spec import Layer, Workload

PROCESSING_TIME = "pipeline-processing-time"

LAYERS: dict[Layer, str] = {
    "bronze": "Bronze layer",
    "silver": "Silver layer",
    "gold": "Gold layer",
    "ml": "ML training",
    "quality": "Validation",
    "upkeep": "Upkeep of tables",
}
"""The layers in the order in which data goes through them, and their titles."""


def processing_time(workloads: Iterable[Workload]) -> Dashboard:
    """The dashboard *Pipeline Processing Time*: a row for each workload, a panel for each layer that it has."""
    built = (
        dashboard.Dashboard("Pipeline Processing Time")
        .uid(PROCESSING_TIME)
        .description("How long each layer of each workload takes.")
        .tags(["medallion"])
        .timezone("utc")
        .time("now-7d", "now")
        .refresh("1m")
        .readonly()
    )
    for workload in sorted(workloads, key=lambda workload: workload.name):
        built.with_row(dashboard.Row(workload.title))
        built.with_panel(panels.total_duration(workload.name))
        built.with_panel(panels.success_age(workload.name))
        present = {task.layer for job in workload.jobs for task in job.tasks}
        for layer, title in LAYERS.items():
            if layer in present:
                built.with_panel(panels.layer_duration(workload.name, layer, title))
    return _numbered(built.build())


def files(workloads: Iterable[Workload]) -> dict[str, str]:
    """All dashboards as files: name → JSON."""
    boards = [processing_time(workloads)]
    return {f"{board.uid}.json": _text(board) for board in boards}


def _numbered(board: Dashboard) -> Dashboard:
    """The dashboard with an id of its own for every panel; Grafana tells panels apart by it."""
    for number, panel in enumerate(board.panels or [], start=1):
        panel.id_val = number
    return board


def _text(board: Dashboard) -> str:
    return json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2)
