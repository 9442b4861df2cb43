"""The queries (PromQL) of panels and alerts, built from the metrics of the catalogue.

A query holds only metrics that tasks report: it is made of the catalogue's objects, never of their names as text.
"""

from __future__ import annotations

from workloads.lakehouse.metrics import BY_NAME, Metric

DURATION = BY_NAME["medallion_task_duration_seconds"]
RECORDS_IN = BY_NAME["medallion_task_records_in"]
CHECKS_FAILED = BY_NAME["medallion_task_checks_failed"]
SUCCESS_TIME = BY_NAME["medallion_task_success_timestamp_seconds"]
DRIFT = BY_NAME["medallion_model_drift_max"]
DAYS_OVER_BUDGET = BY_NAME["medallion_model_days_over_budget"]


def select(metric: Metric, **labels: str) -> str:
    """The series of a metric with those values of its labels. Raises ValueError for a label that it does not have."""
    if unknown := sorted(set(labels) - set(metric.labels)):
        raise ValueError(f"{metric.name} has no label {unknown[0]!r}; it has {', '.join(metric.labels)}")
    matchers = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{metric.name}{{{matchers}}}" if matchers else metric.name


def layer_duration(workload: str, layer: str) -> str:
    """Seconds that each task of a layer took in its last run."""
    return select(DURATION, workload=workload, layer=layer)


def total_duration(workload: str) -> str:
    """Seconds that all tasks of a workload took together in their last run."""
    return f"sum({_that_end(DURATION, workload)})"


def success_age(workload: str) -> str:
    """Seconds since all tasks of a workload had succeeded."""
    return f"time() - min({_that_end(SUCCESS_TIME, workload)})"


def figure(workload: str, metric: Metric) -> str:
    """What a workload last found of its model or stream. Raises ValueError for a metric that is of every task."""
    if metric.kind == "task":
        raise ValueError(f"{metric.name} is a metric of tasks, not of models or streams")
    return select(metric, workload=workload)


def drifted(index: float) -> str:
    """Models to which what they score looks unlike what they were trained on, by more than that index."""
    return f"{select(DRIFT)} > {index}"


def over_budget() -> str:
    """Models that flag more on some day than people can look at."""
    return f"{select(DAYS_OVER_BUDGET)} > 0"


def checks_failed() -> str:
    """Tasks whose outputs did not hold what they promise."""
    return f"{select(CHECKS_FAILED)} > 0"


def no_records() -> str:
    """Tasks that were given nothing in their last run."""
    return f"{select(RECORDS_IN)} == 0"


def late(workload: str, seconds: int) -> str:
    """Tasks of a workload whose last success is longer ago than that."""
    return f"time() - {_that_end(SUCCESS_TIME, workload)} > {seconds}"


def _that_end(metric: Metric, workload: str) -> str:
    """A metric of a workload's tasks but for those of the speed layer: a stream goes on, and succeeds when stopped."""
    return f'{metric.name}{{layer!="speed",workload="{workload}"}}'
