"""Sample data with their truth: masters and usage events, of any length, the same bytes for the same arguments.

`data/` is a landing folder: masters as CSV and `usage_events_stream/events_part_NNNN.jsonl`. Each file of events holds
a slice of time, its events in random order. Their schemas and dirt are those of real deliveries: values as texts and
nulls, units that are missing, negative costs, schemas 1 and 2, events before their resource's creation. Beside that
dirt, faults are put in by shares of all lines:

- late: an event stands in a file whose slice begins at least an hour after its time;
- duplicate: a line is the copy of an event's line in the same file or an earlier one;
- bad: a line breaks a rule; all kinds (`generated_faults.KINDS`) come in turn.

`truth/` says what was put in:

| file | a row for each | columns |
| --- | --- | --- |
| `faults.csv` | line that breaks a rule, a cost below the least one included | file, line (from 1), kind, rule |
| `duplicates.csv` | copy | file, line, event_id, and `of_file`, `of_line`: the event's first line |
| `late.csv` | late event | file, line, event_id, timestamp, `behind_seconds` the begin of its file's slice |
| `anomalies.csv` | anomalous unit | org_id, date, service, region, strength, events, cost_usd |
| `totals.json` | – | counts of lines, faults and dirt; what is left when bad lines and copies are gone |

Memory holds one file, and lines that may be copied later.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from pathlib import Path

import numpy as np

from workloads.cloud_usage import generated_masters
from workloads.cloud_usage.generated_events import (
    EVENTS_A_DAY,
    LEAST_KEPT,
    METRICS,
    Columns,
    Events,
    timestamps,
)
from workloads.cloud_usage.generated_faults import KINDS, damage
from workloads.cloud_usage.generated_masters import FIRST_DAY, REGIONS, SERVICES, Table, generator, publish
from workloads.spec import Parameter

__all__ = ["KINDS", "OPTIONS", "Part", "Sample", "write"]

OPTIONS = (
    Parameter(name="events", type="integer", default=10_000, meaning="Lines of events, bad ones and copies included."),
    Parameter(name="seed", type="integer", default=7, meaning="The same seed gives the same bytes."),
    Parameter(name="late_share", type="number", default=0.02, meaning="Share of lines that are late events."),
    Parameter(name="dup_share", type="number", default=0.01, meaning="Share of lines that are copies of others."),
    Parameter(name="bad_share", type="number", default=0.01, meaning="Share of lines that break a rule."),
)  # fmt: skip

FOLDER = "usage_events_stream"
LINES_PER_FILE, FILES, MOST_LINES_PER_FILE = 360, 120, 20_000
FEWEST_FILES = 4  # so that a small sample has late events, too
LATE_BY = 60  # minutes, at least
REMEMBERED, PER_FILE = 2_048, 64  # lines that may be copied into a later file


@dataclass(frozen=True)
class Copied:
    """A line that may be copied."""

    line: bytes
    event_id: str
    file: str
    number: int


@dataclass
class Part:
    """A file of events, and the truth about it: rows as in the tables of `truth/`."""

    name: str
    lines: list[bytes]
    faults: list[tuple] = field(default_factory=list)
    duplicates: list[tuple] = field(default_factory=list)
    late: list[tuple] = field(default_factory=list)


class Shown:
    """What the events of a sample show when bad lines and copies are gone. Amounts in ten-thousandths."""

    def __init__(self, made: Events) -> None:
        self.made = made
        self.counts: Counter[str] = Counter()
        self.events, self.cost = (np.zeros(made.strength.shape, "int64") for _ in range(2))  # by series and day

    def add(self, columns: Columns) -> None:
        """Count the events."""
        unit = self.made.world.series[columns.resource], columns.day
        np.add.at(self.events, unit, 1)
        np.add.at(self.cost, unit, columns.cost)
        value = np.where(columns.value_is_null, 0, columns.value)
        self.counts.update({
            "events": len(columns.cost), "schema_1": int((~columns.is_version_2).sum()),
            "null_values": int(columns.value_is_null.sum()), "text_values": int(columns.value_is_text.sum()),
            "null_units": int(columns.unit_is_null.sum()), "slightly_negative_costs": int((columns.cost < 0).sum()),
            "genai_tokens": int(np.maximum(columns.tokens, 0).sum()), "cost_usd": int(columns.cost.sum()),
            **{metric: int(value[columns.metric == number].sum()) for number, metric in enumerate(METRICS)},
        })  # fmt: skip

    def anomalies(self) -> dict[str, list]:
        """The anomalous units that have an event, by column."""
        series, day = np.nonzero((self.made.strength > 1) & (self.events > 0))
        world = self.made.world
        org, service, region = zip(*(world.series_of[one] for one in series), strict=True) if len(series) else [()] * 3
        return {
            "org_id": [world.orgs[one] for one in org],
            "date": (FIRST_DAY + day).astype(str).tolist(),
            "service": [SERVICES[one] for one in service],
            "region": [REGIONS[one] for one in region],
            "strength": [f"{one:g}" for one in self.made.strength[series, day]],
            "events": self.events[series, day].tolist(),
            "cost_usd": [_amount(one) for one in self.cost[series, day]],
        }

    def totals(self) -> dict[str, int | str]:
        """Counts, and sums of amounts as text."""
        amounts = ("cost_usd", *METRICS)
        return {name: _amount(n) if name in amounts else n for name, n in sorted(self.counts.items())}


class Sample:
    """A sample file after file; `shown` knows what the files up to now show."""

    def __init__(self, events: int, seed: int, late_share: float, dup_share: float, bad_share: float) -> None:
        _refuse_what_cannot_be(events, late_share=late_share, dup_share=dup_share, bad_share=bad_share)
        self.seed = seed
        self.world = generated_masters.world(events, seed)
        self.made = Events(self.world, events, seed)
        self.shown = Shown(self.made)
        self.sizes = _sizes(events)
        begins = [self.made.begin(first) for first in (np.cumsum(self.sizes) - self.sizes).tolist()]
        can_be_late = np.where(np.array(begins) > LATE_BY, self.sizes, 0)
        self.wanted = np.stack((
            _shared_out(bad_share * events, self.sizes),
            _shared_out(dup_share * events, self.sizes),
            _shared_out(late_share * events, can_be_late),
        ))  # fmt: skip
        self.remembered: deque[Copied] = deque(maxlen=REMEMBERED)

    def parts(self) -> Iterator[Part]:
        """The files of events in order."""
        first = 0
        for number, size in enumerate(self.sizes.tolist()):
            yield self._part(number, first, size)
            first += size

    def _part(self, number: int, first: int, size: int) -> Part:
        """A file of so many events, the first of which has the number `first`."""
        rng, begin = generator(self.seed, 3, number), self.made.begin(first)
        # One event of the first file is none of these, so that there is one to copy.
        up_to = np.minimum(np.cumsum(self.wanted[:, number]), size - (number == 0))
        bad, copies, late, usual = np.split(rng.permutation(size), up_to)
        resource, minute = self.made.times(rng, first, size)
        minute[late] = rng.integers(0, max(begin - LATE_BY, 1), len(late))
        columns = self.made.at(rng, resource, minute)
        if number == 0:
            columns.cost[usual[0]] = abs(columns.cost[usual[0]])
        event_ids = self.made.event_ids(first, size)
        lines = self.made.lines(columns, event_ids)
        part = Part(f"{FOLDER}/events_part_{number:04}.jsonl", [line.encode() for line in lines])

        for turn, place in enumerate(np.sort(bad).tolist(), int(self.wanted[0, :number].sum())):
            kind = KINDS[turn % len(KINDS)]
            part.lines[place], rule = damage(kind, lines[place], rng)
            part.faults.append((part.name, place + 1, kind, rule))
        too_low = columns.cost < LEAST_KEPT
        read = np.sort(np.concatenate((late, usual)))
        refused = read[too_low[read]].tolist()
        part.faults += [(part.name, place + 1, "negative-cost", "cost_below_minimum") for place in refused]
        part.faults.sort(key=itemgetter(1))
        late = np.sort(late[~too_low[late]])
        behind = ((begin - minute[late]) * 60).tolist()
        part.late = [
            (part.name, place + 1, event_ids[place], time, seconds)
            for place, time, seconds in zip(late.tolist(), timestamps(minute[late]), behind, strict=True)
        ]
        self.shown.add(columns.where(read[~too_low[read]]))
        self._copy(part, rng, np.sort(copies).tolist(), np.sort(usual[~too_low[usual]]), event_ids)
        return part

    def _copy(
        self, part: Part, rng: np.random.Generator, places: list[int], of: np.ndarray, event_ids: list[str]
    ) -> None:
        """Put copies at `places` of a file: half of events of the file, at `of`, and half of remembered ones."""
        here: dict[int, list[int]] = defaultdict(list)
        for place in places:
            if len(of) and (not self.remembered or rng.random() < 0.5):
                here[int(rng.choice(of))].append(place)
            else:
                one = self.remembered[rng.integers(0, len(self.remembered))]
                part.lines[place] = one.line
                part.duplicates.append((part.name, place + 1, one.event_id, one.file, one.number))
        for source, copies in here.items():
            first, *others = sorted((source, *copies))
            for place in copies:
                part.lines[place] = part.lines[source]
            part.duplicates += [(part.name, place + 1, event_ids[source], part.name, first + 1) for place in others]
        part.duplicates.sort(key=itemgetter(1))
        for place in rng.permutation(of)[:PER_FILE].tolist():
            first = min(place, *here.get(place, [place]))
            self.remembered.append(Copied(part.lines[place], event_ids[place], part.name, first + 1))


def write(
    folder: Path,
    events: int = 10_000,
    seed: int = 7,
    late_share: float = 0.02,
    dup_share: float = 0.01,
    bad_share: float = 0.01,
) -> list[Path]:
    """Write a sample into a folder, as above. Each file is published whole; files of a longer sample go.

    Returns the paths. Raises ValueError where a share or a number cannot be, OSError where they cannot be written.
    """
    sample = Sample(events, seed, late_share, dup_share, bad_share)
    data, truth = folder / "data", folder / "truth"
    (data / FOLDER).mkdir(parents=True, exist_ok=True)
    truth.mkdir(exist_ok=True)
    paths = generated_masters.write(data, sample.world, seed)
    tables = {
        "faults": Table(truth / "faults.csv", "file", "line", "kind", "rule"),
        "duplicates": Table(truth / "duplicates.csv", "file", "line", "event_id", "of_file", "of_line"),
        "late": Table(truth / "late.csv", "file", "line", "event_id", "timestamp", "behind_seconds"),
    }
    rules: Counter[str] = Counter()
    for part in sample.parts():
        paths.append(publish(data / part.name, b"\n".join((*part.lines, b""))))
        for name, table in tables.items():
            table.add(getattr(part, name))
        rules.update(rule for *_, rule in part.faults)
    for path in set((data / FOLDER).iterdir()) - set(paths):
        path.unlink()
    told = [table.close() for table in tables.values()]
    anomalies = Table(truth / "anomalies.csv", *(found := sample.shown.anomalies()))
    anomalies.add(zip(*found.values(), strict=True))
    counts = {"lines": events} | {f"{name}": tables[name].rows for name in ("duplicates", "late")}
    totals = counts | {"quarantined": dict(sorted(rules.items()))} | sample.shown.totals()
    text = json.dumps(totals, indent=2) + "\n"
    return [*paths, *told, anomalies.close(), publish(truth / "totals.json", text.encode())]


def _refuse_what_cannot_be(events: int, **shares: float) -> None:
    if events < 1:
        raise ValueError(f"events is at least 1, not {events}")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is from 0 to 1, not {share}")
    if sum(shares.values()) > 1:
        raise ValueError(f"{', '.join(shares)} are parts of the same lines: together they are at most 1")


def _sizes(events: int) -> np.ndarray:
    """Lines of each file: as many files as there are in real deliveries, but neither tiny nor huge ones."""
    lines = int(np.clip(events // FILES, LINES_PER_FILE, MOST_LINES_PER_FILE))
    days = -(-events // EVENTS_A_DAY)  # of a resource: they are not torn
    files = max(-(-events // lines), min(FEWEST_FILES, days))
    ends = np.minimum(np.arange(files + 1) * days // files * EVENTS_A_DAY, events)
    return np.diff(ends)


def _shared_out(total: float, sizes: np.ndarray) -> np.ndarray:
    """A total shared out by size, in whole numbers."""
    share = np.cumsum(sizes) / max(sizes.sum(), 1)
    return np.diff(np.rint(total * share).astype("int64"), prepend=0)


def _amount(ten_thousandths: int) -> str:
    return f"{Decimal(int(ten_thousandths)).scaleb(-4):.4f}"
