"""How well the catalogue of messages parses: `python -m benchmarks.ssh_parsing [LOG …]` prints tables.

1. OpenSSH_2k of LogHub, from the folder named by MEDALLION_REAL_DATA, against both of its truths. *Parsing accuracy*
   (PA): the share of messages whose template is that of the truth, text for text (Dai et al., Logram, TSE 2020).
   *Grouping accuracy* (GA): the share of messages whose group — all messages of their event — is a group of the truth
   (Zhu et al., Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019); both as in LogPAI's logparser.
   Where the truths contradict each other, a message counts if it agrees with one. Contents lose trailing blanks, as in
   bronze; the catalogue's events get the templates that LogHub writes for them, a table with one row per event.
2. OpenSSH's own messages, one major version at a time, read by the catalogue as its author would have written it
   without the sources of that version (and, harder, with those of earlier versions alone).
3. Logs from elsewhere, named on the command line: the lines of sshd that the catalogue reads. `--missed` lists the
   others.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import ssh_inventory
from benchmarks.ssh_inventory import VERSIONS, formats, unlisted
from workloads.ssh_logs import messages

AT_LEAST = 0.99
AT_LEAST_ELSEWHERE = 0.95
# LogHub's event for ours.
LOGHUB = {
    "accepted": "E1",
    "connection-closed-preauth": "E2",
    "no-identification": "E3",
    "disconnecting-too-many-preauth": "E4",
    "error-received-disconnect-auth-fail-preauth": "E6",
    "error-received-disconnect-no-more-methods-preauth": "E7",
    "failed-none-invalid-user": "E8",
    "failed-password": "E9",
    "failed-password-invalid-user": "E10",
    "write-failed-reset-preauth": "E11",
    "input-userauth-request-preauth": "E12",
    "invalid-user": "E13",
    "failed-password-repeated": "E14",
    "pam-more-failure": "E15",
    "pam-more-failures": "E16",
    "pam-more-failures-user": "E17",
    "pam-ignoring-max-retries": "E18",
    "pam-authentication-failure": "E19",
    "pam-authentication-failure-user": "E20",
    "pam-check-pass": "E21",
    "pam-session-closed": "E22",
    "pam-session-opened": "E23",
    "received-disconnect-bye-bye-preauth": "E24",
    "received-disconnect-closed-due-to-user-request-preauth": "E25",
    "received-disconnect-disconnected-by-user": "E26",
    "reverse-mapping-failed": "E27",
}
# Grouping and parsing accuracy on this file, as published.
PUBLISHED = {"Drain": (0.789, 0.508), "LogPPT": (0.436, 0.975), "Brain": (1.0, None)}
# Drain's own settings for this file in LogPAI's benchmark.
DRAIN_SIMILARITY, DRAIN_DEPTH = 0.6, 5
DRAIN_MASKS = (r"(\d+\.){3}\d+", r"([\w-]+\.){2,}[\w-]+")


@dataclass(frozen=True)
class Parsed:
    """An event as a parser tells it: its name, and its template as it stands."""

    event: str
    template: str


@dataclass(frozen=True)
class Truth:
    """A truth of LogHub: event and template of every message, and the template of every event."""

    contents: tuple[str, ...]
    labels: tuple[Parsed, ...]

    @classmethod
    def read(cls, path: Path) -> Truth:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        labels = tuple(Parsed(row["EventId"], " ".join(row["EventTemplate"].split())) for row in rows)
        return cls(tuple(row["Content"].rstrip() for row in rows), labels)


def read_message(text: str) -> Parsed | None:
    """What the catalogue makes of a message with its wrappers; none if it lacks it."""
    bare, stage, times = messages.unwrapped(text)
    found = messages.find(bare)
    if found is None:
        return None
    event = found[0].id + stage + "-repeated" * (times is not None)
    template = found[0].template + messages.STAGES[stage]
    return Parsed(event, f"message repeated <*> times: [ {template}]" if times is not None else template)


def by_catalogue(contents: Sequence[str]) -> list[Parsed]:
    """Every content as the catalogue reads it; what it lacks is an event of its own."""
    return [read_message(content) or Parsed(content, content) for content in contents]


def by_drain3(contents: Sequence[str]) -> list[Parsed]:
    """Every content as drain3 reads it, once it has seen them all."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    config.drain_sim_th, config.drain_depth = DRAIN_SIMILARITY, DRAIN_DEPTH
    config.masking_instructions = [MaskingInstruction(pattern, "*") for pattern in DRAIN_MASKS]
    miner = TemplateMiner(config=config)
    clusters = [miner.add_log_message(content)["cluster_id"] for content in contents]
    templates = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    return [Parsed(str(cluster), templates[cluster]) for cluster in clusters]


