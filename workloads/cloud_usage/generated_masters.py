"""The masters of a generated sample: customers and what belongs to them, with the dirt of real deliveries.

Credit notes, rates other than 1 for USD, satisfaction of 0, 6 and 7, scores beyond 100, logins before creation and
sales without a click are in every sample. Shares are those of the data that this workload is modelled on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DAYS = 60
FIRST_DAY = np.datetime64("2025-07-03")
EVENTS_PER_RESOURCE = 108  # as long as there are no more than MOST_RESOURCES; then resources have more
FEWEST_RESOURCES, MOST_RESOURCES = 20, 4_000
RESOURCES_PER_ORG = 5
SERVICES = ("compute", "storage", "database", "networking", "analytics", "genai")
SERVICE_SHARES = (0.29, 0.177, 0.17, 0.16, 0.105, 0.098)
REGIONS = ("ap-northeast", "us-east", "us-west", "sa-east", "ap-south", "eu-west", "eu-central")
MONTHS = ("2025-06-01", "2025-07-01", "2025-08-01")
DIGITS = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", np.uint8)
OPENED = np.datetime64("2025-05-04")  # the earliest day in any master

CUSTOMERS, USERS, RESOURCES = "customers_orgs.csv", "users.csv", "resources.csv"
TICKETS, BILLING, SURVEYS, TOUCHES = (
    *("support_tickets.csv", "billing_monthly.csv", "nps_surveys.csv", "marketing_touches.csv"),
)


@dataclass(frozen=True)
class World:
    """Customers and their resources; a series is a customer's service in a region."""

    orgs: list[str]
    resources: list[str]
    org: np.ndarray  # of each resource, its number in `orgs`
    service: np.ndarray  # of each resource, its number in SERVICES
    region: np.ndarray  # of each resource, its number in REGIONS
    series: np.ndarray  # of each resource, the number of its series
    series_of: list[tuple[int, int, int]]  # org, service and region of each series


def generator(seed: int, *stream: int) -> np.random.Generator:
    """Random numbers of their own for each stream of a seed, which may be negative."""
    return np.random.default_rng([int(seed < 0), abs(seed), *stream])


def ids(first: int, count: int, key: int, digits: int) -> list[str]:
    """`count` ids that look random and are all different, for any `first` with the same key."""
    bits = int(digits * np.log2(36))
    mask, half = np.uint64((1 << bits) - 1), np.uint64(bits // 2)
    x = np.arange(first, first + count, dtype=np.uint64)
    for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9):
        x = (x * np.uint64(odd) + np.uint64(key)) & mask
        x ^= x >> half
    text = np.empty((count, digits), np.uint8)
    for place in range(digits):
        x, rest = np.divmod(x, np.uint64(36))
        text[:, place] = DIGITS[rest.astype(np.intp)]
    whole = text.tobytes().decode()
    return [whole[start : start + digits] for start in range(0, count * digits, digits)]


