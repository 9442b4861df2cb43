"""The panels that dashboards are made of: one function a panel, with what all have in common in one place."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards import queries

DATASOURCE = "prometheus"
"""The uid of the data source, under which Grafana is provisioned with Prometheus."""

SECONDS = "s"


def layer_duration(workload: str, layer: str, title: str) -> timeseries.Panel:
    """How long the tasks of a layer took, run by run."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return (
        timeseries.Panel()
        .title(title)
        .description("Seconds that each task took in its last run.")
        .unit(SECONDS)
        .min(0)
        .datasource(_source())
        .with_target(_query(queries.layer_duration(workload, layer), "{{task}}"))
        .legend(legend)
        .height(8)
        .span(6)
    )


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


def _query(expression: str, legend: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().ref_id("A").expr(expression).datasource(_source()).range()
    return query.legend_format(legend) if legend else query


def _source() -> DataSourceRef:
    return DataSourceRef(type_val="prometheus", uid=DATASOURCE)
