"""Faults of the simulated cloud, for tests and exercises: `python -m simulator.faults add|list|clear`."""

import argparse
import fnmatch
import json
import os
import signal
import time
from collections.abc import Sequence
from typing import Literal, get_args

from simulator.state import CloudError, cloud

Operation = Literal["create", "update", "delete", "read"]
FaultKind = Literal["fail", "throttle", "throttle-on", "slow", "kill-before-commit", "kill-after-commit"]

SLOW_SECONDS = 3.0
RETRY_AFTER = 0.02  # seconds; a real cloud says one or more
COLUMNS = ("operation", "type_pattern", "nth", "kind", "seen")


class ThrottledError(CloudError):
    """The cloud has had too many requests, and answers with status 429: ask again later."""


def schedule_fault(operation: Operation, type_pattern: str, nth: int, kind: FaultKind) -> None:
    """Let the nth operation on a matching type, counted from now, go wrong.

    `fail` refuses it, `throttle` refuses it with status 429, `throttle-on` this and all further ones until the faults
    are cleared, `slow` takes seconds longer, `kill-…` ends engine and provider with SIGKILL just before or after the
    operation is committed. What a provider asks again because it was throttled counts as an operation.
    """
    columns = "operation, type_pattern, nth, kind"
    with cloud() as now:
        now.execute(f"INSERT INTO faults ({columns}) VALUES (?, ?, ?, ?)", operation, type_pattern, nth, kind)  # noqa: S608


def take(operation: Operation, type_: str) -> FaultKind | None:
    """Count an operation for the scheduled faults, and suffer the one that is due, if any.

    Raises CloudError for `fail` and ThrottledError for `throttle…`, waits for `slow`; `kill-…` is left to the caller.
    """
    due: FaultKind | None = None
    with cloud() as now:
        for number, pattern, nth, kind, seen in now.execute(
            "SELECT number, type_pattern, nth, kind, seen FROM faults WHERE operation = ?", operation
        ):
            if fnmatch.fnmatchcase(type_, pattern):
                now.execute("UPDATE faults SET seen = ? WHERE number = ?", seen + 1, number)
                due = kind if seen + 1 == nth or (seen >= nth and kind == "throttle-on") else due
    if due == "fail":
        raise CloudError(f"scheduled fault (simulated): the cloud refuses the {operation} of {type_}")
    if due in ("throttle", "throttle-on"):
        raise ThrottledError(f"scheduled fault (simulated): status 429 ({operation} of {type_})")
    if due == "slow":
        time.sleep(SLOW_SECONDS)
    return due


def kill() -> None:
    """End the engine, this provider's parent, and the provider as `kill -9` does."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.faults", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="let the nth matching operation from now on go wrong")
    add.add_argument("--operation", choices=get_args(Operation), required=True)
    add.add_argument("--type", default="*", help="shell pattern of resource types")
    add.add_argument("--nth", type=int, default=1)
    add.add_argument("--kind", choices=get_args(FaultKind), required=True)
    commands.add_parser("list", help="print the scheduled faults and how many operations each has seen")
    commands.add_parser("clear", help="forget all faults")
    chosen = parser.parse_args(arguments)
    if chosen.command == "add":
        schedule_fault(chosen.operation, chosen.type, chosen.nth, chosen.kind)
    with cloud() as now:
        if chosen.command == "clear":
            now.execute("DELETE FROM faults")
        rows = now.execute(f"SELECT {', '.join(COLUMNS)} FROM faults ORDER BY number")  # noqa: S608 - names of our own
    print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))


if __name__ == "__main__":
    main()
