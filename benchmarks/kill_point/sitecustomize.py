"""Ends a task's process at a chosen durable write: put this folder on PYTHONPATH.

Every durable write of a task is announced as the audit event `medallion.effect` (phase, kind, name), see
`workloads/lakehouse/effects.py`. `EFFECTS_KILL_POINT=before:7` kills the process with signal 9 just before the
seventh write, `after:7` just after it; `EFFECTS_LIST=PATH` lists the writes in a file, one a line.
"""

import os
import signal
import sys

PHASE, _, NUMBER = os.environ.get("EFFECTS_KILL_POINT", "").partition(":")
LIST = os.environ.get("EFFECTS_LIST")
seen = 0


def at_effect(event: str, arguments: tuple) -> None:
    """The audit hook."""
    global seen
    if event != "medallion.effect":
        return
    phase, kind, name = arguments
    if LIST and phase == "before":
        with open(LIST, "a", encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not loaded this early)
            file.write(f"{kind}\t{name}\n")
    if phase == PHASE:
        seen += 1
        if seen == int(NUMBER):
            os.kill(os.getpid(), signal.SIGKILL)


if PHASE or LIST:
    sys.addaudithook(at_effect)
