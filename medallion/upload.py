"""`medallion upload`: put raw files into the lake. The stack uploads code; data never shows as a difference of it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import Progress

from medallion import options
from medallion.connection import connect
from medallion.console import emit, err
from medallion.generate import sample
from toolchain import paths
from toolchain.errors import UserError
from workloads import spec

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

BLOCK = 1 << 20
# A margin, not a measurement: raw bytes, four tables and three exports each hold the lines once more.
SPACE_PER_BYTE = 6
SPACE_AT_LEAST = 1 << 30


@dataclass(frozen=True)
class Source:
    """A file to upload: where it is, its name below the workload's input folder, its size in bytes."""

    path: Path
    name: str
    size: int


def upload(
    workload: options.WorkloadName,
    path: Annotated[str | None, typer.Argument(help="A file, or a folder with all that is in it.")] = None,
    sample_data: Annotated[bool, typer.Option("--sample", help="Upload the generated sample.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Remove what was there and is not uploaded now.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the upload could be read.")] = False,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Upload raw files for a workload. A file that is there already with equal content is left alone."""
    declared = spec.find(workload)
    if sample_data == bool(path):
        raise UserError("say what to upload: a PATH, or --sample")
    if check and sample_data:
        return
    sources = collect(sample(declared) if sample_data else Path(path))
    require_space(sum(source.size for source in sources))
    if check:
        return
    with connect(stack, cloud) as connection:
        target = connection.container(declared.input_path)
        result = {"target": target} | transfer(connection.client, sources, target, replace)

    def render(console: Console) -> None:
        counts = ", ".join(f"{len(result[what])} {what}" for what in ("uploaded", "unchanged", "removed"))
        console.print(f"{declared.input_path}: {counts}")

    emit(result, json, render)


def collect(path: Path) -> list[Source]:
    """The files of a path, by name. Raises UserError where there are none or one cannot be read."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        if not files:
            raise UserError(f"{path}: the folder holds no files")
        found = [(file, file.relative_to(path).as_posix()) for file in files]
    else:
        found = [(path, path.name)]
    for file, _ in found:
        if not os.access(file, os.R_OK):
            raise UserError(f"{file}: no right to read it")
    return [Source(file, name, file.stat().st_size) for file, name in found]


def require_space(size: int) -> None:
    """Raise UserError where the disk of the state folder has no room for what a run makes of `size` bytes."""
    home = paths.home()
    home.mkdir(parents=True, exist_ok=True)
    needed, free = max(SPACE_AT_LEAST, size * SPACE_PER_BYTE), shutil.disk_usage(home).free
    if free < needed:
        raise UserError(f"{home}: {free / 1e9:.1f} GB free, the run needs about {needed / 1e9:.1f} GB")


def transfer(client: WorkspaceClient, sources: list[Source], target: str, replace: bool) -> dict[str, list[str]]:
    """Upload what is new, then, to replace, remove what is not among the sources.

    Returns the names that were uploaded, left unchanged and removed. Raises UserError, before anything changes, where a
    file of the same name holds something else and is not to be replaced.
    """
    present = dict(_listing(client, target, ""))
    unchanged = {source.name for source in sources if _is_there(client, source, target, present)}
    if not replace and (clash := [s.name for s in sources if s.name in present and s.name not in unchanged]):
        raise UserError(f"{target}/{clash[0]} is there with other content: rename the file, or use --replace")
    uploaded = [source for source in sources if source.name not in unchanged]
    for folder in sorted({f"{target}/{source.name}".rpartition("/")[0] for source in uploaded}):
        client.files.create_directory(folder)
    with Progress(console=err) as progress:
        bar = progress.add_task("upload", total=sum(source.size for source in uploaded) or 1)
        for source in uploaded:
            with source.path.open("rb") as stream:
                client.files.upload(f"{target}/{source.name}", stream, overwrite=True)
            progress.advance(bar, source.size)
    removed = sorted(set(present) - {source.name for source in sources}) if replace else []
    for name in removed:
        client.files.delete(f"{target}/{name}")
    return {"uploaded": [s.name for s in uploaded], "unchanged": sorted(unchanged), "removed": removed}


def _listing(client: WorkspaceClient, folder: str, below: str) -> Iterator[tuple[str, int]]:
    from databricks.sdk.errors import NotFound

    try:
        entries = list(client.files.list_directory_contents(f"{folder}/{below}".rstrip("/")))
    except NotFound:
        return
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.is_directory:
            yield from _listing(client, folder, f"{name}/")
        else:
            yield name, entry.file_size or 0


def _is_there(client: WorkspaceClient, source: Source, target: str, present: dict[str, int]) -> bool:
    if present.get(source.name) != source.size:
        return False
    with client.files.download(f"{target}/{source.name}").contents as there, source.path.open("rb") as here:
        return _digest(there) == _digest(here)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()
