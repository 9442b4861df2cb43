"""Data Factory: runs of activities, the time of external ones, and looking at them.

Source: https://azure.microsoft.com/pricing/details/data-factory/data-pipeline/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.pricing import usage
from policies.pricing.estimate import DAYS, HOURS, Context, Line, NotPricedError
from policies.pricing.resources import Resource

FACTORY = "azure-native:datafactory:Factory"
PIPELINE = "azure-native:datafactory:Pipeline"
RUNTIME = "azure-native:datafactory:IntegrationRuntime"
TRIGGER = "azure-native:datafactory:Trigger"

PERIODS: Mapping[str, float] = {
    "Minute": HOURS * 60,
    "Hour": HOURS,
    "Day": DAYS,
    "Week": DAYS / 7,
    "Month": 1.0,
}
"""Frequency of a recurrence → periods of an average month."""


def factory(resource: Resource, context: Context) -> Iterator[Line]:
    """Reads and writes of definitions, and records of runs that somebody looks at."""
    assumed = context.usage.factory
    for what, amount, key, name in (
        ("definitions read and written", assumed.entities, "factory entities", "factory.entities"),
        ("records of runs looked at", assumed.monitoring_records, "factory monitoring", "factory.monitoring_records"),
    ):
        yield Line(what, amount / 50_000, key, f"{amount:,.0f} a month", (name,))


def pipeline(resource: Resource, context: Context) -> Iterator[Line]:
    """Runs of a pipeline's activities, and the time for which it waits for Databricks."""
    activities = resource.inputs.get("activities") or ()
    runs = pipeline_runs(resource, context)
    assumes = ("factory.runs_by_event", "factory.runs_by_hand", "factory.triggers_run")
    yield Line(
        "activity runs",
        runs * len(activities) / 1_000,
        "factory activity runs",
        f"{runs:.4g} runs × {len(activities)} activities each",
        assumes,
    )
    if any((activity.get("type") or "").startswith("Databricks") for activity in activities):
        minutes = minutes_a_run(resource, context)
        managed = " in a managed network" if list(context.resources.of(RUNTIME)) else ""
        yield Line(
            "time of Databricks activities",
            runs * minutes / 60,
            f"factory external activity{managed}",
            f"{runs:.4g} runs × {minutes:g} min",
            (*assumes, "jobs.minutes_a_run"),
        )


def minutes_a_run(pipeline: Resource, context: Context) -> float:
    """Minutes that a run of a pipeline takes: those of the workload that it is named after."""
    return usage.of(context.usage.jobs.minutes_a_run, pipeline.name.removeprefix("pipeline-"))


def pipeline_runs(pipeline: Resource, context: Context) -> float:
    """Runs a month of a pipeline: by hand, and by the triggers that depend on it. Raises NotPricedError."""
    running = context.resources.of(TRIGGER) if context.usage.factory.triggers_run else ()
    triggers = [found for found in running if context.resources.needs(found, pipeline)]
    return context.usage.factory.runs_by_hand + sum(_trigger_runs(trigger, context) for trigger in triggers)


def starts(pipeline: Resource, compute: Resource, context: Context, *kinds: str) -> bool:
    """Whether a pipeline has activities of such kinds and depends on that compute: a job or a cluster."""
    has = {activity.get("type") for activity in pipeline.inputs.get("activities") or ()}
    return bool(has & set(kinds)) and context.resources.needs(pipeline, compute)


def _trigger_runs(trigger: Resource, context: Context) -> float:
    properties = trigger.inputs.get("properties") or {}
    kind = properties.get("type")
    if kind == "ScheduleTrigger":
        return recurrences(properties.get("recurrence") or {})
    if kind in ("BlobEventsTrigger", "CustomEventsTrigger"):
        return context.usage.factory.runs_by_event
    raise NotPricedError(f"how often the trigger {trigger.name} fires is not known (type {kind})")


def recurrences(recurrence: Mapping[str, Any]) -> float:
    """How often a schedule trigger fires in an average month. Raises NotPricedError for an unknown frequency.

    Source: https://learn.microsoft.com/azure/data-factory/how-to-create-schedule-trigger
    """
    frequency = recurrence.get("frequency")
    if frequency not in PERIODS:
        raise NotPricedError(f"a trigger recurs by {frequency!r}, which is none of {', '.join(PERIODS)}")
    schedule = recurrence.get("schedule") or {}
    times = len(schedule.get("hours") or "1") * len(schedule.get("minutes") or "1")
    times *= {"Week": len(schedule.get("weekDays") or "1"), "Month": len(schedule.get("monthDays") or "1")}.get(
        frequency, 1
    )
    return PERIODS[frequency] / (recurrence.get("interval") or 1) * times


PRICERS = {FACTORY: factory, PIPELINE: pipeline}
