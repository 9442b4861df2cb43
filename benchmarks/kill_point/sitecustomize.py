"""Ends or copies a task's process at its durable writes: put this folder on PYTHONPATH.

Every durable write of a task is announced as the audit event `medallion.effect` (phase, kind, name), see
`workloads/lakehouse/effects.py`. `EFFECTS_KILL_POINT=before:7` kills the process with signal 9 just before the
seventh write, `after:7` just after it; `EFFECTS_LIST=PATH` lists the writes in a file, one a line.
`EFFECTS_STATES=FOLDER` copies the platform's state folder, which `EFFECTS_HOME` names, before the n-th write to
`FOLDER/before:n`, while the process and all its children (Java, Python workers) are stopped: what signal 9 would leave.
"""

import os
import signal
import subprocess
import sys
from _thread import allocate_lock

PHASE, _, NUMBER = os.environ.get("EFFECTS_KILL_POINT", "").partition(":")
LIST = os.environ.get("EFFECTS_LIST")
STATES, HOME = os.environ.get("EFFECTS_STATES"), os.environ.get("EFFECTS_HOME", "")
# In a session of its own, so that it is not among those that it stops. Servers, which no kill of the run ends, go on:
# where a file of theirs goes while it is copied, the copy is made anew.
COPY = """kill -STOP -"$1" || exit
for try in 1 2 3 4 5; do cp -a "$2" "$3" && break; rm -rf "$3"; done
[ -d "$3" ]; code=$?
kill -CONT -"$1"; exit $code"""
seen = {"before": 0, "after": 0}
counting = allocate_lock()  # a task may write several things side by side


def at_effect(event: str, arguments: tuple) -> None:
    """The audit hook."""
    if event != "medallion.effect":
        return
    with counting:
        at_write(*arguments)


def at_write(phase: str, kind: str, name: str) -> None:
    """Counts a write, and does what was asked for at it."""
    seen[phase] += 1
    if LIST and phase == "before":
        with open(LIST, "a", encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not loaded this early)
            file.write(f"{kind}\t{name}\n")
    if STATES and phase == "before":
        copy = ["sh", "-c", COPY, "copy", str(os.getpgrp()), HOME, f"{STATES}/before:{seen[phase]}"]
        subprocess.run(copy, start_new_session=True, check=True)
    if phase == PHASE and seen[phase] == int(NUMBER):
        os.kill(os.getpid(), signal.SIGKILL)


if PHASE or LIST or STATES:
    sys.addaudithook(at_effect)
