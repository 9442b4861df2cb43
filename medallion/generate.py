"""`medallion generate`: write a sample of a workload's raw data, with the truth beside it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from medallion import options
from medallion.console import emit
from toolchain import paths
from toolchain.errors import UserError
from workloads import spec

SAMPLE_LINES = 10_000
SAMPLE_SEED = 7


def generate(
    workload: options.WorkloadName,
    lines: Annotated[int, typer.Option(min=1, help="How many lines.")] = SAMPLE_LINES,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = SAMPLE_SEED,
    output: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    json: options.Json = False,
) -> None:
    """Write a sample of raw data (`data/`) and its ground truth (`truth/`) into a folder."""
    declared = spec.find(workload)
    folder = output or sample_folder(declared, lines, seed)
    files = write(declared, folder, lines, seed)
    document = {"workload": workload, "lines": lines, "seed": seed, "files": [str(file) for file in files]}
    emit(document, json, lambda console: [console.print(str(file)) for file in files])


def sample(workload: spec.Workload) -> Path:
    """The folder of the default sample's data, written first where it is missing."""
    folder = sample_folder(workload, SAMPLE_LINES, SAMPLE_SEED)
    write(workload, folder, SAMPLE_LINES, SAMPLE_SEED)
    return folder / "data"


def sample_folder(workload: spec.Workload, lines: int, seed: int) -> Path:
    """Where a sample lies that was asked for without a folder."""
    return paths.home() / "samples" / f"{workload.name}-{lines}-{seed}"


def write(workload: spec.Workload, folder: Path, lines: int, seed: int) -> list[Path]:
    """Let the workload's generator write its sample. Raises UserError where the workload has none."""
    try:
        module = importlib.import_module(f"workloads.{workload.folder}.generate")
    except ModuleNotFoundError as error:
        if error.name != f"workloads.{workload.folder}.generate":
            raise
        raise UserError(f"workload {workload.name!r} has no generator: give a PATH") from None
    try:
        return module.write(folder, lines=lines, seed=seed)
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}") from None
