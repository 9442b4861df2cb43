"""How long `up` takes: `python -m benchmarks.stack_up [--stack S] [--rounds N]` prints a table.

Each round stands a simulated stack up from nothing, then a second time (which must change nothing), then previews it.
Beside seconds by the clock stand seconds of the processor, of all processes together: where others use the machine,
the clock says more of them than of us. So does the time of an empty loop of ten million turns, before each round.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import tempfile
import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.platform import Platform

ROUNDS = 5
TURNS = 10_000_000
STEPS = {"first up": ("up",), "second up": ("up", "--expect-no-changes"), "preview": ("preview", "--expect-no-changes")}


def turns() -> float:
    """Seconds of an empty loop: how fast the machine is now."""
    start = time.perf_counter()
    for _ in range(TURNS):
        pass
    return time.perf_counter() - start


def seconds(at: Platform, *command: str) -> tuple[float, float, str]:
    """Seconds of a command of `toolchain.stack` by the clock and of the processor, and what it printed."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = at.succeed("toolchain.stack", *command, "--stack", at.stack)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="prod", help="the stack (default: prod)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often (default: {ROUNDS})")
    options = parser.parse_args()
    timings: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    speeds, created = [], ""
    for _ in range(options.rounds):
        speeds.append(turns())
        with tempfile.TemporaryDirectory(prefix="medallion-") as folder:
            at = Platform(Path(folder).resolve() / "home", stack=options.stack)
            for step, command in STEPS.items():
                wall, processor, said = seconds(at, *command)
                timings[step].append((wall, processor))
                created = created or "".join(re.findall(r"\+ (\d+) created", said))
    table = Table(box=box.SIMPLE_HEAD, title=f"{options.stack}, {created} resources, {options.rounds} rounds, seconds")
    for column in ("", "min", "median", "max", "processor, median"):
        table.add_column(column, justify="right" if column else "left")
    for step, pairs in timings.items():
        walls, processors = zip(*pairs, strict=True)
        figures = (min(walls), statistics.median(walls), max(walls), statistics.median(processors))
        table.add_row(step, *(f"{figure:.1f}" for figure in figures))
    console = Console()
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores; an empty loop of ten million turns took {min(speeds):.2f} to {max(speeds):.2f} s"
    )


if __name__ == "__main__":
    main()
