"""What tasks measure: the catalogue, and the only way to report.

Dashboards, alerts and the command are written over `CATALOGUE`, so this module loads without pyspark. A task's samples
always go to files of its run, and to a Pushgateway where `MEDALLION_PUSHGATEWAY` names one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LABELS = ("workload", "layer", "task")
PUSH_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Metric:
    """A metric of the catalogue. All are gauges: a task states what its last run, or micro-batch, found."""

    name: str
    unit: str
    meaning: str
    kind: Literal["task", "model", "stream"] = "task"
    type: Literal["gauge"] = "gauge"
    labels: tuple[str, ...] = LABELS


CATALOGUE = (
    Metric("medallion_task_duration_seconds", "seconds", "How long the last run of the task took."),
    Metric("medallion_task_records_in", "records", "Records that the task was given."),
    Metric("medallion_task_records_out", "records", "Records that the task handed on."),
    Metric("medallion_task_records_quarantined", "records", "Records that the task set aside, with rule and reason."),
    Metric("medallion_task_records_duplicate", "records", "Records that were there already, exactly as they are."),
    Metric("medallion_task_checks_passed", "checks", "Checks of the task's outputs that held."),
    Metric("medallion_task_checks_failed", "checks", "Checks of the task's outputs that did not hold."),
    Metric("medallion_task_success_timestamp_seconds", "seconds", "When the task last succeeded (Unix time)."),
    Metric("medallion_model_training_rows", "rows", "Rows that the model was trained on.", "model"),
    Metric("medallion_model_threshold", "score", "Score above which the model calls a row anomalous.", "model"),
    Metric("medallion_model_prediction_count", "rows", "Rows that the model scored.", "model"),
    Metric("medallion_model_anomaly_rate", "share", "Share of scored rows that the model calls anomalous.", "model"),
    Metric(
        "medallion_model_rule_precision",
        "share",
        "Of the sources that the model flags, those that the declared rule names; the rule stands in for labels.",
        "model",
    ),
    Metric(
        "medallion_model_rule_recall",
        "share",
        "Of the sources that the declared rule names, those that the model flags; the rule stands in for labels.",
        "model",
    ),
    Metric(
        "medallion_model_holdout_average_precision",
        "share",
        "Average precision of the newest version on the holdout, which no version was trained on.",
        "model",
    ),
    Metric(
        "medallion_model_drift_max",
        "index",
        "Highest population stability index of a feature: scored rows beside training rows (much above 0.25).",
        "model",
    ),
    Metric("medallion_model_drifted_features", "features", "Features whose index is above 0.25.", "model"),
    Metric("medallion_model_flags_per_day", "addresses", "Most addresses that the model flags on a day.", "model"),
    Metric("medallion_model_alert_budget", "addresses", "Flagged addresses a day that people can look at.", "model"),
    Metric("medallion_model_days_over_budget", "days", "Days with more flagged addresses than the budget.", "model"),
    Metric("medallion_model_allowed_count", "rows", "Rows above the threshold whose address is allowed.", "model"),
    Metric(
        "medallion_stream_lag_seconds",
        "seconds",
        "From the arrival of the oldest record of the last micro-batch until it was served.",
        "stream",
    ),
    Metric("medallion_stream_late_share", "share", "Share of events that came later than the watermark.", "stream"),
    Metric(
        "medallion_stream_quarantine_age_seconds",
        "seconds",
        "How long the oldest record has been in quarantine; 0 where there is none.",
        "stream",
    ),
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}


@dataclass(frozen=True)
class Sample:
    """One value of a metric of the catalogue."""

    name: str
    value: float
    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        metric = BY_NAME.get(self.name)
        if metric is None:
            raise ValueError(f"{self.name!r} is no metric of the catalogue")
        if set(self.labels) != set(metric.labels):
            raise ValueError(f"{self.name} takes the labels {', '.join(metric.labels)}, not {', '.join(self.labels)}")


def as_json(samples: Iterable[Sample]) -> list[dict]:
    """The samples as the metrics file of a task lists them."""
    return [{"name": s.name, "type": BY_NAME[s.name].type, "labels": dict(s.labels), "value": s.value} for s in samples]


def exposition(samples: Iterable[Sample]) -> str:
    """The samples in Prometheus' text format."""
    from prometheus_client import generate_latest

    return generate_latest(_registry(samples, labelled=True)).decode()


def push(samples: Iterable[Sample], gateway: str) -> None:
    """Replaces what the Pushgateway holds of this task. A gateway that does not answer costs one line, not the run."""
    from prometheus_client import push_to_gateway

    samples = list(samples)
    grouping = dict(samples[0].labels)
    job = grouping.pop("workload")
    # The gateway itself adds job and grouping to every series; `workload` is grouped by, too, since panels select it.
    grouping["workload"] = job
    try:
        push_to_gateway(gateway, job, _registry(samples, labelled=False), grouping, timeout=PUSH_TIMEOUT_SECONDS)
    except OSError as error:
        print(f"metrics were not pushed to {gateway}: {error}", file=sys.stderr)


def gateway() -> str | None:
    """The address of the Pushgateway, where one is configured."""
    return os.environ.get("MEDALLION_PUSHGATEWAY")


def _registry(samples: Iterable[Sample], *, labelled: bool) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    for sample in samples:
        metric = BY_NAME[sample.name]
        if labelled:
            gauge = Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
            gauge.labels(**sample.labels).set(sample.value)
        else:
            Gauge(metric.name, metric.meaning, registry=registry).set(sample.value)
    return registry
