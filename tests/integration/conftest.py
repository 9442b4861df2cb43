"""A platform that is up, for the tests that type commands: the real engine, real Spark, real MLflow."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.platform import Platform
from toolchain import pulumi, simulated
from toolchain.engine import simulated_environment


class Project:
    """A small program and its stack, for what takes no whole platform."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (folder / "__main__.py").write_text(program)
        self.home = folder / "home"
        (self.home / "state").mkdir(parents=True)
        (self.home / "passphrase").write_text("test")
        self.executable = pulumi.find()
        self.environment = simulated_environment(self.home, self.executable, simulated.install(), os.environ)
        self.call("stack", "init", "test")

    def call(self, *arguments: str, fails: bool = False, **variables: str) -> str:
        """Run a command of Pulumi's, which must succeed or fail; returns what it printed."""
        done = subprocess.run(
            [str(self.executable), *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ids(self) -> dict[str, str]:
        """The ids of the stack's resources, by name."""
        resources = json.loads(self.call("stack", "export"))["deployment"].get("resources", [])
        return {resource["urn"].rpartition("::")[2]: resource["id"] for resource in resources if resource["custom"]}


@pytest.fixture(scope="session")
def new_project(tmp_path_factory) -> Callable[[str], Project]:
    """Makes the stack of a program, of which nothing exists yet."""
    return lambda program: Project(tmp_path_factory.mktemp("small"), program)


@pytest.fixture
def fresh(tmp_path) -> Platform:
    """A platform of which nothing exists yet. Its path holds a space: users' paths do."""
    return Platform(tmp_path / "my home")


@pytest.fixture(scope="session")
def standing(tmp_path_factory) -> Platform:
    """The stack `local`, up, with no data. Tests that use it leave its resources as they found them."""
    platform = Platform(tmp_path_factory.mktemp("standing") / "my home")
    platform.up()
    return platform


@pytest.fixture(scope="session")
def new_copy(tmp_path_factory, project_root) -> Callable[[], Platform]:
    """Makes a platform of a copy of the project, for tests that change its files. Environment and tools are shared."""

    def make() -> Platform:
        folder = tmp_path_factory.mktemp("copy")
        copy = folder / "my project"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=project_root,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project_root / name, copy / name)
        (copy / ".venv").symlink_to(project_root / ".venv")
        (copy / ".tools").mkdir()
        for tool in ("pulumi", "java", "jars"):
            if (project_root / ".tools" / tool).exists():
                (copy / ".tools" / tool).symlink_to(project_root / ".tools" / tool)
        return Platform(folder / "my home", copy)

    return make


@pytest.fixture
def project_copy(new_copy) -> Platform:
    """A platform of a copy of the project."""
    return new_copy()
