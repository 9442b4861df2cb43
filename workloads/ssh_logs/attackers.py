"""The campaigns of a sample: which kinds there are, how strong they are, when they run, and what they do.

A campaign's strength is how many tries an hour one of its addresses makes. Its addresses are used by nobody else:
RFC 2544, RFC 5737 and RFC 3849 outside, a corner of RFC 1918 for those who are already inside.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from workloads.ssh_logs.actors import EXISTING, HOUR, NAMES, World
from workloads.ssh_logs.sshd import Connection, Host, Truth, dropped

FAST, SLOW, SPRAYING = "fast-brute-force", "slow-brute-force", "spraying"
ENUMERATION, STUFFING, SCANNING = "enumeration", "stuffing", "scanning"
KINDS = (FAST, SLOW, SPRAYING, ENUMERATION, STUFFING, SCANNING)

# Tries per hour of one address, by kind: those that samples have unless others are wanted …
STRENGTHS: Mapping[str, tuple[float, ...]] = {
    FAST: (18_000.0, 3_600.0, 900.0, 240.0, 90.0),
    SLOW: (30.0, 12.0, 6.0, 2.0, 1.0),
    SPRAYING: (3_600.0, 600.0, 60.0, 6.0, 1.0),
    ENUMERATION: (7_200.0, 1_200.0, 120.0, 12.0, 1.0),
    STUFFING: (3_600.0, 600.0, 60.0, 6.0, 1.0),
    SCANNING: (3_600.0, 300.0, 60.0, 6.0, 1.0),
}
# … and others between and beyond them, for a judgement on what a model was not trained on.
OTHER_STRENGTHS: Mapping[str, tuple[float, ...]] = {
    FAST: (24_000.0, 7_000.0, 1_800.0, 400.0, 150.0),
    SLOW: (20.0, 9.0, 4.0, 1.5, 1.1),
    SPRAYING: (7_000.0, 1_500.0, 200.0, 20.0, 2.5),
    ENUMERATION: (12_000.0, 2_500.0, 400.0, 35.0, 3.0),
    STUFFING: (6_000.0, 1_300.0, 180.0, 18.0, 2.5),
    SCANNING: (7_000.0, 900.0, 120.0, 18.0, 2.5),
}
# From so many tries an hour on, a campaign lasts so many hours, from and to: who is slow has patience.
PATIENCE = ((600.0, (0.05, 0.33)), (60.0, (0.4, 1.5)), (15.0, (1.0, 4.0)), (4.0, (3.0, 8.0)), (0.0, (16.0, 40.0)))
MOST_TRIES = 20_000
FEWEST_TRIES = 6
LINES_PER_TRY = 3.6
WINDOW = 600.0

GUESSED = (
    *("admin", "test", "oracle", "ubuntu", "ftpuser", "guest", "pi", "support", "nagios", "user", "hadoop", "jenkins"),
    *("tomcat", "ftp", "minecraft", "teamspeak", "zabbix", "demo", "student", "odoo", "svn", "vagrant", "webmaster"),
    *("info", "centos", "debian", "mysql", "es", "kafka", "spark", "dev", "Admin", "test1", "user1", "a", "0", "ubnt"),
)
BANNERS = (
    "GET / HTTP/1.1",
    "GET / HTTP/1.0",
    "OPTIONS / RTSP/1.0",
    r"\026\003\001",
    r"\003",
    "MGLNDD_10.1.0.7_22",
    "SSH-2.0",
)
OFFERS = (
    ("key exchange method", "diffie-hellman-group1-sha1"),
    ("host key type", "ssh-dss"),
    ("cipher", "3des-cbc,aes128-cbc"),
    ("MAC", "hmac-md5"),
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """One attack: from `addresses`, each with `tries` tries on `hosts`, `strength` an hour, from `begin` on."""

    number: int
    kind: str
    strength: float
    addresses: tuple[str, ...]
    hosts: tuple[Host, ...]
    tries: int
    begin: float

    @property
    def seconds(self) -> float:
        """About how long it lasts."""
        return self.tries / self.strength * HOUR

    @property
    def lines(self) -> float:
        """About how many lines it has."""
        return self.tries * len(self.addresses) * LINES_PER_TRY

    @property
    def windows(self) -> float:
        """About how many windows of ten minutes its addresses show in."""
        return len(self.addresses) * min(self.tries, self.seconds / WINDOW + 1)


class Planner:
    """Draws campaigns, all kinds in turn and all strengths of each in turn, until there are enough."""

    def __init__(
        self,
        rng: random.Random,
        hosts: Sequence[Host],
        strengths: Mapping[str, Sequence[float]],
        most_windows: float,
    ) -> None:
        self.rng, self.hosts, self.most_windows = rng, hosts, most_windows
        self.cards, self.numbers, self.addresses = _cards(rng, strengths), count(1), Addresses(rng)
        self.drawn: tuple[str, float] | None = None
        self.owed = 0.0  # windows that earlier periods had too few

    def period(
        self, begin: float, seconds: float, lines: float, share: float, density: float
    ) -> tuple[list[Campaign], float]:
        """Campaigns within a period, and how many of the period's `lines` are left for legitimate use.

        `share` is the wanted share of their windows among all; `density` is windows per legitimate line.
        """
        found: list[Campaign] = []
        windows, left = 0.0, lines
        odds = share / (1 - share)
        while share:
            kind, strength = self.drawn or next(self.cards)
            campaign = self._campaign(kind, strength, begin, seconds, max(30.0, lines * 0.03))
            wanted = odds * density * max(0.0, left - campaign.lines) + self.owed
            if windows + campaign.windows / 2 > wanted:
                self.drawn = kind, strength
                self.owed = odds * density * left + self.owed - windows
                break
            self.drawn = None
            found.append(campaign)
            windows, left = windows + campaign.windows, max(0.0, left - campaign.lines)
        return sorted(found, key=lambda campaign: campaign.begin), left

    def _campaign(self, kind: str, strength: float, begin: float, seconds: float, most_lines: float) -> Campaign:
        rng = self.rng
        hours = rng.uniform(*next(hours for least, hours in PATIENCE if strength >= least))
        tries = min(strength * hours, MOST_TRIES, most_lines / LINES_PER_TRY, strength * seconds * 0.9 / HOUR)
        addresses = 1
        if kind == SPRAYING and rng.random() < 0.5:
            addresses = rng.randint(4, 12)
        elif kind == STUFFING and rng.random() < 0.3:
            addresses = rng.randint(2, 4)
        # Who has many addresses asks less of each; nobody takes more than a part of the sample.
        tries /= addresses**0.7
        if self.most_windows < addresses * min(tries, tries / strength * HOUR / WINDOW + 1):
            tries = min(tries, self.most_windows / addresses * max(1.0, strength * WINDOW / HOUR))
        tries = max(FEWEST_TRIES, round(tries))
        hosts = 1 if kind in (FAST, SLOW) else rng.randint(1, len(self.hosts))
        return Campaign(
            number=next(self.numbers),
            kind=kind,
            strength=strength,
            addresses=tuple(self.addresses.draw() for _ in range(addresses)),
            hosts=tuple(rng.sample(self.hosts, hosts)),
            tries=tries,
            begin=begin + rng.uniform(0, max(0.0, seconds - tries / strength * HOUR)),
        )


def _cards(rng: random.Random, strengths: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, float]]:
    """Kind and strength, without end: each round has each kind once, and a kind has all its strengths in turn."""
    decks: dict[str, list[float]] = {kind: [] for kind in strengths}
    while True:
        for kind in rng.sample(sorted(decks), len(decks)):
            if not decks[kind]:
                decks[kind] = rng.sample(strengths[kind], len(strengths[kind]))
            yield kind, decks[kind].pop()


class Addresses:
    """Addresses from which attacks come: none twice before all of its network were used."""

    # Each 254 hosts of so many networks: a share of all, how many networks, and how the address is written.
    NETWORKS = (
        (0.06, 256, lambda net, host: f"10.66.{net}.{host}"),
        (0.10, 65_535, lambda net, host: f"2001:db8:f00d:{net + 1:x}::{host:x}"),
        (0.06, 2, lambda net, host: f"{('198.51.100', '203.0.113')[net]}.{host}"),
        (0.78, 512, lambda net, host: f"198.{18 + net // 256}.{net % 256}.{host}"),
    )
    STRIDE = 7_919  # a prime that divides none of the sizes: steps through all of a network's addresses

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.places = [rng.randrange(nets * 254) for _, nets, _ in self.NETWORKS]
        self.shares = [share for share, _, _ in self.NETWORKS]

    def draw(self) -> str:
        """The next one."""
        (which,) = self.rng.choices(range(len(self.places)), self.shares)
        _, nets, written = self.NETWORKS[which]
        self.places[which] = (self.places[which] + self.STRIDE) % (nets * 254)
        net, host = divmod(self.places[which], 254)
        return written(net, host + 1)


def attack(world: World, campaign: Campaign) -> None:
    """All that is said of a campaign."""
    for number, source in enumerate(campaign.addresses):
        truth = Truth(True, source, campaign.kind, f"c{campaign.number:06}", campaign.strength)
        ATTACKS[campaign.kind](_Attacker(world, campaign, truth, number))


class _Attacker:
    """One address of a campaign at work."""

    def __init__(self, world: World, campaign: Campaign, truth: Truth, number: int) -> None:
        self.world, self.rng, self.campaign, self.truth = world, world.rng, campaign, truth
        self.pause = HOUR / campaign.strength
        self.last = number == len(campaign.addresses) - 1
        self.second = campaign.begin + number * min(self.pause, 60.0) * self.rng.random()
        self.name = ""
        if self.rng.random() < 0.3 and ":" not in truth.source:
            self.name = f"host-{truth.source.replace('.', '-')}.example.net"
        self.unverified = bool(self.name) and self.rng.random() < 0.5

    def connect(self, tries: int = 1) -> Connection:
        """The next connection, on which there will be so many tries."""
        hosts, begin = self.campaign.hosts, self.second
        host = hosts[int(self.rng.random() * len(hosts))]
        self.second += self.pause * tries * (0.5 + self.rng.random())
        connection = self.world.connect(host, begin, self.truth.source, self.truth, self.name)
        if self.unverified:
            connection.reverse_mapping()
        return connection

    def guess(self, user: str, tries: int = 1) -> Connection:
        """Some wrong passwords for a user on one connection, which ends in one of the usual ways."""
        connection, exists = self.connect(tries), user in EXISTING
        connection.password(user, exists, tries, min(2.0, self.pause * 0.6))
        way = self.rng.random()
        if tries > 4:
            connection.too_many(user, exists)
        elif way < 0.6:
            connection.bye(user, exists)
        else:
            connection.closed(user, exists, "reset" if way > 0.95 else "closed")
        return connection


def fast_brute_force(attacker: _Attacker) -> None:
    """Passwords for one account or two, up to six on a connection."""
    rng, left = attacker.rng, attacker.campaign.tries
    users = ("root", rng.choice(("root", "admin", *NAMES)))
    at_once = rng.choice((1, 1, 3, 6))
    while left:
        tries = min(at_once, left)
        left -= tries
        connection = attacker.guess(rng.choice(users), tries)
        if connection.host.version >= 98 and rng.random() < 0.2:
            second, port = connection.second + 0.2, connection.port + 1
            dropped(connection.out, connection.host, second, connection.address, port, 9, attacker.truth)


def slow_brute_force(attacker: _Attacker) -> None:
    """A password now and then for one account, or for two or three."""
    rng = attacker.rng
    users = rng.sample(("root", "root", "git", "postgres", "admin", *NAMES[:6]), rng.randint(1, 3))
    for _ in range(attacker.campaign.tries):
        attacker.guess(rng.choice(users))


def spraying(attacker: _Attacker) -> None:
    """One password or a few, for user after user of those that are known to exist, or likely to."""
    people = [person.name for person in attacker.world.people]
    users = attacker.rng.sample([*people[:200], *GUESSED[:12]], min(len(people), 200))
    for number in range(attacker.campaign.tries):
        attacker.guess(users[number % len(users)])


def enumeration(attacker: _Attacker) -> None:
    """Name after name, most of them unknown; some look at the answer only and give no password."""
    rng = attacker.rng
    looks_only = rng.random() < 0.3
    for number in range(attacker.campaign.tries):
        user = rng.choice(GUESSED) + (str(rng.randrange(100)) if number > len(GUESSED) else "")
        if looks_only:
            connection, unknown = attacker.connect(), user if user not in EXISTING else f"{user}1"
            connection.unknown(unknown, tries=1)
            connection.closed(unknown, False)
        else:
            attacker.guess(user)


def stuffing(attacker: _Attacker) -> None:
    """Pairs of user and password from a list, each once; the last pair of the last address is right."""
    rng, people = attacker.rng, attacker.world.people
    for _ in range(attacker.campaign.tries - attacker.last):
        known = rng.random() < 0.25
        attacker.guess(rng.choice(people).name if known else f"{rng.choice(NAMES)}.{rng.choice(GUESSED)}")
    if attacker.last:
        person, connection = rng.choice(people), attacker.connect()
        connection.second += 0.8
        connection.accepted(person.name, person.uid, "password")
        connection.second += rng.uniform(5, 900)
        connection.left(person.name)


def scanning(attacker: _Attacker) -> None:
    """Connections without a login: who is there, which version, which algorithms."""
    rng = attacker.rng
    habit = rng.randrange(5)
    for _ in range(attacker.campaign.tries):
        connection = attacker.connect()
        way = habit if rng.random() < 0.7 else rng.randrange(5)
        if way == 0:
            connection.silent()
        elif way == 1:
            connection.babble(rng.choice(BANNERS))
        elif way == 2:
            connection.no_agreement(*rng.choice(OFFERS))
        elif way == 3 and attacker.pause > 1:
            connection.timed_out()
        else:
            connection.gone("reset" if rng.random() < 0.2 else "closed")


ATTACKS: Mapping[str, Callable[[_Attacker], None]] = {
    FAST: fast_brute_force,
    SLOW: slow_brute_force,
    SPRAYING: spraying,
    ENUMERATION: enumeration,
    STUFFING: stuffing,
    SCANNING: scanning,
}
