"""`python -m toolchain.stack ACTION --stack STACK [--cloud CLOUD]`: the only caller of the Pulumi engine.

up, preview, refresh and down are the engine's own operations (down destroys); outputs and export print JSON; recover
puts right what a killed operation left behind, and asks before each step; `pulumi … -- ARGUMENTS` is any other command
of Pulumi's, on that stack.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolchain import deleted_vaults, recovery, unfinished
from toolchain.engine import CLOUDS, STACKS, Engine, engine, prepare
from toolchain.errors import UserError, run

VERBS = {"up": "up", "preview": "preview", "refresh": "refresh", "down": "destroy"}
CHANGES = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "import": "to import",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(
        prog="python -m toolchain.stack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("action", choices=[*VERBS, "outputs", "export", "recover", "pulumi"])
    arguments.add_argument(
        "--stack",
        default=os.environ.get("STACK") or "local",
        help=f"one of {', '.join(STACKS)} (default: STACK of the environment, else local)",
    )
    arguments.add_argument(
        "--cloud",
        default=os.environ.get("CLOUD") or "simulated",
        help=f"one of {', '.join(CLOUDS)} (default: CLOUD of the environment, else simulated)",
    )
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--parallel", type=int, metavar="N", help="resource operations at once")
    arguments.add_argument("--expect-no-changes", action="store_true", help="fail where anything would change")
    arguments.add_argument("--yes", action="store_true", help="do not ask (a simulated stack never asks)")
    return arguments


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those after `--`, which are Pulumi's."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def operation(target: Engine, options: argparse.Namespace) -> list[str]:
    """The engine's arguments for an operation."""
    arguments = [VERBS[options.action], "--config-file", str(target.settings), "--suppress-permalink=true"]
    if options.action in ("up", "preview"):
        arguments += ["--policy-pack", "policies"]
    if options.action != "preview":
        if target.is_simulated:
            arguments += ["--yes", "--skip-preview"]
        elif options.yes:
            arguments.append("--yes")
    if options.parallel:
        arguments += ["--parallel", str(options.parallel)]
    if options.expect_no_changes:
        arguments.append("--expect-no-changes")
    if options.json:
        arguments.append("--json")
    return arguments


def changes(events: Iterable[str]) -> Mapping[str, int] | None:
    """How many resources an operation changed, by kind of change, from the lines of its event log.

    `None` where it did not get as far as a summary.
    """
    for line in events:
        summary = json.loads(line).get("summaryEvent")
        if summary:
            return summary["resourceChanges"]
    return None


def conclusion(action: str, stack: str, counts: Mapping[str, int]) -> str:
    """The last line about a simulated operation that succeeded."""
    changed = {kind: number for kind, number in counts.items() if kind != "same" and number}
    if action == "preview" and not changed:
        return f"simulated cloud, stack {stack}: no change"
    if action == "preview":
        listed = ", ".join(f"{number} {CHANGES.get(kind, kind)}" for kind, number in sorted(changed.items()))
        return f"simulated cloud, stack {stack}: {listed}"
    done = {"up": "is up", "refresh": "is refreshed", "down": "is down"}[action]
    return f"simulated cloud: stack {stack} {done}; nothing was done in Azure"


def operate(target: Engine, options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run an operation of the engine for a person to watch; returns its exit code."""
    if options.action in ("up", "preview"):
        target = deleted_vaults.told(target)
    if target.is_simulated:
        say(f"simulated cloud: {options.action} of stack {target.stack}; no Azure subscription is used")
        if options.action != "preview":
            recovery.release(target, say)
            settle(target, say)
    code, events = watched(target, options)
    if code != 0:
        complain(target, options.action, code, events)
    elif target.is_simulated and (counts := changes(events)) is not None:
        say(conclusion(options.action, target.stack, counts))
    return code


def complain(target: Engine, action: str, code: int, events: Sequence[str]) -> None:
    """Raise UserError where there is more to say of an operation that failed than the engine has said."""
    where = f"STACK={target.stack}" if target.is_simulated else f"STACK={target.stack} CLOUD={target.cloud}"
    again = f"make {'down' if action == 'down' else 'up'} {where}"
    if code < 0 and target.is_simulated:
        raise UserError(f"pulumi was ended by signal {-code}; `{again}` recovers and goes on")
    if code < 0:
        raise UserError(f"pulumi was ended by signal {-code}; `make recover {where}` puts right what that left")
    failed = unfinished.failures(events)
    if action in ("up", "down") and (text := unfinished.explanation(target.stack, again, failed, changes(events))):
        raise UserError(text)


def watched(target: Engine, options: argparse.Namespace) -> tuple[int, list[str]]:
    """Run an operation; its exit code, and the lines of its event log."""
    target.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.home, prefix="engine-") as folder:
        log = Path(folder, "events.jsonl")
        code = target.call(*operation(target, options), "--event-log", str(log))
        return code, log.read_text(encoding="utf-8").splitlines() if log.is_file() else []


def settle(target: Engine, say: Callable[[str], None]) -> None:
    """Settle what a killed operation left in a simulated stack's state, if anything."""
    if recovery.interrupted(target) and recovery.repair(target, recovery.from_simulated_cloud, say):
        read_back(target, "--yes", "--skip-preview")


def read_back(target: Engine, *arguments: str) -> None:
    """Refresh the state after a repair."""
    if target.call("refresh", "--config-file", str(target.settings), *arguments) != 0:
        raise UserError(f"stack {target.stack} could not be refreshed: see pulumi's message above")


def ask(question: str) -> str:
    """Ask a person. Raises `UserError` where there is none."""
    if not sys.stdin.isatty():
        raise UserError("recover asks before it changes anything: run it in a terminal")
    return input(f"{question} ").strip()


def ask_for_ids(target: Engine, export: Mapping[str, Any]) -> dict[str, str | None]:
    """The ids of pending creates that went through, by URN, as a person finds them in the Azure portal."""
    return {
        urn: ask(f"{urn}\n  was being created. Its id in Azure (empty if it is not there):") or None
        for urn in recovery.pending_creates(export["deployment"])
    }


def recover(target: Engine, say: Callable[[str], None]) -> int:
    """Put right what a killed operation left behind; asks before it changes anything."""
    answer = ask(f"Has every other deployment of stack {target.stack} ended, so that its lock can be removed? [y/N]")
    if answer.lower() not in ("y", "yes"):
        say("nothing was changed")
        return 1
    target.capture("cancel", "--yes")
    if target.is_simulated:
        settle(target, say)
    elif recovery.repair(target, ask_for_ids, say):
        read_back(target)
    say(f"stack {target.stack} is recovered: `make up STACK={target.stack} CLOUD={target.cloud}` goes on")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    own, passed = split(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(own)
    if passed and options.action != "pulumi":
        parser().error(f"what stands after -- is for the action pulumi, not for {options.action}")
    target = engine(options.stack, options.cloud)
    if target.is_simulated:
        prepare(target)

    def say(message: str) -> None:
        # with --json the output belongs to the engine
        print(message, file=sys.stderr if options.json else sys.stdout, flush=True)

    if options.action == "outputs":
        print(target.capture("stack", "output", "--json"), end="")
        return 0
    if options.action == "export":
        print(target.capture("stack", "export"), end="")
        return 0
    if options.action == "pulumi":
        if target.is_simulated:
            print(f"simulated cloud, stack {target.stack}; no Azure subscription is used", file=sys.stderr, flush=True)
        return target.plain(*passed)
    if options.action == "recover":
        return recover(target, say)
    return operate(target, options, say)


if __name__ == "__main__":
    run(main)
