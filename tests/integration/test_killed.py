"""Killed at a point, then run again: a sample of what `benchmarks/kill_up.py` and `kill_job.py` enumerate."""

import functools

import pytest

from benchmarks import kill_job, kill_up

CREATES = [
    ("local", 1, "kill-before-commit"),
    # protected, private, with locks
    ("prod", 100, "kill-after-commit"),
]
SHARE_OF_WRITES = 0.65  # about where the model is


@pytest.fixture(scope="module")
def undisturbed():
    return functools.cache(kill_up.undisturbed)


@pytest.mark.engine
@pytest.mark.parametrize(("stack", "number", "kind"), CREATES)
def test_an_up_after_a_killed_one_ends_in_the_same_state(undisturbed, stack, number, kind):
    expected, creates = undisturbed(stack)
    assert creates >= number
    found, was_killed = kill_up.killed(stack, number, kind)
    assert was_killed
    assert kill_up.difference(expected, found) == ""


@pytest.mark.engine
@pytest.mark.spark
@pytest.mark.timeout(2700)
def test_a_repair_after_a_killed_job_gives_equal_tables_exports_and_models(tmp_path):
    at = kill_job.prepare(tmp_path, "ssh-logs")
    at.snapshot(tmp_path / "snapshot")
    names = kill_job.writes(at, ["run", "ssh-logs"], tmp_path / "writes")
    expected = kill_job.outcome(at)
    assert expected["models"] == {"ssh-anomaly-model": {"versions": 1, "aliases": {"champion": 1}}}
    number = round(SHARE_OF_WRITES * len(names))
    point, run, repair = f"before:{number}", ["run", "ssh-logs"], ["repair", "ssh-logs"]
    found, was_killed = kill_job.killed(at, run, tmp_path / "snapshot", point, repair)
    assert was_killed, names[number - 1]
    assert kill_job.difference(expected, found) == "", names[number - 1]
