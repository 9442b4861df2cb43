"""The panels that dashboards are made of: one function a panel, with what all have in common in one place."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards import queries
from workloads.lakehouse.metrics import Metric

DATASOURCE = "prometheus"
"""The uid of the data source, under which Grafana is provisioned with Prometheus."""

SECONDS = "s"
UNITS = {"share": "percentunit", "seconds": SECONDS}
"""Units of the catalogue that Grafana knows under another name; all others are plain numbers."""


def layer_duration(workload: str, layer: str, title: str) -> timeseries.Panel:
    """How long the tasks of a layer took, run by run."""
    query = _query(queries.layer_duration(workload, layer), "{{task}}")
    return _series(title, "Seconds that each task took in its last run.", SECONDS, [query])


def figures(workload: str, title: str, metrics: Sequence[Metric]) -> timeseries.Panel:
    """Metrics of one unit that tell of a workload's model or stream, run by run."""
    targets = [
        _query(queries.figure(workload, metric), _told(metric), ref)
        for ref, metric in zip(ascii_uppercase, metrics, strict=False)
    ]
    (unit,) = {UNITS.get(metric.unit, "short") for metric in metrics}
    return _series(title, " ".join(metric.meaning for metric in metrics), unit, targets)


def total_duration(workload: str) -> stat.Panel:
    """How long the whole of a workload's last run took."""
    return _stat("Whole run", "Seconds that all tasks took together.", queries.total_duration(workload))


def success_age(workload: str) -> stat.Panel:
    """How long ago a workload had last succeeded in all its tasks."""
    return _stat(
        "Since last success", "Time since every task of the workload had succeeded.", queries.success_age(workload)
    )


def _stat(title: str, description: str, query: str) -> stat.Panel:
    """One figure."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(SECONDS)
        .datasource(_source())
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(query, ""))
        .height(4)
        .span(12)
    )


def _series(title: str, description: str, unit: str, targets: Sequence[prometheus.Dataquery]) -> timeseries.Panel:
    """Lines over time."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = timeseries.Panel().title(title).description(description).unit(unit).min(0).datasource(_source())
    for target in targets:
        panel.with_target(target)
    return panel.legend(legend).height(8).span(6)


def _told(metric: Metric) -> str:
    """The metric's name in words, without what all of them begin with."""
    return metric.name.removeprefix("medallion_").removeprefix(f"{metric.kind}_").replace("_", " ")


def _query(expression: str, legend: str, ref: str = "A") -> prometheus.Dataquery:
    query = prometheus.Dataquery().ref_id(ref).expr(expression).datasource(_source()).range()
    return query.legend_format(legend) if legend else query


def _source() -> DataSourceRef:
    return DataSourceRef(type_val="prometheus", uid=DATASOURCE)
