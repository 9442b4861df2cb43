"""Spans of days, by which tables are made anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from workloads.lakehouse.errors import TaskError


@dataclass(frozen=True)
class Days:
    """UTC days, both included."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> Days | None:
        """`2026-01-02`, or `2026-01-02..2026-01-31`; none for no text. Raises TaskError for anything else."""
        if not text:
            return None
        first, dots, last = text.partition("..")
        try:
            days = cls(date.fromisoformat(first), date.fromisoformat(last if dots else first))
        except ValueError:
            days = None
        if days is None or days.last < days.first:
            raise TaskError(f"parameter 'rebuild' takes a day or FIRST..LAST, such as 2026-01-02, not {text!r}")
        return days

    @classmethod
    def over(cls, spans: Iterable[Days]) -> Days:
        """From the first day of all to the last."""
        spans = tuple(spans)
        return cls(min(span.first for span in spans), max(span.last for span in spans))

    def around(self, before: int, after: int) -> Days:
        """The same with some days more."""
        return Days(self.first - timedelta(days=before), self.last + timedelta(days=after))

    def meets(self, first: date | None, last: date | None) -> bool:
        """Whether a span, which may be none, shares a day with this one."""
        return first is not None and last is not None and first <= self.last and self.first <= last

    @property
    def condition(self) -> str:
        """That an event is of these days, as SQL."""
        return f"event_date >= DATE'{self.first}' AND event_date <= DATE'{self.last}'"
