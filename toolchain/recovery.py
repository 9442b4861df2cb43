"""What a killed `up` leaves behind in a simulated stack, and how it is put right before the next one.

The engine's file backend keeps a lock for as long as an operation runs, and its state says which operations were under
way. A plain second `up` refuses the lock, and only warns about pending creates before it creates them again, which a
cloud refuses where the first create had gone through. So: a lock whose process is dead is cancelled; each pending
create is looked up in the cloud; what is there is imported, what is not is cleared.
"""

import json
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from toolchain import paths
from toolchain.engine import PROJECT, Engine, state_file
from toolchain.errors import UserError

PROC = Path("/proc")


@dataclass(frozen=True)
class Lock:
    """A lock as the file backend writes it."""

    pid: int
    host: str
    user: str
    since: str

    @classmethod
    def parse(cls, text: str) -> "Lock":
        """Read a lock file. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        content = json.loads(text)
        return cls(int(content["pid"]), content["hostname"], content["username"], content["timestamp"])


class Holder(Enum):
    """What is known of the process that holds a lock."""

    DEAD = "dead"
    ALIVE = "alive"
    ELSEWHERE = "on another machine"


def holder(lock: Lock, host: str, command: str | None) -> Holder:
    """What holds a lock, seen from machine `host` where the process of that id runs `command` (`None`: no process).

    A process id is used again: only a process that is a Pulumi can be the holder.
    """
    if lock.host != host:
        return Holder.ELSEWHERE
    return Holder.ALIVE if command is not None and command.startswith("pulumi") else Holder.DEAD


def running_command(pid: int) -> str | None:
    """The name of the program that a process runs; `None` where there is no such process or it has ended (a zombie)."""
    if PROC.is_dir():
        try:
            # "1234 (pulumi) S …": the name may hold spaces and brackets
            stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        name, _, rest = stat.partition("(")[2].rpartition(")")
        return None if rest.split()[0] in "ZX" else name
    answer = subprocess.run(["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, path = answer.stdout.strip().partition(" ")
    return Path(path.strip()).name if state and not state.startswith("Z") else None


def locks(target: Engine) -> list[Lock]:
    """The locks of a simulated stack. Raises `UserError` for a file that is no lock."""
    folder = target.home / "state" / ".pulumi" / "locks" / "organization" / PROJECT / target.stack
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Lock.parse(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue  # its operation has ended just now
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: not a lock that can be read; if no other command is at work on stack {target.stack}, "
                f"run `make recover STACK={target.stack}`"
            ) from error
    return found


def may_cancel(
    found: Iterable[Lock], stack: str, host: str, command_of: Callable[[int], str | None] = running_command
) -> bool:
    """Whether there are locks and all their processes are dead. Raises `UserError` where one may be alive."""
    dead = False
    for lock in found:
        state = holder(lock, host, command_of(lock.pid))
        if state is Holder.ALIVE:
            raise UserError(
                f"another pulumi (process {lock.pid}, user {lock.user}, since {lock.since}) is at work on stack "
                f"{stack}: wait until it has ended"
            )
        if state is Holder.ELSEWHERE:
            raise UserError(
                f"stack {stack} is locked by {lock.user}@{lock.host} (process {lock.pid}, since {lock.since}); "
                f"if that one has ended, run `make recover STACK={stack}`"
            )
        dead = True
    return dead


def pending_creates(deployment: Mapping[str, Any]) -> list[str]:
    """URNs of the resources that were being created, from a deployment."""
    operations = deployment.get("pending_operations") or []
    return [operation["resource"]["urn"] for operation in operations if operation["type"] == "creating"]


def settled(deployment: Mapping[str, Any], found: Mapping[str, str | None]) -> dict[str, Any]:
    """The deployment without pending operations.

    `found` gives the id of each pending create that went through: these become resources, as they would have been;
    their outputs come with the next refresh. All other operations are dropped: a create that did not go through is done
    again by the next `up`, and what an update or a delete reached is seen by the refresh.

    (`pulumi refresh --import-pending-creates` is meant for this; as of 3.250 it drops what it should import.)
    """
    resources = list(deployment.get("resources") or [])
    for operation in deployment.get("pending_operations") or []:
        state = operation["resource"]
        if operation["type"] == "creating" and found[state["urn"]]:
            resources = with_created(resources, {**state, "id": found[state["urn"]]})
    return {**deployment, "resources": resources, "pending_operations": []}


def with_created(resources: Sequence[Mapping[str, Any]], created: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The resources of a state after a create, which may have been half of a replacement.

    One that was to be deleted first is gone; one that was to be deleted after is still to be deleted. All that a
    resource depends on was there before its create, so that the end of the list is the right place.
    """
    kept: list[Mapping[str, Any]] = []
    for old in resources:
        if old["urn"] != created["urn"] or old.get("delete"):
            kept.append(old)
        elif old["id"] == created["id"] and not old.get("pendingReplacement"):
            return list(resources)  # the old one was found by its name: the create has not gone through
        elif not old.get("pendingReplacement"):
            kept.append({**old, "delete": True})
    return [*kept, created]


def release(target: Engine, say: Callable[[str], None]) -> None:
    """Remove the lock of a simulated stack's dead operation. Raises `UserError` where one may be still at work."""
    if may_cancel(locks(target), target.stack, platform.node()):
        target.capture("cancel", "--yes")
        say("an earlier operation was killed: its lock is removed")


def interrupted(target: Engine) -> bool:
    """Whether the state of a simulated stack holds operations that were cut off."""
    return '"pending_operations"' in state_file(target).read_text(encoding="utf-8")


def repair(
    target: Engine,
    look_up: Callable[[Engine, Mapping[str, Any]], Mapping[str, str | None]],
    say: Callable[[str], None],
) -> bool:
    """Settle the operations that were cut off, as `look_up` finds them; returns whether there were any.

    Raises `UserError` where the engine refuses.
    """
    export = json.loads(target.capture("stack", "export"))
    operations = export["deployment"].get("pending_operations") or []
    if not operations:
        return False
    creates = pending_creates(export["deployment"])
    found = look_up(target, export) if creates else {}
    there = sum(1 for urn in creates if found[urn])
    say(
        f"{len(operations)} operation(s) had been cut off; of {len(creates)} create(s), {there} had gone through "
        f"and {len(creates) - there} had not"
    )
    with tempfile.TemporaryDirectory(dir=target.home, prefix="recovery-") as folder:
        file = Path(folder, "state.json")
        file.write_text(json.dumps({**export, "deployment": settled(export["deployment"], found)}), encoding="utf-8")
        target.capture("stack", "import", "--file", str(file))
    return True


def from_simulated_cloud(target: Engine, export: Mapping[str, Any]) -> dict[str, str | None]:
    """The ids of pending creates that went through, by URN, looked up in the simulated cloud."""
    answer = subprocess.run(
        [paths.python(), "-m", "simulator.pending"],
        input=json.dumps(export),
        env=target.environment,
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise UserError("the simulated cloud could not be asked for what was created: see its message above")
    return {create["urn"]: create["id"] for create in json.loads(answer.stdout)}
