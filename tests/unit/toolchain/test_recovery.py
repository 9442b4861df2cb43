"""What is done about a killed operation: which locks go, and what becomes of operations that were cut off."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import recovery
from toolchain.engine import Engine
from toolchain.errors import UserError
from toolchain.recovery import Holder, Lock

Script = Callable[[str, str], Path]

LOCK = Lock(pid=4711, host="here", user="ada", since="2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("host", "command", "expected"),
    [
        ("here", None, Holder.DEAD),
        ("here", "python3", Holder.DEAD),  # the process id was given to another program
        ("here", "pulumi", Holder.ALIVE),
        ("here", "pulumi-3.250.0", Holder.ALIVE),
        ("there", None, Holder.ELSEWHERE),
        ("there", "pulumi", Holder.ELSEWHERE),
    ],
)
def test_who_holds_a_lock(host: str, command: str | None, expected: Holder) -> None:
    assert recovery.holder(LOCK, host, command) is expected


def test_only_locks_of_dead_processes_are_cancelled() -> None:
    assert recovery.may_cancel([], "local", "here", {}.get) is False
    assert recovery.may_cancel([LOCK, LOCK], "local", "here", {}.get) is True


def test_a_living_process_keeps_its_lock() -> None:
    with pytest.raises(UserError, match=r"another pulumi \(process 4711, user ada, since 2026-01-02T03:04:05Z\) is at"):
        recovery.may_cancel([LOCK], "local", "here", {4711: "pulumi"}.get)


def test_a_lock_of_another_machine_is_for_a_person_to_judge() -> None:
    with pytest.raises(UserError, match=r"locked by ada@here .* run `make recover STACK=dev`"):
        recovery.may_cancel([LOCK], "dev", "there", {}.get)


def test_the_program_of_a_process_is_found() -> None:
    sleeping = subprocess.Popen([shutil.which("sleep"), "60"])
    try:
        assert recovery.running_command(sleeping.pid) == "sleep"
        sleeping.kill()
        os.waitid(os.P_PID, sleeping.pid, os.WEXITED | os.WNOWAIT)  # a zombie until it is waited for
        assert recovery.running_command(sleeping.pid) is None
    finally:
        sleeping.kill()
        sleeping.wait()
    assert recovery.running_command(sleeping.pid) is None


def write_lock(target: Engine, text: str) -> Path:
    folder = target.home / "state" / ".pulumi" / "locks" / "organization" / "medallion" / target.stack
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "0b8c.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_locks_are_read_as_the_engine_writes_them(simulated_stack: Engine) -> None:
    assert recovery.locks(simulated_stack) == []
    text = '{"pid":4711,"username":"ada","hostname":"here","timestamp":"2026-01-02T03:04:05Z"}'
    write_lock(simulated_stack, text)
    assert recovery.locks(simulated_stack) == [LOCK]


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}'])
def test_a_file_that_is_no_lock_is_named(simulated_stack: Engine, text: str) -> None:
    path = write_lock(simulated_stack, text)
    with pytest.raises(UserError, match="not a lock that can be read") as raised:
        recovery.locks(simulated_stack)
    assert str(path) in str(raised.value)


def state(name: str, **more: object) -> dict[str, object]:
    return {"urn": f"urn:{name}", "type": "t", "inputs": {"name": name}, "parent": "urn:stack", **more}


def pending(name: str, kind: str = "creating", **more: object) -> dict[str, object]:
    return {"resource": state(name, **more), "type": kind}


def test_pending_creates_are_told_from_other_operations() -> None:
    deployment = {"pending_operations": [pending("a"), pending("b", "updating", id="1"), pending("c", "deleting")]}
    assert recovery.pending_creates(deployment) == ["urn:a"]
    assert recovery.pending_creates({"resources": []}) == []


def test_a_create_that_went_through_becomes_a_resource_as_it_would_have_been() -> None:
    old = state("old", id="0")
    deployment = {"manifest": {"magic": "m"}, "resources": [old], "pending_operations": [pending("a", protect=True)]}
    assert recovery.settled(deployment, {"urn:a": "id-a"}) == {
        "manifest": {"magic": "m"},
        "resources": [old, state("a", protect=True, id="id-a")],
        "pending_operations": [],
    }


def test_a_create_that_did_not_go_through_is_forgotten() -> None:
    deployment = {"resources": [], "pending_operations": [pending("a"), pending("b")]}
    assert recovery.settled(deployment, {"urn:a": None, "urn:b": "id-b"})["resources"] == [state("b", id="id-b")]


def test_updates_and_deletes_that_were_cut_off_leave_the_resource_to_the_refresh() -> None:
    resources = [state("a", id="1"), state("b", id="2")]
    operations = [pending("a", "updating", id="1"), pending("b", "deleting", id="2")]
    settled = recovery.settled({"resources": resources, "pending_operations": operations}, {})
    assert settled == {"resources": resources, "pending_operations": []}


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        # deleted before its replacement was created
        ({"id": "1", "pendingReplacement": True}, [{"id": "2"}]),
        # to be deleted after
        ({"id": "1"}, [{"id": "1", "delete": True}, {"id": "2"}]),
        # from an earlier replacement, still to be deleted
        ({"id": "0", "delete": True}, [{"id": "0", "delete": True}, {"id": "2"}]),
        # the look-up by name found the old one: the create has not gone through
        ({"id": "2"}, [{"id": "2"}]),
        # deleted, and created again under the same id
        ({"id": "2", "pendingReplacement": True}, [{"id": "2"}]),
    ],
)
def test_the_create_of_a_replacement(old: dict[str, object], expected: list[dict[str, object]]) -> None:
    result = recovery.with_created([state("a", **old)], state("a", id="2"))
    assert result == [state("a", **resource) for resource in expected]


@pytest.fixture
def killed(simulated_stack: Engine, tmp_path: Path, script: Script) -> Engine:
    """A stack with two pending creates, on a `pulumi` that exports them and keeps what it imports in `imported`."""
    deployment = {"resources": [state("stack")], "pending_operations": [pending("a"), pending("b")]}
    (tmp_path / "export").write_text(json.dumps({"version": 3, "deployment": deployment}), encoding="utf-8")
    path = simulated_stack.home / "state" / ".pulumi" / "stacks" / "medallion" / "local.json"
    path.write_text(json.dumps({"checkpoint": {"latest": deployment}}), encoding="utf-8")
    body = f"""
