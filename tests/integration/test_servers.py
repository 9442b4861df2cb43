"""Servers that several share: started once, stopped after the last user however that one ends, and found when stale."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import server
from toolchain.errors import UserError

# Listens on the port that it is given, and says so.
LISTENS = """
import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("here I am", flush=True)
while True: s.accept()[0].close()
"""
FAILS = "import sys; print('INFO starting'); print('ERROR no such disk'); print('bye'); sys.exit(3)"
# A process that uses the server until it is killed.
USES = """
import sys, time
from pathlib import Path
from tests_of_servers import declared
from toolchain import server
with server.running(declared(Path(sys.argv[1]))):
    print("using", flush=True)
    time.sleep(600)
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection((server.LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def declared(folder: Path, program: str = LISTENS) -> server.Server:
    """A server that is a few lines of Python."""

    def prepare() -> server.Plan:
        (port,) = server.free_ports(1, folder / "ports.json")
        return server.Plan([sys.executable, "-S", "-c", program, str(port), str(folder)], port)

    return server.Server("Listener", folder, prepare, answers)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's folder; its path holds a space."""
    return tmp_path / "my server"


def pid(folder: Path) -> int:
    return json.loads((folder / "server.json").read_text())["pid"]


def gone(number: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True)
    return done.stdout.strip()[:1] in ("", "Z")


def eventually(happened: Callable[[], bool]) -> bool:
    server._until(happened, 60)
    return happened()


def test_users_share_one_server_which_ends_with_the_last_and_keeps_its_port(folder):
    with server.running(declared(folder)) as first:
        number = pid(folder)
        with server.running(declared(folder)) as second:
            assert second == first
            assert pid(folder) == number
        assert answers(first)
    assert gone(number)
    assert not answers(first)
    with server.running(declared(folder)) as again:
        assert again == first
        assert pid(folder) != number
    assert (folder / "server.before.log").read_text() == "here I am\n"


def test_another_port_is_taken_where_the_kept_one_is_no_longer_free(folder):
    with server.running(declared(folder)) as port:
        pass
    with socket.create_server((server.LOOPBACK, port)), server.running(declared(folder)) as other:
        assert other != port


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(folder):
    with (
        pytest.raises(UserError, match=r"Listener ended while it started: ERROR no such disk \(more in .*server.log\)"),
        server.running(declared(folder, FAILS)),
    ):
        pytest.fail("it cannot be used")
    assert not (folder / "server.json").exists()


def test_a_killed_user_leaves_no_server_behind(folder, tmp_path):
    (tmp_path / "tests_of_servers.py").symlink_to(__file__)
    user = subprocess.Popen(
        [sys.executable, "-c", USES, str(folder)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout.readline() == "using\n"
    number = pid(folder)
    user.kill()
    user.wait()
    user.stdout.close()
    assert eventually(lambda: gone(number))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends it, as the next test says")
def test_a_killed_keeper_takes_the_server_with_it(folder):
    with server.running(declared(folder)):
        number = pid(folder)
        keeper = subprocess.run(["ps", "-o", "ppid=", "-p", str(number)], capture_output=True, text=True)
        os.kill(int(keeper.stdout), signal.SIGKILL)
        assert eventually(lambda: gone(number))


def test_where_the_server_ended_by_itself_and_its_keeper_is_about_to_a_new_one_is_started(folder, monkeypatch):
    kept = iter([True, True])  # seen still, and still while it is waited for
    really = server._kept
    monkeypatch.setattr(server, "_kept", lambda one: next(kept, None) or really(one))
    with server.running(declared(folder)) as port:
        assert answers(port)
    assert next(kept, "none") == "none"


def test_a_server_that_a_dead_keeper_left_is_replaced_and_a_strangers_process_is_not_touched(folder):
    folder.mkdir()
    plan = declared(folder).prepare()
    left = subprocess.Popen(plan.command, stdout=subprocess.DEVNULL)
    state = folder / "server.json"
    state.write_text(json.dumps({"pid": left.pid, "port": plan.port}))
    with server.running(declared(folder)):
        assert left.wait() == -signal.SIGTERM
        assert pid(folder) != left.pid
    state.write_text(json.dumps({"pid": os.getpid(), "port": plan.port}))  # a number that was given anew
    with server.running(declared(folder)):
        assert pid(folder) != os.getpid()
