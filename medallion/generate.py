"""`medallion generate`: write a sample of a workload's raw data, with the truth beside it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from medallion import options
from medallion.console import emit
from toolchain import paths
from toolchain.errors import UserError
from workloads import spec

Values = Mapping[str, spec.Value]


def generate(
    context: typer.Context,
    workload: options.WorkloadName,
    output: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    json: options.Json = False,
) -> None:
    """Write a sample of raw data (`data/`) and its ground truth (`truth/`) into a folder.

    A workload's generator has options of its own, such as --seed; one that it does not take is answered with all that
    it takes.
    """
    declared = spec.find(workload)
    values = parse(declared, context.args)
    folder = output or sample_folder(declared, values)
    files = write(declared, folder, values)
    document = {"workload": workload, **values, "files": [str(file) for file in files]}
    emit(document, json, lambda console: [console.print(str(file)) for file in files])


def sample(workload: spec.Workload) -> Path:
    """The folder of the default sample's data, written first where it is missing."""
    values = parse(workload, [])
    folder = sample_folder(workload, values)
    write(workload, folder, values)
    return folder / "data"


def sample_folder(workload: spec.Workload, values: Values) -> Path:
    """Where a sample lies that was asked for without a folder."""
    return paths.home() / "samples" / "-".join((workload.name, *map(spec.Parameter.text, values.values())))


def parse(workload: spec.Workload, words: Sequence[str]) -> dict[str, spec.Value]:
    """The values of all options of the workload's generator, given or by default. Raises UserError and SpecError."""
    takes = {f"--{option.name.replace('_', '-')}": option for option in _generator(workload).OPTIONS}
    values = {option.name: option.default for option in takes.values()}
    rest = list(words)
    while rest:
        name, sign, value = rest.pop(0).partition("=")
        if name not in takes:
            raise UserError(f"the generator of {workload.name} does not take {name!r}; it takes {', '.join(takes)}")
        if not sign and not rest:
            raise UserError(f"{name} wants a value: {takes[name].meaning}")
        values[takes[name].name] = takes[name].parse(value if sign else rest.pop(0))
    return values


def write(workload: spec.Workload, folder: Path, values: Values) -> list[Path]:
    """Let the workload's generator write its sample. Raises UserError where it refuses the values or cannot write."""
    try:
        return _generator(workload).write(folder, **values)
    except ValueError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}") from None


def _generator(workload: spec.Workload) -> ModuleType:
    name = f"workloads.{workload.folder}.generate"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(f"workload {workload.name!r} has no generator: give a PATH") from None
