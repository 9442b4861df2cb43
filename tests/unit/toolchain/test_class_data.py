"""The archive of Spark's classes: made once, for one Java and one Spark, and done without where it is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain import class_data, jars, java, paths
from toolchain.errors import UserError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Java, and a folder of tools whose path holds a space."""
    home = tmp_path / "java"
    home.mkdir()
    (home / "release").write_text('JAVA_VERSION="17.0.1"\n')
    monkeypatch.setattr(paths, "tools", lambda: tmp_path / "my tools")
    monkeypatch.setattr(java, "find", lambda: home)
    monkeypatch.setattr(jars, "find", lambda: [Path("/a.jar")])
    return home


def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Has training only note its command, and write an archive."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        commands.append(command)
        Path(command[3]).write_bytes(b"classes")

    monkeypatch.setattr(class_data.subprocess, "run", run)
    return commands


def test_the_archive_is_made_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands, told = trained(monkeypatch), []
    archive = class_data.install(told.append)
    assert archive.read_bytes() == b"classes"
    assert commands[0][4:] == ["/a.jar"]
    assert class_data.install(told.append) == archive
    assert (len(commands), told) == (1, ["Spark: archive of its classes, half a minute"])
    assert class_data.options(home) == f'-XX:SharedArchiveFile="{archive}" -Xshare:auto -Xlog:disable'
    assert list(archive.parent.iterdir()) == [archive]


def test_another_java_has_another_archive_and_the_older_goes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch)
    older = class_data.install(lambda _: None)
    (home / "release").write_text('JAVA_VERSION="17.0.2"\n')
    assert class_data.options(home) == ""
    newer = class_data.install(lambda _: None)
    assert newer != older
    assert not older.exists()


def test_a_java_that_makes_no_archive_goes_without(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_data.subprocess, "run", lambda *_, **__: None)
    class_data.install(lambda _: None)
    assert class_data.options(home) == ""


def test_a_spark_that_does_not_start_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command, stderr=b"Traceback\nException: Java gateway exited\n")

    monkeypatch.setattr(class_data.subprocess, "run", fail)
    with pytest.raises(UserError, match=r"^Spark does not start with Java in .*java: Exception: Java gateway exited$"):
        class_data.install(lambda _: None)
