"""Faults of the simulated cloud, for tests and exercises: `python -m simulator.faults add|list|clear`."""

import argparse
import json
import os
import signal
import time
from collections.abc import Sequence
from typing import get_args

from simulator.state import CloudError, FaultKind, Operation, cloud, schedule_fault

SLOW_SECONDS = 3.0


def take(operation: Operation, type_: str) -> FaultKind | None:
    """Count an operation for the scheduled faults, and suffer the one that is due, if any.

    Raises CloudError for `fail` and `throttle`, waits for `slow`; the `kill-…` kinds are left to the caller.
    """
    with cloud() as now:
        due = now.take_fault(operation, type_)
    if due == "fail":
        raise CloudError(f"scheduled fault (simulated): the {operation} of {type_} failed with status 500")
    if due == "throttle":
        raise CloudError(f'scheduled fault (simulated): Status=429 Code="TooManyRequests" ({operation} of {type_})')
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
            now.clear_faults()
        print(json.dumps(now.faults(), indent=2))


if __name__ == "__main__":
    main()
