"""`python -m toolchain.stack up|preview|refresh|down|outputs|export`: the only caller of the Pulumi engine."""

import argparse
import os
from collections.abc import Sequence

from toolchain.engine import CLOUDS, STACKS, Engine, engine, prepare
from toolchain.errors import run

VERBS = {"up": "up", "preview": "preview", "refresh": "refresh", "down": "destroy"}
UNATTENDED = ("--yes", "--skip-preview")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m toolchain.stack", description=__doc__)
    arguments.add_argument("action", choices=[*VERBS, "outputs", "export"])
    arguments.add_argument("--stack", default="local", help=f"one of {', '.join(STACKS)}")
    arguments.add_argument("--cloud", default=os.environ.get("CLOUD", "simulated"), help=f"one of {', '.join(CLOUDS)}")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--parallel", type=int, help="resource operations at once")
    arguments.add_argument("--expect-no-changes", action="store_true", help="fail where anything would change")
    return arguments


def operation(target: Engine, action: str, options: argparse.Namespace) -> list[str]:
    """The engine's arguments for an action."""
    arguments = [VERBS[action], "--config-file", str(target.settings)]
    if action in ("up", "preview"):
        arguments += ["--policy-pack", "policies"]
    if action != "preview" and target.is_simulated:
        arguments += UNATTENDED
    if options.parallel:
        arguments += ["--parallel", str(options.parallel)]
    if options.expect_no_changes:
        arguments.append("--expect-no-changes")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = parser().parse_args(arguments)
    target = engine(options.stack, options.cloud)
    if target.is_simulated:
        prepare(target)
    if options.action == "outputs":
        print(target.capture("stack", "output", "--json"), end="")
        return 0
    if options.action == "export":
        print(target.capture("stack", "export"), end="")
        return 0
    return target.call(*operation(target, options.action, options))


if __name__ == "__main__":
    run(main)
