"""Sample logs with their truth: legitimate use, attacks and other daemons, of any length, the same for the same seed.

Sessions begin at random moments of a stretch of days, one source of sessions for each kind of actor; their lines are
merged in order of time, so memory holds only the sessions under way. Names are invented, addresses are those that
RFC 5737 and RFC 1918 set aside.
"""

from __future__ import annotations

import csv
import heapq
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

START = datetime(2026, 3, 2, 6, 0)  # the year does not show in the lines
SECONDS_PER_LINE = 4.0
LONGEST = timedelta(days=120).total_seconds()
DAMAGED_SHARE = 0.001

HOSTS = ("bastion", "build-1", "web-1")
STAFF = ("anna", "bilal", "chen", "dagny", "emeka", "farah", "goran", "hanae")
GUESSED = (
    "root",
    "admin",
    "test",
    "oracle",
    "postgres",
    "ubuntu",
    "git",
    "ftpuser",
    "guest",
    "pi",
    "support",
    "nagios",
)
EXISTING = frozenset((*STAFF, "root", "git", "postgres"))


class Truth(NamedTuple):
    """What a line really is: of an attack or not, from which source (empty where from none), of which kind."""

    is_attack: bool
    source: str
    kind: str


class Said(NamedTuple):
    """A line before it has its time as text: second, host, tag and message, and its truth."""

    second: float
    host: str
    tag: str
    message: str
    truth: Truth


Session = Iterator[Said]


def generate(lines: int, seed: int) -> Iterator[tuple[str, Truth]]:
    """`lines` lines (without newline) in order of time, each with its truth."""
    rng = random.Random(f"ssh-logs/{seed}")  # noqa: S311 - a sample, not a secret
    stretch = min(LONGEST, SECONDS_PER_LINE * lines)
    pace = stretch / lines if lines else 1.0
    yield from islice(_damage(_timeline(rng, pace), rng), lines)


def write(folder: Path, lines: int, seed: int) -> list[Path]:
    """Write a sample into a folder: `data/auth.log` and, line by line beside it, `truth/auth.csv`. Returns both paths.

    Each is published whole. Raises OSError where they cannot be written.
    """
    data, truth = folder / "data" / "auth.log", folder / "truth" / "auth.csv"
    for path in (data, truth):
        path.parent.mkdir(parents=True, exist_ok=True)
    parts = [path.with_name(f".{path.name}.part") for path in (data, truth)]
    with parts[0].open("w", encoding="utf-8") as log, parts[1].open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(("line", *Truth._fields))
        for number, (line, known) in enumerate(generate(lines, seed), 1):
            log.write(f"{line}\n")
            rows.writerow((number, str(known.is_attack).lower(), known.source, known.kind))
    for part, path in zip(parts, (data, truth), strict=True):
        part.replace(path)
    return [data, truth]


def _timeline(rng: random.Random, pace: float) -> Iterator[Said]:
    """Lines of all sessions in order of time. `pace` is the wanted mean of seconds per line."""
    order = count()
    waiting: list[tuple[float, int, Said | None, Iterator]] = []

    def push(stream: Iterator[Said]) -> None:
        if (said := next(stream, None)) is not None:
            heapq.heappush(waiting, (said.second, next(order), said, stream))

    weights = [share for _, share in ACTORS]
    mean = sum(LINES_PER_SESSION[actor] * share for actor, share in ACTORS) / sum(weights)
    begin = 0.0
    while True:
        begin += rng.expovariate(1.0 / (pace * mean))
        while waiting and waiting[0][0] <= begin:
            _, _, said, stream = heapq.heappop(waiting)
            yield said
            push(stream)
        (actor,) = rng.choices([actor for actor, _ in ACTORS], weights)
        push(actor(random.Random(rng.random()), begin))  # noqa: S311 - a sample, not a secret


def _damage(timeline: Iterator[Said], rng: random.Random) -> Iterator[tuple[str, Truth]]:
    for said in timeline:
        moment = START + timedelta(seconds=int(said.second))
        line = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S} {said.host} {said.tag}: {said.message}"
        if rng.random() < DAMAGED_SHARE:
            yield line[: rng.randrange(15)], Truth(False, "", "damaged")
        else:
            yield line, said.truth


def _staff(rng: random.Random) -> tuple[str, str]:
    """Somebody who works here, and the address from which they come: some share one."""
    number = rng.randrange(len(STAFF))
    return STAFF[number], "10.20.0.1" if number % 4 == 0 else f"10.20.1.{10 + number}"


def _sshd(rng: random.Random) -> tuple[str, str]:
    return rng.choice(HOSTS), f"sshd[{rng.randrange(1_000, 32_000)}]"


def _port(rng: random.Random) -> int:
    return rng.randrange(1_024, 65_536)


def _failure(rng: random.Random, user: str, address: str) -> Iterator[str]:
    """The messages of one wrong password."""
    port = _port(rng)
    if user in EXISTING:
        yield (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
            f"rhost={address}  user={user}"
        )
        yield f"Failed password for {user} from {address} port {port} ssh2"
    else:
        yield f"Invalid user {user} from {address} port {port}"
        yield "pam_unix(sshd:auth): check pass; user unknown"
        yield f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address} "
        yield f"Failed password for invalid user {user} from {address} port {port} ssh2"


