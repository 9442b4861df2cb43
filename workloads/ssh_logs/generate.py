"""Sample logs with their truth: legitimate use, attacks and other daemons, of any length, the same for the same seed.

Time goes in steps. What begins in a step (`actors`, `attackers`) says all that it will ever say, each line at its
second; a step's lines are given out in order when it is over. Memory holds what is under way, and the campaigns of one
period. `Mix` says what a sample has in it.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from pathlib import Path

from workloads.spec import Parameter
from workloads.ssh_logs.actors import DAY, Legitimate
from workloads.ssh_logs.attackers import KINDS, OTHER_STRENGTHS, STRENGTHS, Campaign, Planner, attack
from workloads.ssh_logs.sshd import Host, Said, Truth, new_hosts

__all__ = ["KINDS", "OPTIONS", "OTHER_STRENGTHS", "START", "STRENGTHS", "VERSION", "Mix", "Truth", "generate", "write"]

OPTIONS = (
    Parameter(name="lines", type="integer", default=10_000, meaning="How many lines."),
    Parameter(name="seed", type="integer", default=7, meaning="The same seed gives the same bytes."),
)
# Raise it when the same seed gives other bytes: it is part of what a holdout is known by.
VERSION = 2
START = datetime(2026, 3, 2, 6, 0)  # UTC; a Monday
STEP = 600.0
PERIOD = 7 * DAY
LINES_PER_DAY = 5_000  # unless the days are given, or there would be fewer than two, or more than 28 …
FEWEST_DAYS, MOST_DAYS = 2.0, 28.0
MOST_LINES_PER_DAY = 1_000_000  # … of so many lines at most
# Windows of ten minutes in which an address shows, per line of legitimate use; measured (`tests`), not derived.
WINDOWS_PER_LINE = 0.175
# So many campaigns a sample has room for at least; a short one makes them short, but not shorter than this.
CAMPAIGNS, LEAST_WINDOWS = 8, 8.0
DAMAGED_SHARE = 0.001
DAMAGED = Truth(False, "", "damaged")
UNDECODABLE = "surrogateescape"


@dataclass(frozen=True)
class Mix:
    """What a sample has in it.

    `attack_share` is about the share of attacks among pairs of an address and a window of ten minutes in which it
    shows. `strengths` are tries per hour of one address, by the kinds that there shall be. `days` is about how long it
    lasts, however many lines there are: None takes 5,000 lines a day, but 2 days at least and 28 at most. A slow
    campaign shortens to fit, so that below two days little of it is left. All kinds need about 10,000
    lines at a share of 0.05 and 50,000 at 0.01; all their strengths five times as many.
    """

    attack_share: float = 0.05
    strengths: Mapping[str, Sequence[float]] = field(default_factory=lambda: STRENGTHS)
    days: float | None = None
    start: datetime = START
    damaged_share: float = DAMAGED_SHARE

    def __post_init__(self) -> None:
        if not 0 <= self.attack_share < 1:
            raise ValueError(f"attack_share is from 0 to below 1, not {self.attack_share}")
        if unknown := set(self.strengths) - set(KINDS):
            raise ValueError(f"no kind of campaign: {', '.join(sorted(unknown))}")
        if self.days is not None and self.days * DAY < STEP:
            raise ValueError(f"days is at least ten minutes, not {self.days}")

    def seconds(self, lines: int) -> float:
        """How long a sample of `lines` lines lasts."""
        days = self.days or max(min(max(lines / LINES_PER_DAY, FEWEST_DAYS), MOST_DAYS), lines / MOST_LINES_PER_DAY)
        return days * DAY


DEFAULT = Mix()


def generate(lines: int, seed: int, mix: Mix = DEFAULT) -> Iterator[tuple[str, Truth]]:
    """`lines` lines (without newline) in order of time, each with its truth.

    Bytes that are no UTF-8, which only damaged lines have, are as `surrogateescape` decodes them.
    """
    return ((line, said.truth) for line, said in _lines(lines, seed, mix))


def write(folder: Path, lines: int, seed: int, mix: Mix = DEFAULT) -> list[Path]:
    """Write a sample into a folder: `data/auth.log`, and its truth by line and by campaign. Returns the paths.

    `truth/auth.csv` has a row for each line, `truth/campaigns.csv` for each campaign as far as its lines show it; times
    are UTC. Each file is published whole. Raises ValueError where there is to be no line, OSError where they cannot be
    written.
    """
    if lines < 1:
        raise ValueError(f"lines is at least 1, not {lines}")
    paths = [folder / "data" / "auth.log", folder / "truth" / "auth.csv", folder / "truth" / "campaigns.csv"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    parts = [path.with_name(f".{path.name}.part") for path in paths]
    seen: dict[str, _Seen] = {}
    shown: dict[Truth, str] = {}
    with (
        parts[0].open("w", encoding="utf-8", errors=UNDECODABLE, newline="\n") as log,
        parts[1].open("w", encoding="utf-8", newline="\n") as table,
    ):
        table.write(f"line,{','.join(Truth._fields)}\n")
        for number, (line, said) in enumerate(_lines(lines, seed, mix), 1):
            truth = said.truth
            if (known := shown.get(truth)) is None:
                # Kinds, addresses and numbers need no quotes. Few are of use again for long.
                if len(shown) > 50_000:
                    shown.clear()
                known = shown[truth] = (
                    f"{str(truth.is_attack).lower()},{truth.source},{truth.kind},{truth.campaign},{truth.strength:g}"
                )
            log.write(f"{line}\n")
            table.write(f"{number},{known}\n")
            if truth.is_attack:
                if truth.campaign not in seen:
                    seen[truth.campaign] = _Seen(truth.kind, truth.strength, said.second)
                seen[truth.campaign].add(said, line)
    with parts[2].open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(_Seen.COLUMNS)
        rows.writerows(one.row(name, mix.start) for name, one in sorted(seen.items()))
    for part, path in zip(parts, paths, strict=True):
        part.replace(path)
    return paths


class _Seen:
    """What the lines of a sample show of a campaign."""

    COLUMNS = (
        *("campaign", "kind", "strength", "addresses", "hosts", "users"),
        *("start", "end", "tries", "successes", "lines"),
    )

    def __init__(self, kind: str, strength: float, second: float) -> None:
        self.kind, self.strength, self.start, self.end = kind, strength, second, second
        self.addresses: set[str] = set()
        self.hosts: set[str] = set()
        self.users: set[str] = set()
        self.tries = self.successes = self.lines = 0

    def add(self, said: Said, line: str) -> None:
        self.end = said.second
        self.lines += 1
        self.addresses.add(said.truth.source)
        self.hosts.add(said.host.name)
        if said.tries:
            self.tries += said.tries
            self.successes += ": Accepted " in line
            if said.user:
                self.users.add(said.user)

    def row(self, name: str, start: datetime) -> tuple:
        """Addresses and hosts by name, parted by blanks; users by number."""
        first, last = (start + timedelta(seconds=int(second)) for second in (self.start, self.end))
        addresses, hosts = " ".join(sorted(self.addresses)), " ".join(sorted(self.hosts))
        times = (f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}")
        counts = (self.tries, self.successes, self.lines)
        return (name, self.kind, f"{self.strength:g}", addresses, hosts, len(self.users), *times, *counts)


def _lines(lines: int, seed: int, mix: Mix) -> Iterator[tuple[str, Said]]:
    """The first lines of a sample as text, some of them damaged."""
    rng = random.Random(f"ssh-logs/{seed}")  # noqa: S311 - a sample, not a secret
    damage = random.Random(f"ssh-logs/damage/{seed}")  # noqa: S311
    stamps = _Stamps(mix.start)
    until_damage = _gap(damage, mix.damaged_share)
    for said in islice(_timeline(rng, lines, mix), lines):
        second, host, text = said[0], said[1], said[2]
        line = f"{stamps.of(second, host)} {host.name} {text}"
        if until_damage:
            until_damage -= 1
            yield line, said
        else:
            until_damage = _gap(damage, mix.damaged_share)
            yield _damaged(damage, line), said._replace(truth=DAMAGED, tries=0)


def _timeline(rng: random.Random, lines: int, mix: Mix) -> Iterator[Said]:
    """Lines of all that happens in order of time, period after period."""
    seconds = mix.seconds(lines)
    periods = max(1, round(seconds / PERIOD))
    length = seconds / periods
    lines_per_period = max(lines, 1) / periods
    hosts = new_hosts()
    legitimate = Legitimate(rng, hosts, lines_per_period / length * DAY, mix.start)
    most_windows = max(LEAST_WINDOWS, WINDOWS_PER_LINE * lines * mix.attack_share / CAMPAIGNS)
    planner = Planner(rng, hosts, mix.strengths, most_windows)
    out = legitimate.world.out
    waiting: dict[int, list[Said]] = defaultdict(list)
    steps = max(1, round(length / STEP))
    number = 0
    while True:
        begin = number * STEP
        campaigns, left = planner.period(begin, steps * STEP, lines_per_period, mix.attack_share, WINDOWS_PER_LINE)
        campaigns.reverse()
        routines = legitimate.routines(begin, steps * STEP, left)
        busy = [legitimate.busy((number + step) * STEP) for step in range(steps)]
        mean = sum(busy) / steps
        for step in range(steps):
            begin = number * STEP
            _begin(campaigns, legitimate, begin)
            legitimate.step(begin, STEP, left / steps, busy[step] / mean, routines)
            for said in out:
                waiting[int(said[0] // STEP)].append(said)
            out.clear()
            now = waiting.pop(number, [])
            now.sort(key=itemgetter(0))
            yield from now
            number += 1


def _begin(campaigns: list[Campaign], legitimate: Legitimate, begin: float) -> None:
    """Start what is planned for a step; the next campaign is the last of the list."""
    while campaigns and campaigns[-1].begin < begin + STEP:
        attack(legitimate.world, campaigns.pop())


class _Stamps:
    """Times as hosts write them: each second is made into text once."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.second = -1
        self.bsd = ""
        self.iso: dict[int, tuple[str, str]] = {}

    def of(self, second: float, host: Host) -> str:
        whole = int(second)
        if whole != self.second:
            moment = self.start + timedelta(seconds=whole)
            self.second, self.bsd = whole, moment.ctime()[4:19]
            self.iso.clear()
        if not host.iso:
            return self.bsd
        if host.offset not in self.iso:
            moment = self.start + timedelta(seconds=whole, minutes=host.offset)
            sign, (hours, minutes) = "-" if host.offset < 0 else "+", divmod(abs(host.offset), 60)
            self.iso[host.offset] = moment.isoformat(timespec="seconds"), f"{sign}{hours:02}:{minutes:02}"
        stamp, zone = self.iso[host.offset]
        return f"{stamp}.{int((second - whole) * 1_000_000):06}{zone}"


def _gap(rng: random.Random, share: float) -> int:
    """How many whole lines there are until the next damaged one."""
    return int(rng.expovariate(share)) if share else 1 << 60


def _damaged(rng: random.Random, line: str) -> str:
    """What is left of a line when a disk, a network or a crash was at it."""
    at, way = rng.randrange(len(line)), rng.randrange(7)
    if way == 0:
        return ""
    if way == 1:
        return line[: rng.randrange(15)]
    if way == 2:
        return line[:at]
    if way == 3:
        return line[line.index(": ") + 2 :]
    if way == 4:
        return f"{line[:at]}{chr(0) * rng.randint(1, 40)}{line[at:]}"
    noise = rng.randbytes(rng.randint(1, 24)).replace(b"\n", b"")
    whole = line[:at].encode() + noise + line[at:].encode() if way == 5 else noise
    return whole.decode("utf-8", UNDECODABLE)