def grouped(parsed: Sequence[Parsed], truth: Sequence[Parsed]) -> list[bool]:
    """Which messages are in a group that is one of the truth's."""

    def groups(labels: Sequence[Parsed]) -> dict[str, frozenset[int]]:
        members = defaultdict(set)
        for index, label in enumerate(labels):
            members[label.event].add(index)
        return {event: frozenset(indices) for event, indices in members.items()}

    ours, theirs = groups(parsed), groups(truth)
    return [ours[one.event] == theirs[other.event] for one, other in zip(parsed, truth, strict=True)]


def agreeing(parsed: Sequence[Parsed], truth: Sequence[Parsed]) -> list[bool]:
    """Which messages have the truth's template."""
    return [" ".join(one.template.split()) == other.template for one, other in zip(parsed, truth, strict=True)]


def share(right: Iterable[bool]) -> float:
    """The share that is true."""
    values = list(right)
    return sum(values) / len(values)


def as_loghub(parsed: Sequence[Parsed], truth: Truth) -> list[Parsed]:
    """The catalogue's events with the templates that LogHub writes for them."""
    templates = {label.event: label.template for label in truth.labels}
    return [Parsed(one.event, templates.get(LOGHUB.get(one.event, ""), one.template)) for one in parsed]


def loghub_table(folder: Path) -> Table:
    """Accuracies on OpenSSH_2k."""
    names = ("OpenSSH_2k.log_structured.csv", "OpenSSH_2k.log_structured_corrected.csv")
    first, corrected = (Truth.read(folder / name) for name in names)
    table = Table(box=box.SIMPLE_HEAD, title=f"OpenSSH_2k, {len(first.contents):,} messages")
    for column in (
        "parser",
        "GA, 27 templates",
        "GA, corrected",
        "GA, either",
        "PA, 27",
        "PA, corrected",
        "PA, either",
    ):
        table.add_column(column, justify="left" if column == "parser" else "right")

    def row(name: str, groups: Sequence[Parsed], templates: Sequence[Sequence[Parsed]]) -> None:
        scores = [[grouped(groups, truth.labels) for truth in (first, corrected)]]
        scores.append([agreeing(one, truth.labels) for one, truth in zip(templates, (first, corrected), strict=True)])
        cells = []
        for one, other in scores:
            either = share(left or right for left, right in zip(one, other, strict=True))
            cells += [share(one), share(other), either]
        table.add_row(name, *(f"{cell:.4f}" for cell in cells))

    ours = by_catalogue(first.contents)
    row("catalogue", ours, [as_loghub(ours, truth) for truth in (first, corrected)])
    row("catalogue, templates as they stand", ours, [ours, ours])
    drain = by_drain3(first.contents)
    row("drain3, run here", drain, [drain, drain])
    for name, (grouping, parsing) in PUBLISHED.items():
        table.add_row(f"{name}, published", f"{grouping:.3f}", "", "", "" if parsing is None else f"{parsing:.3f}")
    table.caption = f"asked: at least {AT_LEAST} of the catalogue, either truth"
    return table


