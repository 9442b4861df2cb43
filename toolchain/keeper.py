"""`python -m toolchain.keeper FOLDER PLAN`: keeps a server running for as long as somebody uses it, then stops it.

Started by `toolchain.server` in a session of its own. Locks say who is there, and the system lets go of them however
their holder ends: each user holds `users.lock` shared, the keeper holds `keeper.lock` and takes `users.lock` exclusive
once nobody else has it. PLAN is a JSON object: `command`, and the `port` that the server will answer on.
"""

import ctypes
import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

SECONDS_BETWEEN_LOOKS = 0.2
STOP_SECONDS = 30
PR_SET_PDEATHSIG = 1  # prctl(2)


def main(folder: Path, plan: dict) -> None:
    """Start the server, wait until nobody needs it or it ends by itself, and stop it."""
    with (folder / "keeper.lock").open("a") as own, (folder / "users.lock").open("a") as users:
        fcntl.flock(own, fcntl.LOCK_EX)
        with (folder / "server.log").open("ab") as log:
            command = plan["command"]
            server = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )
        state = folder / "server.json"
        fresh = state.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": server.pid, "port": plan["port"]}), encoding="utf-8")
        fresh.replace(state)
        while server.poll() is None and not unused(users):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        stop(server)
        state.unlink()


def end_with_parent() -> None:
    """In the new process: be told to end when the keeper is gone, however it ends (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def unused(users: TextIO) -> bool:
    """Whether nobody uses the server; from then on, whoever comes waits until it has stopped."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def stop(server: subprocess.Popen) -> None:
    """Ask the server to end, which lets it write what it holds in memory; one that does not is killed."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
