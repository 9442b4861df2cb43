"""The masters: in which files they are delivered, what tells their records apart, and what they must say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from workloads.cloud_usage.schemas import MASTERS
from workloads.lakehouse.tables import Table

EVENTS, UNKNOWN = "events", "unknown"
EVENTS_FOLDER = "usage_events_stream"
EVENTS_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Master:
    """A master: files that are called so, `key` tells its records apart, and `required` columns must not be empty."""

    name: str
    stem: str
    key: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def table(self) -> Table:
        """The table of bronze."""
        return MASTERS[self.name]

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are delivered, with their types."""
        return {c.name: c.type for c in self.table.columns if not c.audit and c.name != "as_of"}


SOURCES = (
    Master("customers", "customers_orgs", ("org_id",), ("org_id",)),
    Master("users", "users", ("user_id",), ("user_id", "org_id")),
    Master("resources", "resources", ("resource_id",), ("resource_id", "org_id", "service", "region")),
    Master("tickets", "support_tickets", ("ticket_id",), ("ticket_id", "org_id", "created_at")),
    Master("billing", "billing_monthly", ("invoice_id",), ("invoice_id", "org_id", "month", "subtotal", "currency")),
    # A survey has no id: two are the same where they say the same.
    Master("nps", "nps_surveys", ("org_id", "survey_date", "nps_score", "comment"), ("org_id", "survey_date")),
    Master("touches", "marketing_touches", ("touch_id",), ("touch_id", "org_id")),
)
BY_NAME = {source.name: source for source in SOURCES}


def source_of(file: str) -> str:
    """What a file of landing holds, by its name: `users.csv`, `2025-09/users.csv` or `users_2025-09.csv` are users."""
    path = PurePosixPath(file)
    if file.endswith(EVENTS_SUFFIXES):
        return EVENTS
    if path.suffix == ".csv":
        for source in SOURCES:
            if path.stem == source.stem or path.stem.startswith(f"{source.stem}_"):
                return source.name
    return UNKNOWN
