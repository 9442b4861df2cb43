"""Kills `up` before and after each create, and ups again: `python -m benchmarks.kill_up` prints a table.

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
from rich.progress import track
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
    "importID": "says that a pending create was taken over",
    "ciphertext": "differs at each encryption of the same secret",
}


@contextmanager
def platform() -> Iterator[Platform]:
    """A platform that goes away with the block."""
    with tempfile.TemporaryDirectory(prefix="medallion-") as folder:
        yield Platform(Path(folder).resolve() / "home")


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


def killed(number: int, kind: str) -> tuple[dict[str, Any], bool]:
    """The outcome after an `up` killed at that create and the next `up`; and whether the first was killed indeed."""
    with platform() as at:
        at.succeed("simulator.faults", "add", "--operation", "create", "--nth", str(number), "--kind", kind)
        first = at.call("toolchain.stack", "up", "--stack", "local", "--parallel", "1")
        at.succeed("simulator.faults", "clear")
        at.up()
        return outcome(at), first.returncode != 0


def undisturbed() -> tuple[dict[str, Any], int]:
    """The outcome of an `up` that nothing disturbs, and how many creates it takes."""
    with platform() as at:
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


def main() -> None:
    """Enumerate all kill points, two at a time, and print what came of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every N-th create")
    step = parser.parse_args().every
    console = Console()
    expected, creates = undisturbed()
    points = [(number, kind) for number in range(1, creates + 1, step) for kind in KINDS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(track(pool.map(lambda point: killed(*point), points), total=len(points), console=console))
    table = Table(box=box.SIMPLE_HEAD, title=f"`up` killed at each of {creates} creates, then `up` again")
    for column in ("killed", "points", "was killed", "same state"):
        table.add_column(column, justify="left" if column == "killed" else "right")
    wrong = []
    for kind in KINDS:
        mine = [(point, *result) for point, result in zip(points, results, strict=True) if point[1] == kind]
        differences = [(point, difference(expected, found)) for point, found, _ in mine]
        wrong += [(point, text) for point, text in differences if text]
        same = sum(1 for _, text in differences if not text)
        table.add_row(kind, str(len(mine)), str(sum(1 for *_, was in mine if was)), str(same))
    console.print(table)
    for (number, kind), text in wrong:
        console.print(f"create {number}, {kind}: {text}")
    raise SystemExit(bool(wrong))


def _relocated(document: Any, home: str) -> Any:
    if isinstance(document, dict):
        return {key: _relocated(value, home) for key, value in document.items()}
    if isinstance(document, list):
        return [_relocated(value, home) for value in document]
    return document.replace(home, "<home>") if isinstance(document, str) else document


if __name__ == "__main__":
    main()
