"""`medallion replay`: take records that a rule set aside back in, as they are or as people repaired them."""

from __future__ import annotations

import hashlib
import importlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from medallion import options
from medallion.connection import connect
from medallion.run import conclude
from toolchain.errors import UserError
from workloads import spec
from workloads.lakehouse.errors import TaskError

Rule = Annotated[str, typer.Option(help="The rule that set them aside, or `all`.")]
Repaired = Annotated[
    Path | None,
    typer.Option("--file", help="Repaired records: lines of the quarantine's export whose `text` was put right."),
]


def replay(
    workload: options.WorkloadName,
    rule: Rule = "all",
    file: Repaired = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Look at quarantined records again, by the rules of now, and take in what is good."""
    declared = spec.find(workload)
    if declared.repairs_path is None:
        raise UserError(f"workload {workload!r} keeps no records to replay")
    parameters = {"replay": rule}
    declared.parse_parameters(parameters)
    known = importlib.import_module(f"workloads.{declared.folder}.rules").REPLAYED
    if rule not in ("all", *known):
        raise UserError(f"--rule takes all, or one of {', '.join(known)}, not {rule!r}")
    content = _repairs(declared, file) if file else None
    with connect(stack, cloud) as connection:
        if content is not None:
            folder = connection.container(declared.repairs_path)
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{hashlib.sha256(content).hexdigest()[:12]}.jsonl"
            connection.client.files.create_directory(folder)
            connection.client.files.upload(f"{folder}/{name}", io.BytesIO(content), overwrite=True)
        started = connection.client.jobs.run_now(connection.job_id(declared, "batch"), job_parameters=parameters)
        conclude(connection, declared, started.run_id, json)


def _repairs(declared: spec.Workload, file: Path) -> bytes:
    """The file, looked at before anything is uploaded. Raises UserError where it holds no repairs."""
    reader = importlib.import_module(f"workloads.{declared.folder}.repairs")
    try:
        text = file.read_text(encoding="utf-8-sig")
        if not reader.parse(text, file.name):
            raise UserError(f"{file}: there is no repaired record in it")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: {error}") from None
    except TaskError as error:
        raise UserError(str(error)) from None
    return text.encode()
