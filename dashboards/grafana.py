"""Grafana's dashboards, made from what workloads declare. The same declarations give the same text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from workloads.lakehouse.metrics import BY_NAME
from workloads.spec import Layer, Workload

PROCESSING_TIME = "pipeline-processing-time"
MODEL_QUALITY = "model-quality"

LAYERS: dict[Layer, str] = {
    "bronze": "Bronze layer",
    "silver": "Silver layer",
    "gold": "Gold layer",
    "ml": "ML training",
    "speed": "Speed layer",
    "serving": "Serving layer",
    "quality": "Validation",
    "upkeep": "Upkeep of tables",
}
"""The layers in the order in which data goes through them, and their titles."""

MODEL_FIGURES = {
    "Average precision on the holdout": ("holdout_average_precision",),
    "Beside the declared rule": ("rule_precision", "rule_recall"),
    "Share of rows flagged": ("anomaly_rate",),
    "Flagged addresses on the worst day": ("flags_per_day", "alert_budget"),
    "Days over the alert budget": ("days_over_budget",),
    "Drift": ("drift_max",),
    "Drifted features": ("drifted_features",),
    "Rows": ("training_rows", "prediction_count", "allowed_count"),
    "Threshold": ("threshold",),
}
"""What is shown of a model: title of the panel → metrics, without `medallion_model_`."""

STREAM_FIGURES = {
    "Stream lag": ("lag_seconds",),
    "Share of late events": ("late_share",),
    "Age of the quarantine": ("quarantine_age_seconds",),
}
"""What is shown of a workload with a continuous job: title of the panel → metrics, without `medallion_stream_`."""


def processing_time(workloads: Iterable[Workload]) -> Dashboard:
    """The dashboard *Pipeline Processing Time*: a row for each workload, a panel for each layer and stream figure."""
    built = _board(PROCESSING_TIME, "Pipeline Processing Time", "How long each layer of each workload takes.")
    for workload in sorted(workloads, key=lambda workload: workload.name):
        built.with_row(dashboard.Row(workload.title))
        built.with_panel(panels.total_duration(workload.name))
        built.with_panel(panels.success_age(workload.name))
        present = {task.layer for job in workload.jobs for task in job.tasks}
        for layer, title in LAYERS.items():
            if layer in present:
                built.with_panel(panels.layer_duration(workload.name, layer, title))
        if any(job.continuous for job in workload.jobs):
            for title, names in STREAM_FIGURES.items():
                metrics = [BY_NAME[f"medallion_stream_{name}"] for name in names]
                built.with_panel(panels.figures(workload.name, title, metrics))
    return _numbered(built.build())


def model_quality(workloads: Iterable[Workload]) -> Dashboard:
    """The dashboard *Model Quality*: a row for each workload that has a model."""
    built = _board(MODEL_QUALITY, "Model Quality", "How good, how busy and how fresh the models are.")
    for workload in sorted(workloads, key=lambda workload: workload.name):
        if workload.models:
            built.with_row(dashboard.Row(workload.title))
            for title, names in MODEL_FIGURES.items():
                metrics = [BY_NAME[f"medallion_model_{name}"] for name in names]
                built.with_panel(panels.figures(workload.name, title, metrics))
    return _numbered(built.build())


def files(workloads: Iterable[Workload]) -> dict[str, str]:
    """All dashboards as files: name → JSON."""
    workloads = list(workloads)
    boards = [processing_time(workloads), model_quality(workloads)]
    return {f"{board.uid}.json": _text(board) for board in boards}


def _board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """A dashboard without panels, with what all have in common."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["medallion"])
        .timezone("utc")
        .time("now-7d", "now")
        .refresh("1m")
        .readonly()
    )


def _numbered(board: Dashboard) -> Dashboard:
    """The dashboard with an id of its own for every panel; Grafana tells panels apart by it."""
    for number, panel in enumerate(board.panels or [], start=1):
        panel.id_val = number
    return board


def _text(board: Dashboard) -> str:
    return json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2)
