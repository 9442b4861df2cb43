"""`medallion doctor`: is everything there, on this machine and in the subscription, that `up` and a run need?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from medallion import options
from medallion.console import emit
from medallion.demand import demand
from medallion.finding import Finding
from stacks.settings import Settings, SettingsError
from toolchain import jars, java, paths, pulumi
from toolchain.engine import require, tracked
from toolchain.errors import UserError
from workloads.spec import discover

GIB = 1 << 30
# Margins, not measurements: the engine's state, the lake and the logs of drivers; Spark, its Python workers and MLflow.
DISK_NEEDED = 2 * GIB
MEMORY_NEEDED = 4 * GIB


def doctor(
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Check this machine and, for a stack in Azure, what its region and subscription have; exit code 1 if that is less
    than `up` and a run need.
    """
    findings = [check() for check in (_python, _java, _pulumi, _jars, _disk, _memory)]
    findings += _azure(stack, cloud)
    document = {"ok": all(finding.ok for finding in findings), "findings": [vars(finding) for finding in findings]}

    def render(console: Console) -> None:
        for finding in findings:
            mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
            console.print(f"  {mark} {finding.name:<10}  {escape(finding.text)}")

    emit(document, json, render)
    if not document["ok"]:
        names = dict.fromkeys(finding.name for finding in findings if not finding.ok)
        raise UserError(f"doctor: put right what is marked ✗ above: {', '.join(names)}")


def _azure(stack: str, cloud: str) -> list[Finding]:
    """What a subscription lacks for a stack; nothing is asked for a simulated one."""
    require(stack, cloud)
    if cloud == "simulated":
        return [Finding("Azure", True, f"nothing to check there: stack {stack} is simulated")]
    from medallion import azure, region

    try:
        settings = Settings.load(tracked(stack))
        subscription = azure.subscription_of(stack)
        answers = azure.ask(subscription, settings.location, stack)
    except (SettingsError, UserError) as error:
        return [Finding("Azure", False, str(error))]
    return [
        Finding("Azure", True, f"subscription {subscription}, {settings.location}"),
        *region.findings(demand(settings, discover()), answers),
    ]


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
