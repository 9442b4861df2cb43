"""Servers of the simulated cloud (Cassandra, Kafka): real ones, on free loopback ports, shared by whoever needs them.

One runs per folder. The first user starts it, others share it, and it stops after the last one, however they end
(`toolchain.keeper`). Its folder holds data, configuration, `server.log`, and that of the start before.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from toolchain import paths
from toolchain.errors import UserError
from toolchain.keeper import SECONDS_BETWEEN_LOOKS, STOP_SECONDS

LOOPBACK = "127.0.0.1"
START_SECONDS = 300  # a minute on two cores with a load of sixteen


@dataclass(frozen=True)
class Plan:
    """How a server is started, and the port that it will answer on."""

    command: list[str]
    port: int


@dataclass(frozen=True)
class Server:
    """A server: its name for people, its folder, what makes it ready to start, and whether it answers on a port."""

    name: str
    folder: Path
    prepare: Callable[[], Plan]
    answers: Callable[[int], bool]


@contextmanager
def running(server: Server) -> Iterator[int]:
    """The port of the server, which runs at least for the length of the block.

    Raises UserError where it does not start, with what it said last.
    """
    server.folder.mkdir(parents=True, exist_ok=True)
    with (server.folder / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for one that is being stopped
        try:
            with (server.folder / "start.lock").open("a") as start:
                fcntl.flock(start, fcntl.LOCK_EX)
                port = _standing(server) or _start(server)
            yield port
        finally:
            _leave(server, users)


def free_ports(count: int, before: Path) -> list[int]:
    """Free loopback ports: those of the last start, kept in the file `before`, where they are free still."""
    kept = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else []
    wanted = kept if len(kept) == count else [0] * count
    try:
        ports = _bind(wanted)
    except OSError:  # somebody else has one of them by now
        ports = _bind([0] * count)
    before.write_text(json.dumps(ports), encoding="utf-8")
    return ports


def _bind(ports: list[int]) -> list[int]:
    sockets = [socket.socket() for _ in ports]
    try:
        for one, port in zip(sockets, ports, strict=True):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((LOOPBACK, port))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _standing(server: Server) -> int | None:
    """The port of the server where one runs already; one that a dead keeper left behind is ended."""
    if _kept(server) and (port := _wait(server, lambda: _kept(server))):
        return port
    if state := _state(server):
        for how in (signal.SIGTERM, signal.SIGKILL):
            if _is_of(server, state["pid"]):
                with suppress(ProcessLookupError):
                    os.kill(state["pid"], how)
                _until(lambda: not _is_of(server, state["pid"]), STOP_SECONDS)
    (server.folder / "server.json").unlink(missing_ok=True)
    return None


def _start(server: Server) -> int:
    plan = server.prepare()
    log = server.folder / "server.log"
    if log.is_file():
        log.replace(log.with_suffix(".before.log"))
    keeper = subprocess.Popen(
        [sys.executable, "-m", "toolchain.keeper", str(server.folder), json.dumps(plan.__dict__)],
        cwd=paths.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # an interrupt from the keyboard is for its users
    )
    port = _wait(server, lambda: keeper.poll() is None)
    if port is None:
        raise UserError(f"{server.name} ended while it started: {_last_words(log)}")
    return port


def _wait(server: Server, alive: Callable[[], bool]) -> int | None:
    """The port once the server answers; None where its keeper ends before. Raises UserError where it takes too long."""

    def ready() -> bool:
        state = _state(server)
        return bool(state) and server.answers(state["port"])

    _until(lambda: ready() or not alive(), START_SECONDS)
    state = _state(server)
    if state and server.answers(state["port"]):
        return state["port"]
    if alive():
        said = _last_words(server.folder / "server.log")
        raise UserError(f"{server.name} did not answer within {START_SECONDS} seconds: {said}")
    return None


def _leave(server: Server, users: object) -> None:
    """Stop being a user; the last one waits until the server has stopped."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # others are there, or it is being stopped already
        return
    fcntl.flock(users, fcntl.LOCK_UN)
    _until(lambda: not _kept(server), STOP_SECONDS + 1)


def _kept(server: Server) -> bool:
    """Whether a keeper is there."""
    with (server.folder / "keeper.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _state(server: Server) -> dict | None:
    try:
        return json.loads((server.folder / "server.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _is_of(server: Server, pid: int) -> bool:
    """Whether a process is the server's: its command line names the folder. A number may be given anew."""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(server.folder) in shown.stdout


def _last_words(log: Path) -> str:
    """The line of a server's log that says most: its last error, else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    telling = [line for line in lines if "ERROR" in line or "Exception" in line] or lines or ["it said nothing"]
    return f"{telling[-1].strip()} (more in {log})"


def _until(happened: Callable[[], bool], seconds: float) -> None:
    """Wait until something has happened, at most so many seconds."""
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(SECONDS_BETWEEN_LOOKS)
