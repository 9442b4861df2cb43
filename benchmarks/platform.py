"""A simulated platform of its own for a measurement: a state folder, and the commands that a user types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.spark import SHORT
from toolchain import paths


@dataclass(frozen=True)
class Platform:
    """A simulated stack whose state lies in `home`, of the project in `root`."""

    home: Path
    root: Path = paths.ROOT
    stack: str = "local"

    def environment(self, **variables: str) -> dict[str, str]:
        """What commands of the project with this state folder find in their environment."""
        environment = os.environ | {"MEDALLION_HOME": str(self.home), "CLOUD": "simulated", "STACK": self.stack}
        environment |= {"MEDALLION_DRIVER_OPTIONS": SHORT} | variables
        # the project's own folder stands before the installed one: it may be a copy
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [variables.get("PYTHONPATH"), str(self.root)]))
        return environment

    def call(self, *command: str, **variables: str) -> subprocess.CompletedProcess:
        """Run a command of the project with this state folder; its output is captured."""
        line = [str(paths.python()), "-m", *command]
        environment = self.environment(**variables)
        return subprocess.run(line, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def succeed(self, *command: str, **variables: str) -> str:
        """Run a command that must succeed; returns what it printed. Raises RuntimeError with its messages."""
        done = self.call(*command, **variables)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def up(self, *options: str) -> str:
        """Stand the stack up."""
        return self.succeed("toolchain.stack", "up", "--stack", self.stack, *options)

    def resources(self) -> list[dict[str, Any]]:
        """The stack's state: resources as the engine exports them, by URN."""
        export = json.loads(self.succeed("toolchain.stack", "export", "--stack", self.stack))
        return sorted(export["deployment"].get("resources", []), key=lambda resource: resource["urn"])

    def snapshot(self, into: Path) -> None:
        """Copy the whole state folder."""
        shutil.copytree(self.home, into, symlinks=True)

    def restore(self, snapshot: Path) -> None:
        """Make the state folder what it was at the snapshot. The path stays the same, for states hold paths."""
        shutil.rmtree(self.home)
        shutil.copytree(snapshot, self.home, symlinks=True)


def without(document: Any, volatile: Mapping[str, str]) -> Any:
    """A JSON document without the keys that name times and ids of their own kind; `volatile`: key → why."""
    if isinstance(document, dict):
        return {key: without(value, volatile) for key, value in document.items() if key not in volatile}
    if isinstance(document, list):
        return [without(value, volatile) for value in document]
    return document
