"""What analysts say of addresses: verdicts on windows, which become labels, and addresses that are never flagged.

It comes as CSV files in a folder of the lake, which `medallion feedback` uploads. A later line on the same address and
window takes the place of an earlier one: by its time `given_at` (a line without one comes first), then by file and
line.
"""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.lakehouse import tracking
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.ssh_logs.spec import WORKLOAD

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("address", "window_start", "verdict", "reason", "given_at")
ATTACK, BENIGN, ALLOW, WITHDRAWN = "attack", "benign", "allow", "withdrawn"
VERDICTS = (ATTACK, BENIGN, ALLOW, WITHDRAWN)
WINDOW = timedelta(minutes=10)
NEVER = datetime.min.replace(tzinfo=UTC)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Said:
    """One line of feedback. Without a window it is about all windows of the address; `allow` takes networks, too."""

    address: str
    window_start: datetime | None
    verdict: str
    reason: str
    given_at: datetime | None


@dataclass(frozen=True)
class Feedback:
    """What holds: verdicts by address and window (None: all), and networks and names that are allowed, with reasons."""

    verdicts: Mapping[tuple[str, datetime | None], bool]
    networks: tuple[tuple[Network, str], ...]
    names: Mapping[str, str]

    def is_attack(self, address: str, window_start: datetime) -> bool | None:
        """What an analyst said of a window: of itself, else of all of its address; None where nobody said anything."""
        return self.verdicts.get((address, window_start), self.verdicts.get((address, None)))

    def labels(self, rows: pd.DataFrame) -> list[bool | None]:
        """`is_attack` of each row; its times are without a zone and UTC, as Spark gives them to pandas."""
        starts = rows["window_start"].dt.tz_localize(UTC)
        return [self.is_attack(address, start) for address, start in zip(rows["source_address"], starts, strict=True)]

    def allowed(self, address: str) -> str | None:
        """Why an address is never flagged, or None: the smallest allowed network that holds it gives the reason."""
        if address in self.names:
            return self.names[address]
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return None
        mapped = getattr(known, "ipv4_mapped", None) or known
        holding = [(net, why) for net, why in self.networks if net.version == mapped.version and mapped in net]
        return max(holding, key=lambda one: one[0].prefixlen)[1] if holding else None


def read(lake: Lake) -> Feedback:
    """The feedback in the lake. Raises TaskError, naming file and line, for what cannot be understood."""
    return settled([said for file in _files(lake) for said in parse(_text(file), file.name)])


def fingerprint(lake: Lake) -> str:
    """What tells one state of the feedback in the lake from another."""
    return tracking.fingerprint(*(part for file in _files(lake) for part in (file.name, file.read_bytes())))


def _files(lake: Lake) -> list[Path]:
    folder = lake.path(WORKLOAD.feedback_path)
    return sorted(folder.rglob("*.csv")) if folder.is_dir() else []


def parse(text: str, source: str) -> list[Said]:
    """The lines of a feedback file. Raises TaskError, naming source and line, for what cannot be understood."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        if missing := [name for name in COLUMNS[:3] if name not in (rows.fieldnames or ())]:
            raise TaskError(f"{source}: there is no column {missing[0]!r}; it takes {', '.join(COLUMNS)}")
        for row in rows:
            found.append(_said(row, f"{source}, line {rows.line_num}"))
    except csv.Error as error:
        raise TaskError(f"{source}, line {rows.line_num}: {error}") from None
    return found


def settled(lines: Iterable[Said]) -> Feedback:
    """What holds after all of these lines, which come in order of file and line."""
    last: dict[tuple[str, datetime | None, bool], Said] = {}
    for said in sorted(lines, key=lambda one: one.given_at or NEVER):
        # What is withdrawn is both the verdict and the allowance.
        for about_allowance in (False, True) if said.verdict == WITHDRAWN else (said.verdict == ALLOW,):
            last[said.address, said.window_start, about_allowance] = said
    held = [said for said in last.values() if said.verdict != WITHDRAWN]
    verdicts = {(s.address, s.window_start): s.verdict == ATTACK for s in held if s.verdict in (ATTACK, BENIGN)}
    networks, names = [], {}
    for said in held:
        if said.verdict == ALLOW:
            try:
                networks.append((ipaddress.ip_network(said.address), said.reason))
            except ValueError:
                names[said.address] = said.reason
    return Feedback(verdicts, tuple(sorted(networks, key=str)), names)


def _said(row: Mapping[str, str | None], place: str) -> Said:
    verdict = (row["verdict"] or "").strip()
    if verdict not in VERDICTS:
        raise TaskError(f"{place}: a verdict is {', '.join(VERDICTS)}, not {verdict!r}")
    window = (row["window_start"] or "").strip()
    return Said(
        address=_address(row["address"], verdict, place),
        window_start=_window(window, verdict, place) if window else None,
        verdict=verdict,
        reason=(row.get("reason") or "").strip(),
        given_at=_moment(given, place) if (given := (row.get("given_at") or "").strip()) else None,
    )


def _address(text: str | None, verdict: str, place: str) -> str:
    """An address as logs write it; a network is put into its usual form."""
    given = (text or "").strip()
    if not given or any(character.isspace() for character in given):
        raise TaskError(f"{place}: {given!r} is no address")
    try:
        if "/" not in given:
            return str(ipaddress.ip_address(given))
        network = str(ipaddress.ip_network(given))
    except ValueError as error:
        if "/" not in given:
            return given  # the name of a host
        raise TaskError(f"{place}: {error}") from None
    if verdict not in (ALLOW, WITHDRAWN):
        raise TaskError(f"{place}: {given!r} is no address; only {ALLOW!r} takes a network")
    return network


def _window(text: str, verdict: str, place: str) -> datetime:
    if verdict == ALLOW:
        raise TaskError(f"{place}: {ALLOW!r} is about an address at any time: leave window_start empty")
    moment = _moment(text, place)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // WINDOW * WINDOW


def _moment(text: str, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise TaskError(f"{place}: {text!r} is no time in ISO 8601") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{file.name} is no UTF-8: {error}") from None
