"""The configuration and command line of the local Cassandra, and what is said where it cannot be had."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from toolchain import cassandra, jars, java
from toolchain.errors import UserError

JARS = [Path("/jars/cassandra-all-5.0.9.jar"), Path("/jars/jamm-0.4.0.jar")]


def nothing(_: str) -> None:
    """Takes what would be shown."""


def test_the_node_listens_on_loopback_only_and_all_its_data_lie_in_its_folder() -> None:
    settings = cassandra.configuration(Path("/home/cassandra"), 1, 2, 3)
    assert (settings["listen_address"], settings["rpc_address"]) == ("127.0.0.1", "127.0.0.1")
    assert settings["seed_provider"][0]["parameters"] == [{"seeds": "127.0.0.1:2"}]
    places = [settings[name] for name in settings if name.endswith("_directory")] + settings["data_file_directories"]
    assert len(places) == 5
    assert all(place.startswith("/home/cassandra/") for place in places)


def test_a_write_is_on_disk_before_it_is_acknowledged() -> None:
    assert cassandra.configuration(Path("/home"), 1, 2, 3)["commitlog_sync"] == "batch"


def test_the_command_names_the_folder_by_which_a_stale_process_is_known() -> None:
    command = cassandra.command(Path("/java"), Path("/my home/cassandra"), JARS)
    assert command[:2] == ["/java", "-javaagent:/jars/jamm-0.4.0.jar"]
    assert "-Dcassandra.storagedir=/my home/cassandra" in command
    assert command[-2:] == [
        "/my home/cassandra/conf:/jars/cassandra-all-5.0.9.jar:/jars/jamm-0.4.0.jar",
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def test_nothing_answers_on_a_port_that_nobody_listens_on() -> None:
    assert not cassandra.answers(1)


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "install", lambda progress, name: JARS)
    monkeypatch.setattr(java, "install", lambda progress, versions: Path("/java"))
    monkeypatch.setattr(cassandra.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5 << 20))
    with pytest.raises(UserError, match=f"Cassandra needs 1024 MB of disk at {tmp_path}, and 5 MB are free: make room"):
        cassandra.prepare(tmp_path, nothing)


def test_cassandra_takes_java_17_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "install", lambda progress, name: JARS)
    monkeypatch.setattr(java, "candidates", lambda environment: iter([Path("/java21")]))
    monkeypatch.setattr(java, "inspect", lambda executable: (21, Path("/java21")))
    monkeypatch.setattr(java, "fetch", lambda: "no route to host")
    monkeypatch.setattr(java, "may_use_apt", lambda: False)
    with pytest.raises(UserError, match="Java 17 is needed and could not be fetched"):
        cassandra.prepare(tmp_path, nothing)
