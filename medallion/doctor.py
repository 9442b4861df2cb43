"""`medallion doctor`: is everything there that a run needs?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import options
from medallion.console import emit
from toolchain import jars, java, paths, pulumi
from toolchain.errors import UserError

GIB = 1 << 30
# Margins, not measurements: the engine's state, the lake and the logs of drivers; Spark, its Python workers and MLflow.
DISK_NEEDED = 2 * GIB
MEMORY_NEEDED = 4 * GIB


@dataclass(frozen=True)
class Finding:
    """What one check saw: `ok` or not, and one line about it."""

    name: str
    ok: bool
    text: str


def doctor(json: options.Json = False) -> None:
    """Check Python, Java, Pulumi, Spark's jars, disk and memory; exit code 1 where one falls short."""
    findings = [check() for check in (_python, _java, _pulumi, _jars, _disk, _memory)]
    document = {"ok": all(finding.ok for finding in findings), "findings": [vars(finding) for finding in findings]}

    def render(console: Console) -> None:
        table = Table(box=box.SIMPLE_HEAD, show_header=False)
        for finding in findings:
            table.add_row("[green]✓[/]" if finding.ok else "[red]✗[/]", finding.name, escape(finding.text))
        console.print(table)

    emit(document, json, render)
    if not document["ok"]:
        raise UserError("; ".join(f"{finding.name}: {finding.text}" for finding in findings if not finding.ok))


def _python() -> Finding:
    return Finding("Python", (3, 11) <= sys.version_info[:2] <= (3, 12), f"{platform.python_version()} (3.11 or 3.12)")


def _found(name: str, locate: Callable[[], object]) -> Finding:
    try:
        return Finding(name, True, str(locate()))
    except UserError as error:
        return Finding(name, False, str(error))


def _java() -> Finding:
    return _found("Java", java.find)


def _pulumi() -> Finding:
    return _found("Pulumi", pulumi.find)


def _jars() -> Finding:
    return _found("Delta jars", lambda: ", ".join(path.name for path in jars.find()))


def _disk() -> Finding:
    home = paths.home()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Finding("Disk", free >= DISK_NEEDED, f"{free / GIB:.1f} GiB free at {place} ({DISK_NEEDED // GIB} needed)")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("Memory", total >= MEMORY_NEEDED, f"{total / GIB:.1f} GiB ({MEMORY_NEEDED // GIB} needed)")
