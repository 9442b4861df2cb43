"""Who uses the hosts of a sample legitimately, and how: people, robots, probes and other daemons.

Much of it fails, and none of it is an attack: wrong passwords, keys tried in vain, mistyped names, jobs that nobody
mends. Names are invented; addresses are those that RFC 1918, RFC 5737, RFC 3849 and RFC 6598 set aside.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

from workloads.ssh_logs.sshd import Connection, Host, Said, Truth

HOUR, DAY = 3_600.0, 86_400.0
NAMES = (
    *("anna", "bilal", "chen", "dagny", "emeka", "farah", "goran", "hanae", "ines", "jonas", "kavita", "liam", "mei"),
    *("noor", "olga", "pavel", "quentin", "rosa", "sami", "tuva", "umar", "vera", "wim", "ximena", "yusuf", "zoe"),
)
ROBOTS = ("deploy", "backup", "ansible", "jenkins", "monitoring", "gitlab-runner")
EXISTING = frozenset((*NAMES, *ROBOTS, "root", "git", "postgres", "www-data", "nobody"))
TYPED_INSTEAD = ("Summer2026!", "hunter2", "letmein", "exit", "ssh", "Correct-Horse7")
NO_SOURCE = Truth(False, "", "other-daemon")


class Person(NamedTuple):
    """Somebody who works here, the address they work from, whether with a key, and how many keys are tried first."""

    name: str
    uid: int
    address: str
    fingerprint: str
    uses_key: bool
    other_keys: int


Happen = Callable[["World", float], None]


@dataclass(slots=True)
class Routine:
    """What happens at an interval, by day and by night, from the second `next` of the sample to `end`."""

    happen: Happen
    interval: float
    next: float
    end: float


class World:
    """The hosts, the people, and what all of them said and was not yet taken: `out`."""

    def __init__(self, rng: random.Random, hosts: list[Host], people: int) -> None:
        self.rng, self.hosts = rng, hosts
        self.out: list[Said] = []
        self.people = [self._person(number) for number in range(people)]

    def _person(self, number: int) -> Person:
        rng = self.rng
        again = number // len(NAMES)
        name = NAMES[number % len(NAMES)] + (str(again) if again else "")
        # A quarter share the address of their office: a larger company has more offices.
        office = number % 4 == 0
        address = (
            f"10.20.0.{1 + number // 160 % 250}"
            if office
            else f"10.{21 + number // 60_000}.{number // 250 % 240}.{1 + number % 250}"
        )
        return Person(name, 1_000 + number, address, fingerprint(rng), rng.random() < 0.6, rng.choice((0, 0, 0, 1, 2)))

    def host(self) -> Host:
        """One of the hosts."""
        return self.hosts[int(self.rng.random() * len(self.hosts))]

    def connect(self, host: Host, second: float, address: str, truth: Truth, name: str = "") -> Connection:
        """A connection from any port."""
        return Connection(self.out, host, second, address, 1_024 + int(self.rng.random() * 64_000), truth, name)

    def other(self, second: float, host: Host, text: str) -> None:
        """Another daemon says it."""
        self.out.append(Said(second, host, text, NO_SOURCE))

    # People --------------------------------------------------------------------------------------------------------

    def work(self, second: float) -> None:
        """Somebody works, for minutes to hours: with a key, or a password that is sometimes mistyped."""
        rng, person = self.rng, self._somebody()
        mistakes = 0 if person.uses_key else rng.choices((0, 1, 2), (85, 11, 4))[0]
        self._log_in(second, person, person.address, Truth(False, person.address, "work"), mistakes)

    def forget(self, second: float) -> None:
        """Somebody does not remember the password: one to six tries, then it comes back, or is left at that."""
        rng, person = self.rng, self._somebody()
        tries = rng.choices((1, 2, 3, 4, 5, 6), (20, 25, 25, 14, 9, 7))[0]
        truth = Truth(False, person.address, "forgotten-password")
        host = self.host()
        remembers = rng.random() < 0.85
        while tries:
            now = min(tries, 3)
            tries -= now
            connection = self.connect(host, second, person.address, truth)
            connection.password(person.name, True, now, rng.uniform(2, 9))
            second = connection.second
            if not tries and remembers:
                connection.second += rng.uniform(2, 15)
                connection.accepted(person.name, person.uid, "password")
                self._stay(connection, person)
                if rng.random() < 0.3:
                    changed = f"pam_unix(passwd:chauthtok): password changed for {person.name}"
                    self.other(second + rng.uniform(60, 200), host, f"passwd[{host.next_pid()}]: {changed}")
            elif now == 3 and rng.random() < 0.5:
                connection.too_many(person.name, True)
            else:
                connection.closed(person.name, True)
            second += rng.uniform(10, 90)

    def mistype_name(self, second: float) -> None:
        """Somebody mistypes their name, or types something else in its place, and then gets it right."""
        rng, person, host = self.rng, self._somebody(), self.host()
        name, at = person.name, rng.randrange(len(person.name))
        wrong = rng.choice((name[:at] + name[at + 1 :] + "x", f"{name}{name[at]}", rng.choice(TYPED_INSTEAD)))
        truth = Truth(False, person.address, "mistyped-name")
        connection = self.connect(host, second, person.address, truth)
        connection.password(wrong, False, rng.choice((1, 1, 2)), rng.uniform(2, 6))
        connection.closed(wrong, False)
        if rng.random() < 0.9:
            self._log_in(connection.second + rng.uniform(4, 40), person, person.address, truth, 0, host)

    def travel(self, second: float) -> None:
        """Somebody is away: an address from outside, which many use at times."""
        rng, person = self.rng, self._somebody()
        place = int(rng.expovariate(1 / 60))
        address = f"2001:db8:1:{place:x}::{rng.randrange(2, 9)}" if place % 3 == 0 else f"100.64.{place % 250}.17"
        if place < 40:
            address = f"192.0.2.{10 + place}"
        mistakes = rng.choices((0, 1, 2, 3), (75, 15, 7, 3))[0]
        self._log_in(second, person, address, Truth(False, address, "travel"), mistakes)

    def _somebody(self) -> Person:
        return self.people[int(self.rng.random() * len(self.people))]

    def _log_in(
        self, second: float, person: Person, address: str, truth: Truth, mistakes: int, host: Host | None = None
    ) -> None:
        rng = self.rng
        connection = self.connect(host or self.host(), second, address, truth)
        if truth.kind == "travel" and rng.random() < 0.2:
            connection.reverse_mapping()
        if mistakes:
            connection.password(person.name, True, mistakes, rng.uniform(2, 9))
        elif person.uses_key and connection.host.verbose:
            for _ in range(person.other_keys):
                connection.key(person.name, f"RSA SHA256:{person.fingerprint[::-1]}")
        connection.second += rng.uniform(0.2, 6)
        method = "publickey" if person.uses_key and not mistakes else "password"
        connection.accepted(person.name, person.uid, method, f"ED25519 SHA256:{person.fingerprint}")
        self._stay(connection, person)

    def _stay(self, connection: Connection, person: Person) -> None:
        """What somebody who is in does until they go."""
        rng, host, did = self.rng, connection.host, self.rng.random()
        begin = connection.second
        if host.version >= 74:
            session = rng.randrange(10, 9_000)
            self.other(begin + 0.02, host, f"systemd-logind[611]: New session {session} of user {person.name}.")
        if host.verbose:
            shell = f"shell on pts/{session % 9}" if host.version >= 74 and did > 0.2 else "command"
            at = f"{connection.address} port {connection.port}"
            connection.inside(f"Starting session: {shell} for {person.name} from {at} id 0")
        if did < 0.12:
            by = f" by user {person.name}" if host.version >= 66 else ""
            connection.inside(f"subsystem request for sftp{by}")
            connection.second += rng.expovariate(1 / 200)
        elif did < 0.18:
            connection.second += rng.uniform(1, 60)
            connection.inside("error: connect_to 127.0.0.1 port 5432: failed.")
        elif did < 0.34:
            sudo = f"{person.name} : TTY=pts/{rng.randrange(9)} ; PWD=/srv ; USER=root ; COMMAND=/bin/systemctl status"
            self.other(begin + rng.uniform(3, 60), host, f"sudo: {sudo}")
        elif did < 0.38:
            self.other(begin + 9, host, f"su[{host.next_pid()}]: pam_unix(su:auth): authentication failure; logname=")
        connection.second += rng.expovariate(1 / 1_500)
        if rng.random() < 0.06:
            connection.lost(person.name)
        else:
            connection.left(person.name)

    # Robots --------------------------------------------------------------------------------------------------------

    def automation(self, number: int) -> tuple[Happen, float]:
        """A robot that logs in by key from one address, on one to three hosts at a time."""
        rng, name = self.rng, ROBOTS[number % len(ROBOTS)]
        address, print_ = f"10.30.{number // 250 % 250}.{1 + number % 250}", f"ED25519 SHA256:{fingerprint(rng)}"
        targets, truth = rng.sample(self.hosts, rng.choice((1, 1, 2, 3))), Truth(False, address, "automation")

        def happen(world: World, second: float) -> None:
            for host in targets:
                connection = world.connect(host, second, address, truth)
                connection.accepted(name, 900 + number % 90, "publickey", print_)
                connection.second += world.rng.uniform(0.5, 20)
                connection.left(name)
                second += world.rng.uniform(0, 2)

        return happen, 5.2 * len(targets)

    def failing_job(self, number: int) -> tuple[Happen, float]:
        """A job whose password has expired or whose key was removed, and that goes on trying: nobody looks."""
        rng, name = self.rng, ROBOTS[(number + 1) % len(ROBOTS)]
        address, host = f"10.31.{number // 250 % 250}.{1 + number % 250}", rng.choice(self.hosts)
        by_key, print_ = rng.random() < 0.4, f"ED25519 SHA256:{fingerprint(rng)}"
        truth, retries = Truth(False, address, "failing-job"), rng.choice((1, 1, 1, 2, 3))

        def happen(world: World, second: float) -> None:
            connection = world.connect(host, second, address, truth)
            if by_key:
                connection.key(name, print_)
            else:
                connection.password(name, True, retries, 1.5)
            connection.closed(name, True)

        return happen, 3.4

    def health_check(self, number: int) -> tuple[Happen, float]:
        """A load balancer sees whether the port answers, and leaves."""
        address, host = f"10.0.{number // 250 % 250}.{1 + number % 250}", self.hosts[number % len(self.hosts)]
        truth, politely = Truth(False, address, "health-check"), number % 2 == 0

        def happen(world: World, second: float) -> None:
            connection = world.connect(host, second, address, truth)
            if politely:
                connection.gone("reset" if world.rng.random() < 0.05 else "closed")
            else:
                connection.silent()

        return happen, 1.8

    # Other daemons -------------------------------------------------------------------------------------------------

    def daemons(self, second: float) -> None:
        """What else a host logs."""
        host, which = self.host(), self.rng.random()
        pid = host.next_pid()
        if which < 0.5:
            self.other(second, host, f"CRON[{pid}]: pam_unix(cron:session): session opened for user root by (uid=0)")
            self.other(second + 0.01, host, f"CRON[{pid}]: (root) CMD (run-parts --report /etc/cron.hourly)")
            self.other(second + 1.2, host, f"CRON[{pid}]: pam_unix(cron:session): session closed for user root")
        elif which < 0.7:
            self.other(second, host, "systemd[1]: Started Daily apt download activities.")
            self.other(second + 0.4, host, "systemd[1]: apt-daily.service: Succeeded.")
        elif which < 0.8:
            self.other(second, host, f"kernel: [{second + 8_000:12.6f}] eth0: link up")
        elif which < 0.94:
            queue = f"{int(second) * 977 % 0xFFFFFF:010X}"
            self.other(second, host, f"postfix/smtpd[{pid}]: connect from localhost[127.0.0.1]")
            self.other(second + 0.1, host, f"postfix/cleanup[{pid + 1}]: {queue}: message-id=<{queue}@example.com>")
        else:
            self.other(second, host, "sshd[812]: Server listening on 0.0.0.0 port 22.")
            self.other(second + 0.01, host, "sshd[812]: Server listening on :: port 22.")


# Shares of the legitimate lines, and about how many lines one session has.
SESSIONS: tuple[tuple[Happen, float, float], ...] = (
    (World.work, 0.42, 6.7),
    (World.forget, 0.04, 10.9),
    (World.mistype_name, 0.02, 12.3),
    (World.travel, 0.07, 7.4),
)
DAEMONS = (World.daemons, 0.17, 2.4)
# What makes robots, which say about how many lines they have each time; their share of the legitimate lines, and their
# interval in seconds, from and to.
ROUTINES: tuple[tuple[Callable[[World, int], tuple[Happen, float]], float, tuple[float, float]], ...] = (
    (World.automation, 0.16, (120, 1_800)),
    (World.failing_job, 0.02, (600, 3_600)),
    (World.health_check, 0.10, (60, 300)),
)
SESSIONS_PER_PERSON = 5  # a day


class Legitimate:
    """All legitimate use of a sample with about `lines_per_day` of its lines."""

    def __init__(self, rng: random.Random, hosts: list[Host], lines_per_day: float, start: datetime) -> None:
        _, share, size = SESSIONS[0]
        people = max(16, round(lines_per_day * share / size / SESSIONS_PER_PERSON))
        self.world, self.start = World(rng, hosts, people), start
        self.jobs = 0

    def routines(self, begin: float, seconds: float, lines: float) -> list[Routine]:
        """Robots for a period of `seconds` from `begin` on, in which legitimate use shall have about `lines` lines."""
        rng, found = self.world.rng, []
        for make, share, (least, most) in ROUTINES:
            # The same robots and probes are there in every period; failing jobs are others each time.
            wanted, breaks = lines * share, make is World.failing_job
            numbers = count(self.jobs if breaks else 0)
            while wanted > 0:
                happen, size = make(self.world, next(numbers))
                self.jobs += breaks
                lasts = seconds * (rng.uniform(0.3, 1) if breaks else 1)
                # The last of a kind is as rare as it must be for no more lines than wanted.
                interval = max(rng.uniform(least, most), lasts * size / wanted)
                first = begin + rng.uniform(0, seconds - lasts) + rng.uniform(0, min(interval, lasts))
                found.append(Routine(happen, interval, first, min(first + lasts, begin + seconds)))
                wanted -= max(lasts / interval, 1.0) * size
        return found

    def busy(self, second: float) -> float:
        """How much people work at a moment, beside other moments."""
        moment = self.start + timedelta(seconds=second)
        weekend = 0.2 if moment.weekday() > 4 else 1.0
        hour = moment.hour + moment.minute / 60
        return 0.05 + weekend * (math.exp(-(((hour - 10.5) / 2.2) ** 2)) + 0.9 * math.exp(-(((hour - 15) / 2.5) ** 2)))

    def step(self, begin: float, seconds: float, expected: float, busy: float, routines: list[Routine]) -> None:
        """What begins in a step: `expected` lines if it were spread evenly, `busy` times as much from people."""
        rng, world = self.world.rng, self.world
        for happen, share, size in (*SESSIONS, DAEMONS):
            often = expected * share / size * (1.0 if happen is World.daemons else busy)
            if not often:
                continue
            second = begin + rng.expovariate(often / seconds)
            while second < begin + seconds:
                happen(world, second)
                second += rng.expovariate(often / seconds)
        for routine in routines:
            while routine.next < begin + seconds and routine.next < routine.end:
                routine.happen(world, routine.next)
                routine.next += routine.interval * (1 + 0.02 * (rng.random() - 0.5))


def fingerprint(rng: random.Random) -> str:
    """A key's fingerprint as SHA256 has it: 43 letters of base64."""
    return "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=43))
