"""Usage events as a generated sample has them: columns of numbers for a file at a time, then their lines.

A day's unit is a customer's service in a region on a day. Some units are anomalous: all they do is requests, at a
multiple of their price (their strength). What an event costs is its value at the service's price, times the level of
its series, times noise; weekends are quieter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from workloads.cloud_usage.generated_masters import DAYS, FIRST_DAY, REGIONS, SERVICES, World, generator, ids

DAY = 24 * 60  # minutes
MINUTES = DAYS * DAY
EVENTS_A_DAY = 3  # of a resource, on a day on which it has any
VERSION_2_DAY = 15  # from this day on events have version 2
METRICS = ("requests", "storage_gb_hours", "cpu_hours")
METRIC_SHARES = (0.452, 0.301, 0.247)
UNITS = ("count", "gb_hours", "hours")
PRICES = np.array([0.08, 0.02, 0.05, 0.01, 0.07, 0.12])  # USD by service, for one of any metric
KG_PER_UNIT = 0.0002
NULL_VALUE, TEXT_VALUE, NULL_UNIT = 0.0203, 0.0303, 0.048  # shares
NEGATIVE, SLIGHTLY = 0.005, 0.1  # share of negative costs, and among them of those that are kept
LEAST_KEPT = -100  # ten-thousandths of a USD: costs below are quarantined
ANOMALOUS_UNITS = 0.005
DATES = [f"{day}T" for day in FIRST_DAY + np.arange(DAYS)]
CLOCK = [f"{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(DAY)]
STRENGTHS = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Columns:
    """Events by column. Amounts are counted in ten-thousandths."""

    resource: np.ndarray
    minute: np.ndarray  # since FIRST_DAY
    metric: np.ndarray
    value: np.ndarray
    value_is_null: np.ndarray
    value_is_text: np.ndarray
    unit_is_null: np.ndarray
    cost: np.ndarray
    tokens: np.ndarray  # -1 where there are none

    @property
    def is_version_2(self) -> np.ndarray:
        return self.minute >= VERSION_2_DAY * DAY

    @property
    def day(self) -> np.ndarray:
        return self.minute // DAY

    def where(self, chosen: np.ndarray) -> Columns:
        return Columns(*(getattr(self, column.name)[chosen] for column in fields(self)))


class Events:
    """So many events of a world."""

    def __init__(self, world: World, count: int, seed: int) -> None:
        rng = generator(seed, 2)
        series = len(world.series_of)
        self.world, self.count, self.seed = world, count, seed
        self.key = int(rng.integers(0, 2**40))
        self.level = np.exp(rng.normal(0, 0.2, series))
        self.strength = np.ones((series, DAYS))
        anomalous = rng.random((series, DAYS)) < ANOMALOUS_UNITS
        self.strength[anomalous] = rng.choice(STRENGTHS, int(anomalous.sum()))

    def times(self, rng: np.random.Generator, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Resource and minute of each of the events from the number `first` on, in random order.

        Events are numbered in order of time, and come in threes: one resource, one day. A resource has three a day or
        none, unless there are more events than that.
        """
        number = first + rng.permutation(count)
        leader = number // EVENTS_A_DAY * EVENTS_A_DAY
        day = leader * DAYS // self.count
        rank = (leader - -(-day * self.count // DAYS)) // EVENTS_A_DAY
        resource = np.empty(count, "int64")
        for one in np.unique(day).tolist():
            order = generator(self.seed, 4, one).permutation(len(self.world.resources))
            resource[day == one] = order[rank[day == one] % len(order)]
        begin, end = self.begin(first), self.begin(first + count)
        earliest = np.maximum(day * DAY, begin)
        return resource, rng.integers(earliest, np.maximum(np.minimum((day + 1) * DAY, end), earliest + 1))

    def begin(self, number: int) -> int:
        """The minute at which the event of that number has its place."""
        return MINUTES * number // self.count

    def at(self, rng: np.random.Generator, resource: np.ndarray, minute: np.ndarray) -> Columns:
        """An event of each resource and minute."""
        count = len(minute)
        series, day = self.world.series[resource], minute // DAY
        strength = self.strength[series, day]
        metric = np.where(strength > 1, 0, rng.choice(len(METRICS), count, p=METRIC_SHARES))
        weekday = (FIRST_DAY + day).astype("datetime64[D]").view("int64")
        busy = np.where((weekday + 3) % 7 >= 5, 0.85, 1.0)  # 1970-01-01 was a Thursday
        value = np.array([122.0, 10.0, 1.85])[metric] + np.array([11.0, 8.2, 1.48])[metric] * rng.standard_normal(count)
        value = np.where(metric == 0, np.rint(value * busy) * 10_000, np.rint(np.maximum(value * busy, 0) * 10_000))
        noise = np.maximum(1 + 0.15 * rng.standard_normal(count), 0.2)
        price = PRICES[self.world.service[resource]] * self.level[series] * strength
        cost = np.rint(value * price * noise).astype("int64")
        negative, slightly = rng.random(count) < NEGATIVE, rng.random(count) < SLIGHTLY
        cost = np.where(negative & (strength == 1), -cost, cost)
        cost = np.where(slightly & (cost < 0), -rng.integers(1, 1 - LEAST_KEPT, count), cost)
        is_null = rng.random(count) < NULL_VALUE
        tokens = np.maximum(np.rint(800 + 450 * rng.standard_normal(count)), 0).astype("int64")
        has_tokens = (self.world.service[resource] == SERVICES.index("genai")) & (day >= VERSION_2_DAY)
        return Columns(
            resource=resource,
            minute=minute,
            metric=metric,
            value=value.astype("int64"),
            value_is_null=is_null,
            value_is_text=~is_null & (rng.random(count) < TEXT_VALUE),
            unit_is_null=rng.random(count) < NULL_UNIT,
            cost=cost,
            tokens=np.where(has_tokens, tokens, -1),
        )

    def event_ids(self, first: int, count: int) -> list[str]:
        """Ids of the events with the numbers from `first` on."""
        return [f"evt_{one}" for one in ids(first, count, self.key, 12)]

    def lines(self, columns: Columns, event_ids: list[str]) -> list[str]:
        """The events as JSON, as `json.dumps` writes it."""
        amount = (columns.value / 10_000).tolist()
        carbon = np.where(columns.value_is_null, 0, np.round(columns.value / 10_000 * KG_PER_UNIT, 6)).tolist()
        kind = np.where(columns.value_is_null, 2, columns.value_is_text).tolist()
        about, units, times = self._about, ('"count"', '"gb_hours"', '"hours"', "null"), timestamps(columns.minute)
        unit = np.where(columns.unit_is_null, len(UNITS), columns.metric).tolist()
        where = (columns.resource * len(METRICS) + columns.metric).tolist()
        cost = (columns.cost / 10_000).tolist()
        tails = [
            "1}" if not is_2 else f'2, "carbon_kg": {kg or 0}}}' if few < 0
            else f'2, "carbon_kg": {kg or 0}, "genai_tokens": {few}}}'
            for is_2, kg, few in zip(columns.is_version_2.tolist(), carbon, columns.tokens.tolist(), strict=True)
        ]  # fmt: skip
        values = [
            f"{one}" if how == 0 else f'"{one}"' if how == 1 else "null" for one, how in zip(amount, kind, strict=True)
        ]
        return [
            f'{{"event_id": "{a}", "timestamp": "{b}{about[c]}{d}, "unit": {units[e]}, '
            f'"cost_usd_increment": {f}, "schema_version": {g}'
            for a, b, c, d, e, f, g in zip(event_ids, times, where, values, unit, cost, tails, strict=True)
        ]

    @cached_property
    def _about(self) -> list[str]:
        """What lines say of each resource and metric, from the end of the timestamp up to the value."""
        world = self.world
        return [
            f'", "org_id": "{world.orgs[org]}", "resource_id": "{resource}", "service": "{SERVICES[service]}", '
            f'"region": "{REGIONS[region]}", "metric": "{metric}", "value": '
            for resource, org, service, region in zip(
                world.resources, world.org.tolist(), world.service.tolist(), world.region.tolist(), strict=True
            )
            for metric in METRICS
        ]


def timestamps(minute: np.ndarray) -> list[str]:
    """Minutes since FIRST_DAY as events write them."""
    day, rest = np.divmod(minute, DAY)
    return [DATES[a] + CLOCK[b] for a, b in zip(day.tolist(), rest.tolist(), strict=True)]
