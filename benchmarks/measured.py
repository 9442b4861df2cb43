"""Programs measured in processes of their own: seconds by layer, and memory as the whole process tree's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from toolchain import paths

LAYERS = ("bronze", "silver", "gold")
LOOK_EVERY = 0.25  # seconds from one look at the memory to the next


@dataclass(frozen=True)
class Measured:
    """Seconds by layer, and the highest memory in bytes."""

    seconds: dict[str, float]
    memory: int

    @property
    def total(self) -> float:
        return sum(self.seconds[layer] for layer in LAYERS)


def measure(module: str, way: str, given: Path, beside: Path) -> Measured:
    """Runs `python -m MODULE --one WAY GIVEN FOLDER` in a fresh folder; its last line is the seconds, as JSON.

    Raises RuntimeError with what it printed where it fails.
    """
    with tempfile.TemporaryDirectory(dir=beside) as folder, tempfile.TemporaryFile() as output:
        line = [sys.executable, "-m", module, "--one", way, str(given), folder]
        process = subprocess.Popen(line, cwd=paths.ROOT, stdout=output, stderr=subprocess.STDOUT)
        highest, watched = 0, psutil.Process(process.pid)
        while process.poll() is None:
            highest = max(highest, memory_of(watched))
            time.sleep(LOOK_EVERY)
        output.seek(0)
        printed = output.read().decode()
    if process.returncode != 0:
        raise RuntimeError(f"{way} failed on {given.name}:\n{printed[-4000:]}")
    return Measured(json.loads(printed.splitlines()[-1]), highest)


def figures(size: int, way: str, runs: Sequence[Measured]) -> tuple[str, ...]:
    """The medians of some runs of one way: size, way, per second, µs each, µs by layer, start in s, memory in MiB."""
    total = median(run.total for run in runs)
    layers = [median(run.seconds[layer] for run in runs) for layer in LAYERS]
    start = median(run.seconds.get("session", 0.0) for run in runs)
    return (
        *(f"{size:,}", way, f"{size / total:,.0f}", f"{total / size * 1e6:.1f}"),
        *(f"{seconds / size * 1e6:.1f}" for seconds in layers),
        *(f"{start:.1f}", f"{max(run.memory for run in runs) / 2**20:,.0f}"),
    )


def memory_of(process: psutil.Process) -> int:
    """Bytes of memory of a process and all below it, pages that they share divided among them (PSS)."""
    with suppress(psutil.NoSuchProcess):  # it has ended
        return sum(map(_held_by, (process, *process.children(recursive=True))))
    return 0


def _held_by(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return process.memory_full_info().pss
    return 0
