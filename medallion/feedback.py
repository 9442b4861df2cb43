"""`medallion feedback`: what analysts say of flagged addresses, for the next training and scoring.

It goes to the lake as raw files do, as one small CSV file for each call; the workload reads them all.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import options
from medallion.connection import connect
from medallion.console import emit
from toolchain.errors import UserError
from workloads import spec
from workloads.lakehouse.errors import TaskError


def feedback(
    workload: options.WorkloadName,
    verdict: Annotated[str | None, typer.Argument(help="attack, benign, allow or withdrawn.")] = None,
    address: Annotated[str | None, typer.Argument(help="The address; for `allow` a network (CIDR), too.")] = None,
    window: Annotated[str | None, typer.Option(help="A time (ISO 8601) in the ten minutes meant; else all.")] = None,
    reason: Annotated[str, typer.Option(help="Why; shown beside what is allowed.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="A CSV file of such lines, in place of one.")] = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Say whether an address, or what it did in ten minutes, is an attack; or that it is never to be flagged."""
    declared = spec.find(workload)
    if declared.feedback_path is None:
        raise UserError(f"workload {workload!r} takes no feedback")
    if (file is None) == (verdict is None) or (verdict is None) != (address is None):
        raise UserError("say a VERDICT and an ADDRESS, or --file")
    reader = importlib.import_module(f"workloads.{declared.folder}.feedback")
    text, source = (
        (_read(file), file.name) if file else (_line(reader.COLUMNS, verdict, address, window, reason), "here")
    )
    now = datetime.now(UTC)
    try:
        said = reader.parse(text, source)
    except TaskError as error:
        raise UserError(str(error)) from None
    if not said:
        raise UserError(f"{source}: there is no line of feedback in it")
    content = as_csv(reader.COLUMNS, said, now)
    name = f"{now:%Y%m%dT%H%M%S}-{hashlib.sha256(content).hexdigest()[:12]}.csv"
    with connect(stack, cloud) as connection:
        folder = connection.container(declared.feedback_path)
        connection.client.files.create_directory(folder)
        connection.client.files.upload(f"{folder}/{name}", io.BytesIO(content), overwrite=True)
    document = {"target": f"{folder}/{name}", "lines": len(said)}
    text = f"{len(said)} said of {declared.name}; the next run takes it: medallion run {declared.name}"
    emit(document, json, lambda console: console.print(text))


def as_csv(columns: tuple[str, ...], said: list[Any], now: datetime) -> bytes:
    """The lines as the workload reads them, each with the time at which it was given: of its own, or now."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(columns)
    for one in said:
        window = one.window_start.isoformat() if one.window_start else ""
        rows.writerow((one.address, window, one.verdict, one.reason, (one.given_at or now).isoformat()))
    return stream.getvalue().encode()


def _line(columns: tuple[str, ...], verdict: str, address: str, window: str | None, reason: str) -> str:
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow(columns)
    rows.writerow((address, window or "", verdict, reason, ""))
    return stream.getvalue()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: {error}") from None
