"""What counts as the memory of a program."""

import subprocess
import sys

import psutil

from benchmarks.measured import memory_of

HELD = 64 * 2**20
CHILD = f"held = b'x' * {HELD}; print('ready', flush=True); input()"
# As Spark's Java does: its Python workers are children of another thread than the first.
PARENT = f"""
import subprocess, sys, threading
run = lambda: subprocess.run([sys.executable, '-c', {CHILD!r}])
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def test_processes_that_any_thread_started_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        watched = psutil.Process(parent.pid)
        assert watched.memory_full_info().pss < HELD <= memory_of(watched)
        parent.communicate("\n")
    assert memory_of(watched) == 0