printf '%s\\n' "$*" >> "{tmp_path}/calls"
case "$1 $2" in
    "stack export") cat "{tmp_path}/export" ;;
    "stack import") cp "$4" "{tmp_path}/imported" ;;
esac"""
    script("pulumi", body)
    return simulated_stack


def test_what_was_cut_off_is_settled_in_the_state(killed: Engine, tmp_path: Path) -> None:
    said: list[str] = []
    assert recovery.interrupted(killed)
    assert recovery.repair(killed, lambda *_: {"urn:a": "id-a", "urn:b": None}, said.append)
    imported = json.loads((tmp_path / "imported").read_text(encoding="utf-8"))
    assert imported == {
        "version": 3,
        "deployment": {"resources": [state("stack"), state("a", id="id-a")], "pending_operations": []},
    }
    assert said == ["2 operation(s) had been cut off; of 2 create(s), 1 had gone through and 1 had not"]
    assert [path.name for path in killed.home.iterdir()] == ["state"]


def test_a_state_without_pending_operations_is_left_alone(simulated_stack: Engine, tmp_path: Path) -> None:
    assert not recovery.interrupted(simulated_stack)
    assert not (tmp_path / "calls").exists()


def test_a_dead_lock_is_cancelled(simulated_stack: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery.platform, "node", lambda: "here")
    monkeypatch.setattr(recovery, "running_command", lambda pid: None)
    said: list[str] = []
    recovery.release(simulated_stack, said.append)
    assert said == []
    write_lock(simulated_stack, '{"pid":4711,"username":"ada","hostname":"here","timestamp":"t"}')
    recovery.release(simulated_stack, said.append)
    assert said == ["an earlier operation was killed: its lock is removed"]
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "cancel --yes --non-interactive --stack local\n"