def world(events: int, seed: int) -> World:
    """Customers and resources for a sample of so many events."""
    rng = generator(seed, 0)
    resources = int(np.clip(events // EVENTS_PER_RESOURCE, FEWEST_RESOURCES, MOST_RESOURCES))
    orgs = resources // RESOURCES_PER_ORG
    # Every customer has a resource.
    org = np.concatenate((np.arange(orgs), rng.integers(0, orgs, resources - orgs)))
    service = rng.choice(len(SERVICES), resources, p=SERVICE_SHARES)
    region = rng.integers(0, len(REGIONS), resources)
    triples, series = np.unique(np.stack((org, service, region), axis=1), axis=0, return_inverse=True)
    return World(
        orgs=[f"org_{one}" for one in ids(0, orgs, _key(rng), 8)],
        resources=[f"res_{one}" for one in ids(0, resources, _key(rng), 8)],
        org=org,
        service=service,
        region=region,
        series=series.reshape(-1),
        series_of=[tuple(map(int, triple)) for triple in triples],
    )


def write(folder: Path, made: World, seed: int) -> list[Path]:
    """Write all masters; each file is published whole. Returns the paths."""
    rng = generator(seed, 1)
    tables = {
        CUSTOMERS: _customers(rng, made),
        USERS: _users(rng, made),
        RESOURCES: _resources(rng, made),
        TICKETS: _tickets(rng, made),
        BILLING: _billing(rng, made),
        SURVEYS: _surveys(rng, made),
        TOUCHES: _touches(rng, made),
    }
    paths = []
    for name, columns in tables.items():
        table = Table(folder / name, *columns)
        table.add(zip(*columns.values(), strict=True))
        paths.append(table.close())
    return paths


class Table:
    """A CSV file that grows row by row, and is published whole when it is closed."""

    def __init__(self, path: Path, *columns: str) -> None:
        self.path, self.part, self.rows = path, _part(path), 0
        self.stream = self.part.open("w", encoding="utf-8", newline="")
        self.csv = csv.writer(self.stream, lineterminator="\n")
        self.csv.writerow(columns)

    def add(self, rows: Iterable[Sequence]) -> None:
        """Write rows."""
        for row in rows:
            self.csv.writerow(row)
            self.rows += 1

    def close(self) -> Path:
        """Publish the file. Returns its path."""
        self.stream.close()
        return self.part.replace(self.path)


def publish(path: Path, content: bytes) -> Path:
    """Write a file as a whole. Returns its path."""
    part = _part(path)
    part.write_bytes(content)
    return part.replace(path)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _customers(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = len(made.orgs)
    first = _one_of(rng, count, "Alpha", "Apex", "Delta", "Gamma", "Nimbus", "Nova", "Omega", "Zenith")
    second = _one_of(rng, count, "Cloud", "Data", "Digital", "Labs", "Systems", "Tech")
    return {
        "org_id": made.orgs,
        "org_name": [f"{a} {b} {number}" for number, (a, b) in enumerate(zip(first, second, strict=True))],
        "industry": _one_of(rng, count, *("E-commerce", "Education", "Energy", "Fintech", "Gaming"),
                            *("Government", "Healthcare", "Manufacturing", "Media", "Retail")),
        "hq_region": _one_of(rng, count, *REGIONS),
        "plan_tier": _one_of(rng, count, "standard", "pro", "enterprise", "free", p=(0.51, 0.26, 0.13, 0.1)),
        "is_enterprise": _true(rng, count, 0.21),
        "signup_date": _days(rng, count, 60),
        "sales_rep": _one_of(rng, count, "rep_a", "rep_b", "rep_c", "rep_d", "rep_e"),
        "lifecycle_stage": _one_of(
            rng, count, "active", "at_risk", "churned", "prospect", "lead", p=(0.67, 0.14, 0.08, 0.07, 0.04)
        ),
        "marketing_source": _one_of(rng, count, "event", "organic", "partner", "ads", "referral"),
        "nps_score": _or_empty(rng, 0.14, np.rint(rng.normal(20, 22, count)).tolist()),
    }  # fmt: skip


def _users(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = 10 * len(made.orgs)
    names = [f"user_{one}" for one in ids(0, count, _key(rng), 8)]
    return {
        "user_id": names,
        "org_id": _any_org(rng, made, count),
        "email": [f"{name}@example.com" for name in names],
        "role": _one_of(rng, count, "data_engineer", "devops", "developer", "analyst", "ml_engineer", "admin"),
        "active": _true(rng, count, 0.91),
        "created_at": _days(rng, count, 100),
        "last_login": _or_empty(rng, 0.17, _days(rng, count, 120)),
    }


def _resources(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = len(made.resources)
    tags = ("env:prod", "env:dev", "team:core", "team:ml", "costcenter:beta", "pii:true", "backup:daily")
    chosen = rng.integers(0, len(tags), (count, 2))
    number = rng.integers(0, 3, count)
    return {
        "resource_id": made.resources,
        "org_id": [made.orgs[one] for one in made.org],
        "service": [SERVICES[one] for one in made.service],
        "region": [REGIONS[one] for one in made.region],
        "created_at": _days(rng, count, 110),
        "state": _one_of(rng, count, "running", "stopped", "terminated", p=(0.6, 0.3, 0.1)),
        "tags_json": [
            "" if not few else "[" + ", ".join(f'"{tags[one]}"' for one in dict.fromkeys(some[:few])) + "]"
            for few, some in zip(number.tolist(), chosen.tolist(), strict=True)
        ],
    }


def _tickets(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = 12 * len(made.orgs)
    opened = OPENED + rng.integers(0, 120, count)
    answers = rng.choice(8, count, p=(0.015, 0.06, 0.17, 0.324, 0.265, 0.127, 0.037, 0.002)).astype(float).tolist()
    csat = _or_empty(rng, 0.25, answers)
    csat[:3] = [0.0, 6.0, 7.0]
    return {
        "ticket_id": [f"tkt_{one}" for one in ids(0, count, _key(rng), 8)],
        "org_id": _any_org(rng, made, count),
        "category": _one_of(
            rng, count, "integration", "billing", "availability", "usability", "performance", "security"
        ),
        "severity": _one_of(rng, count, "low", "medium", "high", "critical", p=(0.41, 0.33, 0.2, 0.06)),
        "created_at": opened.astype(str).tolist(),
        "resolved_at": _or_empty(rng, 0.24, (opened + rng.exponential(4.8, count).astype(int)).astype(str).tolist()),
        "csat": csat,
        "sla_breached": _true(rng, count, 0.095),
    }


def _billing(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = len(MONTHS) * len(made.orgs)
    subtotal = np.maximum(rng.normal(790, 430, count), 50)
    credit_note = rng.random(count) < 0.054
    credit_note[1] = True
    currency = _one_of(rng, count, "USD", "ARS", "EUR", p=(0.67, 0.21, 0.12))
    currency[0] = "USD"
    rates = {"USD": (1, 0.05), "ARS": (0.0015, 0.000065), "EUR": (1.1, 0.045)}
    noise = rng.normal(0, 1, count).tolist()
    rate = [round(rates[one][0] + rates[one][1] * far, 5) for one, far in zip(currency, noise, strict=True)]
    rate[0] = 0.97684
    return {
        "invoice_id": [f"inv_{one}" for one in ids(0, count, _key(rng), 8)],
        "org_id": [org for org in made.orgs for _ in MONTHS],
        "month": list(MONTHS) * len(made.orgs),
        "subtotal": np.round(np.where(credit_note, -subtotal, subtotal), 2).tolist(),
        "credits": _or_empty(rng, 0.57, np.round(rng.exponential(19, count), 2).tolist()),
        "taxes": np.round(0.21 * subtotal, 2).tolist(),
        "currency": currency,
        "exchange_rate_to_usd": rate,
    }


def _surveys(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = max(4, len(made.orgs) * 23 // 20)
    score = _or_empty(rng, 0.2, np.rint(rng.normal(22, 24, count)).tolist())
    score[0] = 101.0
    comments = ("Missing features", "Love genAI features", "Complex billing", "Stable but slow", "Too expensive")
    return {
        "org_id": _any_org(rng, made, count),
        "survey_date": _days(rng, count, 120),
        "nps_score": score,
        "comment": _one_of(rng, count, *comments, "Great support", ""),
    }


def _touches(rng: np.random.Generator, made: World) -> dict[str, Sequence]:
    count = 19 * len(made.orgs)
    return {
        "touch_id": [f"mkt_{one}" for one in ids(0, count, _key(rng), 8)],
        "org_id": _any_org(rng, made, count),
        "campaign": _one_of(rng, count, *("upgrade_enterprise", "webinar_finops", "genai_launch"),
                            *("welcome", "upgrade_pro", "security_week")),
        "channel": _one_of(rng, count, "event", "email", "ads", "in_app"),
        "timestamp": _days(rng, count, 120),
        "clicked": _true(rng, count, 0.3),
        "converted": _true(rng, count, 0.096),
    }  # fmt: skip


def _key(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 2**40))


def _any_org(rng: np.random.Generator, made: World, count: int) -> list[str]:
    return [made.orgs[one] for one in rng.integers(0, len(made.orgs), count)]


def _one_of(rng: np.random.Generator, count: int, *values: str, p: Sequence[float] | None = None) -> list[str]:
    return [values[one] for one in rng.choice(len(values), count, p=p)]


def _true(rng: np.random.Generator, count: int, share: float) -> list[bool]:
    return (rng.random(count) < share).tolist()


def _days(rng: np.random.Generator, count: int, days: int) -> list[str]:
    """Days from the first one in any master on."""
    return (OPENED + rng.integers(0, days, count)).astype(str).tolist()


def _or_empty(rng: np.random.Generator, share: float, values: list) -> list:
    return ["" if empty else value for empty, value in zip(_true(rng, len(values), share), values, strict=True)]
