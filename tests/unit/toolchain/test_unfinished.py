"""What is said last of an operation that failed: which resources, and what to do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import deleted_vaults, stack
from toolchain.engine import Engine
from toolchain.errors import UserError
from toolchain.unfinished import explanation, failures

Script = Callable[[str, str], Path]

ACCOUNT = "urn:pulumi:dev::medallion::medallion:components:DataLake$azure-native:storage:StorageAccount::lake"
JOB = "urn:pulumi:dev::medallion::databricks:index/job:Job::job-ssh-logs"
THROTTLED = 'Status=429 Code="TooManyRequests"'
REFUSED = "Status=403: AuthorizationFailed"


def said(urn: str | None, message: str, severity: str = "error") -> str:
    return json.dumps({"diagnosticEvent": {"urn": urn, "message": message, "severity": severity}})


def failed(urn: str) -> str:
    return json.dumps({"resOpFailedEvent": {"metadata": {"op": "create", "urn": urn}}})


def summary(**counts: int) -> str:
    return json.dumps({"summaryEvent": {"resourceChanges": counts}})


def test_what_failed_is_told_from_what_was_cut_off() -> None:
    cut_off = said(JOB, "failed to run remediation: context canceled")
    events = [
        said(ACCOUNT, "a warning", "warning"),
        said(ACCOUNT, REFUSED),
        failed(ACCOUNT),
        cut_off,
        summary(create=1),
    ]
    assert failures(events) == {"azure-native:storage:StorageAccount lake": REFUSED}


@pytest.mark.parametrize(
    ("failed", "counts", "expected"),
    [
        (
            {"A a": REFUSED},
            {"create": 3},
            "stack dev is not finished, for A a failed; put right what it says above, then `make up STACK=dev` goes on",
        ),
        (
            {"B b": "Current request has to be retried", "A a": THROTTLED},
            {"create": 3},
            "stack dev is not finished, for A a, B b failed; the cloud had too many requests: wait some minutes,"
            " then `make up STACK=dev` goes on",
        ),
        (
            {"A a": THROTTLED, "B b": REFUSED},
            {"create": 3},
            "stack dev is not finished, for A a, B b failed; put right what it says above,"
            " then `make up STACK=dev` goes on",
        ),
        ({}, {"same": 1}, "stack dev is as it was: put right what is said above, then `make up STACK=dev`"),
        ({}, {"same": 1, "create": 1}, None),
        ({}, None, None),
    ],
)
def test_the_last_line_says_what_to_do(
    failed: dict[str, str], counts: dict[str, int] | None, expected: str | None
) -> None:
    assert explanation("dev", "make up STACK=dev", failed, counts) == expected


def fails(target: Engine, script: Script, action: str, *events: str) -> str:
    """What is said last where the engine fails after these events."""
    lines = " ".join(f"'{event}'" for event in events)
    script("pulumi", f"for log; do :; done; shift $(($# - 3)); printf '%s\\n' {lines} > \"$1\"; exit 255")
    with pytest.raises(UserError) as raised:
        stack.operate(target, stack.parser().parse_args([action]), lambda _: None)
    return str(raised.value)


@pytest.mark.parametrize("action", ["up", "down"])
def test_the_command_ends_with_that_line(simulated_stack: Engine, script: Script, action: str) -> None:
    assert fails(simulated_stack, script, action, said(JOB, REFUSED), failed(JOB), summary(create=1)) == (
        "stack local is not finished, for databricks:index/job:Job job-ssh-logs failed; put right what it says above,"
        f" then `make {action} STACK=local` goes on"
    )


def test_so_it_does_for_azure(
    simulated_stack: Engine, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted_vaults, "told", lambda target: target)
    target = replace(simulated_stack, stack="dev", cloud="azure", home=tmp_path / "not yet there")
    assert fails(target, script, "up", said(None, "no such setting"), summary(same=1)) == (
        "stack dev is as it was: put right what is said above, then `make up STACK=dev CLOUD=azure`"
    )
    script("pulumi", "kill -9 $$")
    with pytest.raises(UserError, match=r"signal 9; `make recover STACK=dev CLOUD=azure` puts right what that left"):
        stack.operate(target, stack.parser().parse_args(["up"]), lambda _: None)
