"""The configuration of the local Kafka."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from toolchain import jars, java, kafka
from toolchain.errors import UserError


def nothing(_: str) -> None:
    """Takes what would be shown."""


def test_the_node_listens_on_loopback_only_and_clients_are_told_the_same_place() -> None:
    settings = kafka.configuration(Path("/home/kafka"), 1, 2)
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:2"
    assert settings["log.dirs"] == Path("/home/kafka/data")
    assert kafka.Kafka("127.0.0.1", 1).address == "127.0.0.1:1"


def test_nothing_answers_on_a_port_that_nobody_listens_on() -> None:
    assert not kafka.answers(1)


def test_a_disk_is_formatted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "install", lambda progress, name: [Path("/kafka.jar")])
    monkeypatch.setattr(java, "install", lambda progress: Path("/java"))
    monkeypatch.setattr(kafka.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 40))
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        calls.append(command)
        return SimpleNamespace(returncode=len(calls) > 1, stdout="", stderr="java.lang.Error\nno space")

    monkeypatch.setattr(kafka.subprocess, "run", run)
    plan = kafka.prepare(tmp_path, nothing)
    assert plan.command[-2:] == ["kafka.Kafka", f"{tmp_path}/server.properties"]
    assert calls[0][-6:-3] == ["kafka.tools.StorageTool", "format", "-t"]
    with pytest.raises(UserError, match="Kafka could not format its disk: no space"):
        kafka.prepare(tmp_path, nothing)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").touch()
    assert kafka.prepare(tmp_path, nothing).port == plan.port
    assert len(calls) == 2