def work(rng: random.Random, second: float) -> Session:
    """Somebody works: with a key or a password, sometimes mistyped, for minutes to hours."""
    user, address = _staff(rng)
    host, tag = _sshd(rng)
    truth = Truth(False, address, "work")
    method = "publickey" if rng.random() < 0.6 else "password"
    mistakes = rng.choices((0, 1, 2), (80, 15, 5))[0] if method == "password" else 0
    for _ in range(mistakes):
        for message in _failure(rng, user, address):
            yield Said(second, host, tag, message, truth)
        second += rng.uniform(2, 9)
    key = ": ED25519 SHA256:4Zr0qJ8sR1mT5vX9yB3dF7hK2nP6uW0aC8eG4jL1oQs" if method == "publickey" else ""
    port = _port(rng)
    yield Said(second, host, tag, f"Accepted {method} for {user} from {address} port {port} ssh2{key}", truth)
    yield Said(second, host, tag, f"pam_unix(sshd:session): session opened for user {user} by (uid=0)", truth)
    second += rng.expovariate(1 / 1_800)
    yield Said(second, host, tag, f"Received disconnect from {address} port {port}:11: disconnected by user", truth)
    yield Said(second, host, tag, f"pam_unix(sshd:session): session closed for user {user}", truth)


def daemons(rng: random.Random, second: float) -> Session:
    """What else a host logs."""
    host, truth = rng.choice(HOSTS), Truth(False, "", "other-daemon")
    number = rng.randrange(1_000, 32_000)
    for tag, message in rng.choice(
        (
            (
                (f"CRON[{number}]", "pam_unix(cron:session): session opened for user root by (uid=0)"),
                (f"CRON[{number}]", "(root) CMD (run-parts --report /etc/cron.hourly)"),
                (f"CRON[{number}]", "pam_unix(cron:session): session closed for user root"),
            ),
            (("systemd[1]", "Started Daily apt download activities."),),
            (("kernel", f"[{second:12.6f}] eth0: link up"),),
        )
    ):
        yield Said(second, host, tag, message, truth)


def scan(rng: random.Random, second: float) -> Session:
    """A scanner connects and leaves."""
    address = f"203.0.113.{rng.randrange(1, 255)}"
    host, tag = _sshd(rng)
    truth = Truth(True, address, "scan")
    yield Said(second, host, tag, f"Did not receive identification string from {address}", truth)


def brute_force(rng: random.Random, second: float) -> Session:
    """One address tries passwords for one account, as fast as it is let."""
    yield from _guessing(rng, second, "brute-force", lambda: "root", rng.randrange(10, 60), 2.0)


def enumeration(rng: random.Random, second: float) -> Session:
    """One address tries account after account."""
    yield from _guessing(rng, second, "enumeration", lambda: rng.choice(GUESSED), rng.randrange(8, 40), 4.0)


def slow_brute_force(rng: random.Random, second: float) -> Session:
    """One address tries rarely, so as not to be noticed."""
    yield from _guessing(rng, second, "slow-brute-force", lambda: rng.choice(GUESSED), rng.randrange(5, 20), 420.0)


def _guessing(
    rng: random.Random, second: float, kind: str, user: Callable[[], str], tries: int, pause: float
) -> Session:
    address = f"198.51.100.{rng.randrange(1, 255)}"
    host, truth = rng.choice(HOSTS), Truth(True, address, kind)
    for number in range(tries):
        tag = f"sshd[{rng.randrange(1_000, 32_000)}]"
        if number == 0 and rng.random() < 0.3:
            lookup = f"reverse mapping checking getaddrinfo for host.example.net [{address}] failed"
            yield Said(second, host, tag, f"{lookup} - POSSIBLE BREAK-IN ATTEMPT!", truth)
        name = user()
        for message in _failure(rng, name, address):
            yield Said(second, host, tag, message, truth)
        if kind == "brute-force" and rng.random() < 0.1:
            again = f"Failed password for {name} from {address} port {_port(rng)} ssh2"
            repeated = f"message repeated {rng.randrange(2, 6)} times: [ {again}]"
            yield Said(second, host, tag, repeated, truth)
        yield Said(second, host, tag, f"Received disconnect from {address}: 11: Bye Bye [preauth]", truth)
        second += rng.expovariate(1 / pause)


# Who begins sessions, and how often beside the others.
ACTORS: tuple[tuple[Callable[[random.Random, float], Session], float], ...] = (
    (work, 60),
    (daemons, 40),
    (scan, 6),
    (brute_force, 1.2),
    (enumeration, 1.2),
    (slow_brute_force, 0.8),
)
# About how many lines their sessions have; only the pace hangs on it.
LINES_PER_SESSION = {work: 5, daemons: 2, scan: 1, brute_force: 110, enumeration: 110, slow_brute_force: 55}
