"""What the tests of the toolchain share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.engine import Engine

Script = Callable[[str, str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes an executable shell script: `script(name, body)`."""

    def make(name: str, body: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def simulated_stack(tmp_path: Path, script: Script) -> Engine:
    """The simulated stack `local` on a `pulumi` that notes its arguments in `calls` and succeeds."""
    home = tmp_path / "home"
    state = home / "state" / ".pulumi" / "stacks" / "medallion"
    state.mkdir(parents=True)
    (state / "local.json").write_text("{}", encoding="utf-8")
    executable = script("pulumi", f'printf "%s\\n" "$*" >> "{tmp_path}/calls"')
    settings = home / "stacks" / "Pulumi.local.yaml"
    environment = {"PATH": "/usr/bin:/bin", "PULUMI_HOME": str(tmp_path / "pulumi-home")}
    return Engine("local", "simulated", home, executable, settings, environment)