def versions_table(debug: bool) -> Table:
    """Messages of one major version of OpenSSH, for debugging or the others, read without knowing it."""
    known = list(formats(ssh_inventory.DEBUG if debug else ssh_inventory.OPENSSH))
    said: dict[str, set[int]] = defaultdict(set)
    for one in known:
        said[one.entry] |= one.versions
    readers = {one.text: readers_of(one.message()) for one in known}
    level = "DEBUG1 to DEBUG3" if debug else "INFO or above"
    table = Table(box=box.SIMPLE_HEAD, title=f"OpenSSH's messages at {level}, by the catalogue without that version")
    for column in ("version", "messages", "of it alone", "read", "read from earlier versions only"):
        table.add_column(column, justify="right")
    for version in VERSIONS:
        own = [one for one in known if version in one.versions]
        kept = {entry for entry, versions in said.items() if versions - {version}}
        earlier = {entry for entry, versions in said.items() if min(versions) < version}
        alone = sum(one.versions == {version} for one in own)
        cells = [share(bool(readers[one.text] & entries) for one in own) for entries in (kept, earlier)]
        before = "" if version == VERSIONS[0] else f"{cells[1]:.3f}"
        table.add_row(str(version), str(len(own)), str(alone), f"{cells[0]:.3f}", before)
    table.caption = "entries whose every format is of the version alone are left out."
    if not debug:
        left = sum(1 for _ in unlisted())
        table.caption += f" Asked: at least {AT_LEAST_ELSEWHERE}; {left:,} formats are left to the parser of leftovers."
    return table


def readers_of(text: str) -> set[str]:
    """The entries that match a message, at its level or another."""
    forms = tuple(messages.at_any_level(text))
    return {
        entry.id
        for entry in messages.catalogue()
        if any(messages.compiled(entry.pattern).match(form) for form in forms)
    }


def sshd_messages(path: Path) -> list[str]:
    """The messages of sshd in a log, with their wrappers."""
    import pyarrow as pa

    from workloads.ssh_logs import header

    texts = [raw.decode(errors="replace") for raw in path.read_bytes().split(b"\n")]
    unknown = {"raw": pa.nulls(len(texts), pa.binary()), "not_after": pa.nulls(len(texts), pa.timestamp("us", "UTC"))}
    heads = header.read(pa.record_batch({"text": pa.array(texts, pa.string()), **unknown}), "UTC", 0)
    return heads.filter(heads["is_sshd"])["message"].to_pylist()


def elsewhere_table(logs: Sequence[Path], missed: bool) -> Table:
    """Logs of other versions and hosts."""
    table = Table(box=box.SIMPLE_HEAD, title="Logs from elsewhere: lines of sshd")
    for column in ("log", "lines", "read", "share", "kinds", "kinds read"):
        table.add_column(column, justify="left" if column == "log" else "right")
    for log in logs:
        lines = sshd_messages(log)
        right = [read_message(line) for line in lines]
        lost = Counter(line for line, found in zip(lines, right, strict=True) if found is None)
        read = sum(found is not None for found in right)
        kinds = len({found.event for found in right if found})
        cells = (len(lines), read, f"{read / max(1, len(lines)):.3f}", kinds + len(lost), kinds)
        table.add_row(log.name, *map(str, cells))
        for line, count in lost.items() if missed else ():
            table.add_row(f"  {line}", str(count))
    table.caption = f"asked: at least {AT_LEAST_ELSEWHERE}; a line that is not read stays, under an event `unknown-…`"
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ssh_parsing", description=__doc__.splitlines()[0])
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="a log from elsewhere")
    parser.add_argument("--missed", action="store_true", help="list the lines that the catalogue lacks")
    options = parser.parse_args()
    console = Console()
    if real := os.environ.get("MEDALLION_REAL_DATA"):
        console.print(loghub_table(Path(real) / "openssh"))
    else:
        console.print("OpenSSH_2k is not measured: MEDALLION_REAL_DATA names no folder.")
    console.print(versions_table(debug=False))
    console.print(versions_table(debug=True))
    if options.logs:
        console.print(elsewhere_table(options.logs, options.missed))


if __name__ == "__main__":
    main()
