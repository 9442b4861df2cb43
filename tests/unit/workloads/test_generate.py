"""The sample log: the same for the same seed, in order, with what its mix says, and a truth that its lines bear out."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.ssh_logs.generate import KINDS, OTHER_STRENGTHS, STRENGTHS, VERSION, Mix, Truth, generate, write
from workloads.ssh_logs.messages import find

LINE = re.compile(
    r"(?:(?P<bsd>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d)|(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d))"
    r" (?P<host>[\w-]+) (?P<process>[\w/.-]+)(?:\(pam_unix\))?(?:\[(?P<pid>\d+)\])?: (?P<message>.*)"
)
VERDICT = re.compile(r"(?:message repeated (\d+) times: \[ )?(Failed|Accepted) \S+ for ")
LEGITIMATE = {
    *("work", "forgotten-password", "mistyped-name", "travel"),
    *("automation", "failing-job", "health-check", "other-daemon", "damaged"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SAMPLE = 20_000


@pytest.fixture(scope="module")
def sample() -> list[tuple[str, Truth]]:
    return list(generate(SAMPLE, seed=1))


@pytest.fixture(scope="module")
def larger() -> list[tuple[str, Truth]]:
    return list(generate(40_000, seed=9))


def moment(line: re.Match, year: int = 2026) -> datetime:
    """When a line says that it was said; BSD stamps are UTC."""
    if line["iso"]:
        return datetime.fromisoformat(line["iso"]).astimezone(UTC).replace(microsecond=0)
    month, day, time = line["bsd"].split()
    return datetime.fromisoformat(f"{year}-{MONTHS.index(month) + 1:02}-{day:0>2}T{time}+00:00")


def windows(sample: Iterable[tuple[str, Truth]]) -> dict[tuple[str, int], bool]:
    """Address and ten minutes → whether there is an attack in them. A damaged line stands at the time before it."""
    found: dict[tuple[str, int], bool] = defaultdict(bool)
    for line, truth in sample:
        if truth.source:
            at = int(moment(LINE.fullmatch(line)).timestamp()) // 600
            found[truth.source, at] |= truth.is_attack
    return found


@pytest.mark.parametrize("lines", [0, 1, 2_000])
def test_it_has_the_length_that_was_asked_for(lines: int) -> None:
    assert len(list(generate(lines, seed=1))) == lines


def test_the_same_seed_gives_the_same_lines_and_another_seed_others() -> None:
    assert list(generate(500, seed=3)) == list(generate(500, seed=3))
    assert list(generate(500, seed=3)) != list(generate(500, seed=4))


def test_the_bytes_are_those_of_this_version() -> None:
    """Another digest, on any machine, asks for another version: holdouts are known by it."""
    digest = hashlib.sha256()
    for line, truth in generate(3_000, seed=7):
        digest.update(f"{line}|{truth}\n".encode(errors="surrogateescape"))
    assert (VERSION, digest.hexdigest()[:16]) == (2, "bccba4108024584a")


def test_it_streams() -> None:
    assert len(list(islice(generate(10**12, seed=1), 5))) == 5


def test_every_line_has_a_header_unless_it_is_damaged(sample) -> None:
    whole = [(line, truth) for line, truth in sample if truth.kind != "damaged"]
    assert [line for line, _ in whole if not LINE.fullmatch(line)] == []
    assert 5 <= SAMPLE - len(whole) <= 50
    read = [LINE.fullmatch(line) for line, _ in whole]
    assert len({line["host"] for line in read}) == 10
    assert {"sshd", "sshd-session", "CRON", "systemd", "kernel", "sudo"} <= {line["process"] for line in read}
    assert any(line["iso"] for line in read)
    assert any(line["bsd"] for line in read)
    assert any("message repeated" in line["message"] for line in read)
    assert any("(pam_unix)" in line for line, _ in whole)


def test_lines_are_in_order_of_time(sample) -> None:
    times = [moment(found) for line, truth in sample if truth.kind != "damaged" and (found := LINE.fullmatch(line))]
    assert times == sorted(times)
    assert times[0].isoformat() >= "2026-03-02T06:00:00+00:00"


def test_a_sample_holds_every_kind_and_the_truth_names_the_source(sample) -> None:
    kinds = Counter(truth.kind for _, truth in sample)
    assert set(kinds) == LEGITIMATE | set(KINDS)
    for line, truth in sample:
        assert truth.is_attack == (truth.kind in KINDS) == bool(truth.campaign) == bool(truth.strength)
        if not truth.source:
            assert truth.kind in {"other-daemon", "damaged"}
        elif "Failed" in line or "Accepted" in line or " port " in line:
            assert truth.source in line or "error: connect_to" in line
    attacks = {truth.source for _, truth in sample if truth.is_attack}
    assert not attacks & {truth.source for _, truth in sample if not truth.is_attack}


def test_the_small_sample_has_attackers_of_every_kind() -> None:
    campaigns = {(truth.kind, truth.campaign) for _, truth in generate(10_000, seed=7) if truth.is_attack}
    assert {kind for kind, _ in campaigns} == set(KINDS)


def test_attacks_have_about_the_share_of_windows_that_was_asked_for(larger) -> None:
    for share, lines in (
        (Mix().attack_share, larger),
        (0.01, generate(60_000, 12, Mix(0.01))),
        (0.2, generate(10_000, 13, Mix(0.2))),
    ):
        found = windows(lines)
        assert sum(found.values()) / len(found) == pytest.approx(share, rel=0.25)


@settings(max_examples=20, derandomize=True)
@given(lines=st.integers(0, 400), seed=st.integers(), share=st.floats(0, 0.95), days=st.floats(0.01, 40))
def test_any_mix_gives_its_lines_in_order(lines: int, seed: int, share: float, days: float) -> None:
    sample = list(generate(lines, seed, Mix(share, days=days)))
    assert len(sample) == lines
    times = [moment(LINE.fullmatch(line)) for line, truth in sample if truth.kind != "damaged"]
    assert times == sorted(times)


def test_the_catalogue_knows_what_the_hosts_say(sample) -> None:
    said = {
        re.sub(r"\d+", "2", line["message"].removesuffix(" [preauth]").rstrip())
        for text, truth in sample
        if truth.kind != "damaged" and (line := LINE.fullmatch(text))["process"] in {"sshd", "sshd-session"}
        if not line["message"].startswith("message repeated")
    }
    assert len(said) > 500
    assert [message for message in said if not find(message)] == []


def test_without_attacks_there_are_none() -> None:
    assert not any(truth.is_attack for _, truth in generate(5_000, 1, Mix(attack_share=0)))


@pytest.mark.parametrize("strengths", [STRENGTHS, OTHER_STRENGTHS])
def test_every_kind_comes_at_every_strength(strengths) -> None:
    found = {(truth.kind, truth.strength) for _, truth in generate(60_000, 5, Mix(0.5, strengths, days=7))}
    assert found - {(kind, 0.0) for kind in LEGITIMATE} == {(kind, one) for kind in KINDS for one in strengths[kind]}


def test_strengths_for_judging_are_not_those_for_training() -> None:
    assert set(OTHER_STRENGTHS) == set(STRENGTHS) == set(KINDS)
    assert not any(set(OTHER_STRENGTHS[kind]) & set(STRENGTHS[kind]) for kind in KINDS)


def test_only_the_kinds_that_were_asked_for() -> None:
    found = {(truth.kind, truth.strength) for _, truth in generate(5_000, 1, Mix(strengths={"scanning": (30.0,)}))}
    assert {one for one in found if one[1]} == {("scanning", 30.0)}


@pytest.mark.parametrize(
    "wrong", [{"attack_share": 1.0}, {"attack_share": -0.1}, {"strengths": {"sleeping": (1.0,)}}, {"days": 0.0}]
)
def test_a_mix_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"attack_share|sleeping|days"):
        Mix(**wrong)


def test_a_leap_day_and_a_new_year_are_crossed() -> None:
    for start, days in ((datetime(2024, 2, 28), ["Feb 28", "Feb 29", "Mar  1"]), (datetime(2025, 12, 31), ["Dec 31"])):
        lines = [line for line, truth in generate(4_000, 3, Mix(days=2.5, start=start)) if truth.kind != "damaged"]
        seen = list(dict.fromkeys(line[:6] for line in lines if not line[0].isdigit()))
        assert seen[: len(days)] == days
    assert "Jan  1" in seen


def test_an_attack_once_an_hour_lasts_for_most_of_a_day() -> None:
    mix = Mix(0.05, {"slow-brute-force": (1.0,)}, days=7)
    times = [moment(LINE.fullmatch(line)) for line, truth in generate(30_000, 2, mix) if truth.campaign == "c000001"]
    assert (times[-1] - times[0]).total_seconds() > 12 * 3_600


def test_a_failing_job_is_no_attack_and_fails_for_days(larger) -> None:
    lines = [(line, truth) for line, truth in larger if truth.kind == "failing-job"]
    assert not any(truth.is_attack for _, truth in lines)
    assert not any("Accepted" in line for line, _ in lines)
    longest = max(
        (times[-1] - times[0]).total_seconds()
        for source in {truth.source for _, truth in lines}
        if (times := [moment(LINE.fullmatch(line)) for line, truth in lines if truth.source == source])
    )
    assert longest > 2 * 86_400


def test_what_is_written_is_what_is_generated(tmp_path: Path) -> None:
    log, by_line, _ = write(tmp_path, lines=12_000, seed=3)
    expected = list(generate(12_000, seed=3))
    assert log.read_bytes() == "".join(f"{line}\n" for line, _ in expected).encode(errors="surrogateescape")
    with by_line.open() as table:
        rows = list(csv.DictReader(table))
    assert [int(row["line"]) for row in rows] == list(range(1, 12_001))
    told = [(row["is_attack"] == "true", row["source"], row["kind"], row["campaign"], row["strength"]) for row in rows]
    assert told == [(*truth[:4], f"{truth.strength:g}") for _, truth in expected]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "auth.csv",
        "auth.log",
        "campaigns.csv",
    ]


def test_campaigns_are_what_their_lines_say(tmp_path: Path, larger) -> None:
    _, _, table = write(tmp_path, lines=40_000, seed=9)
    lines: dict[str, list[tuple[re.Match, Truth]]] = defaultdict(list)
    for line, truth in larger:
        if truth.is_attack:
            lines[truth.campaign].append((LINE.fullmatch(line), truth))
    with table.open() as text:
        rows = list(csv.DictReader(text))
    assert [row["campaign"] for row in rows] == sorted(lines)
    for row in rows:
        said = lines[row["campaign"]]
        assert {(row["kind"], float(row["strength"]))} == {(truth.kind, truth.strength) for _, truth in said}
        assert row["addresses"].split() == sorted({truth.source for _, truth in said})
        assert row["hosts"].split() == sorted({line["host"] for line, _ in said})
        assert datetime.fromisoformat(row["start"]) == moment(said[0][0])
        assert datetime.fromisoformat(row["end"]) == moment(said[-1][0])
        assert int(row["lines"]) == len(said)
        verdicts = [found for line, _ in said if (found := VERDICT.match(line["message"]))]
        assert int(row["successes"]) == sum(found[2] == "Accepted" for found in verdicts)
        tries = sum(int(found[1] or 1) for found in verdicts)
        if row["kind"] == "scanning":
            assert tries == 0 < int(row["tries"]) <= len(said)
        elif tries or row["kind"] != "enumeration":
            assert int(row["tries"]) == tries
        else:
            assert int(row["tries"]) == sum("Invalid user" in line["message"] for line, _ in said)
    assert any(row["successes"] == "1" for row in rows if row["kind"] == "stuffing")
    assert all(row["successes"] == "0" for row in rows if row["kind"] != "stuffing")
    assert any(len(row["addresses"].split()) > 3 for row in rows if row["kind"] == "spraying")
    assert any(len(row["hosts"].split()) > 1 for row in rows)
