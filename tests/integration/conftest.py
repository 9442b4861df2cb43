"""A platform that is up, for the tests that type commands: the real engine, real Spark, real MLflow."""

import shutil
import subprocess

import pytest

from benchmarks.platform import Platform


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


@pytest.fixture
def project_copy(tmp_path, project_root) -> Platform:
    """A platform of a copy of the project, for tests that change its files. Environment and tools are shared."""
    copy = tmp_path / "my project"
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
    return Platform(tmp_path / "my home", copy)
