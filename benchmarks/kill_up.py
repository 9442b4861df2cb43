"""Kills `up` before and after creates, and ups again: `python -m benchmarks.kill_up [--stack S]` prints a table.

With `--parallel 1`, the simulated provider kills the engine and itself with signal 9 just before, or just after, it
commits the n-th create. The next `up` must end in the same state as an undisturbed one, in the stack and in the
simulated cloud. Times aside; ids are the same, for the simulated cloud derives them from names.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.platform import Platform, without
from simulator.state import cloud

KINDS = ("kill-before-commit", "kill-after-commit")
VOLATILE = {
    "created": "time",
    "modified": "time",
    "createdAt": "time",
    "updatedAt": "time",
    "modificationTime": "time",
    "createMode": "how a vault came to be: new, or had back after it was deleted",
    "importID": "says that a pending create was taken over",
    "ciphertext": "differs at each encryption of the same secret",
}


@contextmanager
def platform(stack: str) -> Iterator[Platform]:
    """A platform that goes away with the block."""
    with tempfile.TemporaryDirectory(prefix="medallion-") as folder:
        yield Platform(Path(folder).resolve() / "home", stack=stack)


def outcome(at: Platform) -> dict[str, Any]:
    """What an `up` led to: the stack's state and the simulated cloud, without what may differ.

    Paths of the state folder are replaced by a word, for each platform has a folder of its own.
    """
    with cloud(at.home) as now:
        there = [[item.key, item.type, item.id, item.parent, item.inputs, item.computed] for item in now.find()]
    state = {"stack": [_comparable(resource) for resource in at.resources()], "cloud": there}
    return _relocated(without(state, VOLATILE), str(at.home))


def _comparable(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource of the state without what the engine chooses: order of dependencies, ids of providers."""
    changes: dict[str, Any] = {"dependencies": sorted(resource.get("dependencies", []))}
    changes["propertyDependencies"] = {
        name: sorted(urns or []) for name, urns in resource.get("propertyDependencies", {}).items()
    }
    if "provider" in resource:
        changes["provider"] = resource["provider"].rpartition("::")[0]
    if resource["type"].startswith("pulumi:providers:"):
        changes["id"] = "chosen by the engine"
    return resource | changes


def killed(stack: str, number: int, kind: str) -> tuple[dict[str, Any], bool]:
    """The outcome after an `up` killed at that create and the next `up`; and whether the first was killed indeed."""
    with platform(stack) as at:
        at.succeed("simulator.faults", "add", "--operation", "create", "--nth", str(number), "--kind", kind)
        first = at.call("toolchain.stack", "up", "--stack", stack, "--parallel", "1")
        at.succeed("simulator.faults", "clear")
        at.up()
        return outcome(at), first.returncode != 0


def undisturbed(stack: str) -> tuple[dict[str, Any], int]:
    """The outcome of an `up` that nothing disturbs, and how many creates it takes."""
    with platform(stack) as at:
        at.up("--parallel", "1")
        result = outcome(at)
        return result, sum(1 for item in result["stack"] if item["custom"] and ":providers:" not in item["type"])


def difference(expected: Any, found: Any, path: str = "") -> str:
    """The first place where two outcomes differ, or an empty text."""
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(f"{path}.{key}", expected.get(key), found.get(key)) for key in sorted({*expected, *found})]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(expected, found, strict=True))]
    else:
        return "" if expected == found else f"{path}: {str(expected)[:80]} ≠ {str(found)[:80]}"
    return next((text for step, left, right in pairs if (text := difference(left, right, step))), "")


def spread(creates: int, points: int) -> list[int]:
    """So many of the creates 1 … `creates`, evenly, the first and the last among them; all where there are fewer."""
    count = min(points, creates)
    return sorted({1 + round(i * (creates - 1) / max(1, count - 1)) for i in range(count)})


def main() -> None:
    """Kill at each point, two at a time; print each as it ends, and then what came of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local", help="the stack (default: local)")
    parser.add_argument("--points", type=int, help="so many of the creates, spread evenly (default: every one)")
    options = parser.parse_args()
    console = Console()
    expected, creates = undisturbed(options.stack)
    numbers = spread(creates, options.points or creates)

    def follow(point: tuple[int, str]) -> tuple[str, bool, str]:
        number, kind = point
        found, was_killed = killed(options.stack, number, kind)
        text = difference(expected, found)
        console.print(f"create {number}, {kind}: {text or 'same state'}", highlight=False)
        return kind, was_killed, text

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(follow, [(number, kind) for number in numbers for kind in KINDS]))
    title = f"`up` of {options.stack} killed at {len(numbers)} of {creates} creates, then `up` again"
    table = Table(box=box.SIMPLE_HEAD, title=title)
    for column in ("killed", "points", "was killed", "same state"):
        table.add_column(column, justify="left" if column == "killed" else "right")
    for kind in KINDS:
        mine = [(was, text) for of, was, text in results if of == kind]
        same = sum(1 for _, text in mine if not text)
        table.add_row(kind, str(len(mine)), str(sum(1 for was, _ in mine if was)), str(same))
    console.print(table)
    raise SystemExit(any(text or not was for _, was, text in results))


def _relocated(document: Any, home: str) -> Any:
    if isinstance(document, dict):
        return {key: _relocated(value, home) for key, value in document.items()}
    if isinstance(document, list):
        return [_relocated(value, home) for value in document]
    return document.replace(home, "<home>") if isinstance(document, str) else document


if __name__ == "__main__":
    main()
