"""The sample log."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from workloads.ssh_logs.generate import generate


@pytest.mark.parametrize("lines", [0, 1, 2_000])
def test_it_has_the_length_that_was_asked_for(lines: int) -> None:
    assert len(list(generate(lines, seed=1))) == lines


def test_the_same_seed_gives_the_same_lines_and_another_seed_others() -> None:
    assert list(generate(500, seed=3)) == list(generate(500, seed=3))
    assert list(generate(500, seed=3)) != list(generate(500, seed=4))


def test_it_streams() -> None:
    assert len(list(islice(generate(10**12, seed=1), 5))) == 5


def test_a_sample_holds_every_kind_and_its_truth_names_sources() -> None:
    sample = list(generate(20_000, seed=1))
    kinds = Counter(truth.kind for _, truth in sample)
    assert set(kinds) == {"work", "other-daemon", "scan", "brute-force", "enumeration", "slow-brute-force", "damaged"}
    assert all(
        truth.source in line
        for line, truth in sample
        if truth.source and "check pass" not in line and "session" not in line
    )
    attacks = {truth.source for _, truth in sample if truth.is_attack}
    legitimate = {truth.source for _, truth in sample if not truth.is_attack}
    assert attacks
    assert not attacks & legitimate


def test_lines_are_in_order_of_time() -> None:
    stamps = [line[:15] for line, truth in generate(3_000, seed=2) if truth.kind != "damaged"]
    days = [(stamp[:3], int(stamp[4:6]), stamp[7:]) for stamp in stamps]
    assert days == sorted(days)
