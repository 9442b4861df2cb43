"""The Makefile: every target is explained, and values reach the commands whatever they hold."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TARGETS = ["help", "up", "preview", "down", "recover", "clean", "lint", "test", "test-unit"]


@pytest.fixture
def checkout(tmp_path: Path, project_root: Path) -> Path:
    """A checkout with the Makefile, whose set-up does nothing and whose commands note their arguments."""
    root = tmp_path / "my checkout"
    (root / "toolchain").mkdir(parents=True)
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(project_root / "Makefile", root)
    (root / "toolchain" / "bootstrap.sh").write_text("", encoding="utf-8")
    for name in ("python", "medallion", "lint-imports"):
        path = root / ".venv" / "bin" / name
        path.write_text(
            f'#!/bin/sh\nprintf "{name}" >> calls\nfor one; do printf "|%s" "$one" >> calls; done\necho >> calls\n',
            encoding="utf-8",
        )
        path.chmod(0o755)
    return root


def make(root: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(root), **more}
    return subprocess.run(["make", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text(encoding="utf-8").splitlines()


def test_help_explains_every_target(project_root: Path) -> None:
    makefile = (project_root / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE) == TARGETS
    done = make(project_root)
    explained = re.findall(r"^  ([a-z-]+) +\S.+$", done.stdout, re.MULTILINE)
    assert explained == TARGETS
    assert (done.returncode, done.stderr) == (0, "")
    assert "STACK      local (local, dev, staging or prod)" in done.stdout


def test_up_checks_before_anything_changes_and_runs_the_sample(checkout: Path) -> None:
    done = make(checkout, "up")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls(checkout) == [
        "python|-m|toolchain.setup",
        "medallion|doctor",
        "medallion|upload|ssh-logs|--replace|--check|--sample",
        "python|-m|toolchain.stack|up|--stack|local|--cloud|simulated",
        "medallion|upload|ssh-logs|--replace|--sample",
        "medallion|run|ssh-logs",
    ]


@pytest.mark.parametrize("path", ['my logs/today\'s "best".log', "-n", "a;b & c", "`id`"])
def test_up_takes_any_path(checkout: Path, path: str) -> None:
    assert make(checkout, "up", f"INPUT={path}", "WORKLOAD=cloud-usage", "STACK=dev").returncode == 0
    assert calls(checkout)[2:5] == [
        f"medallion|upload|cloud-usage|--replace|--check|--|{path}",
        "python|-m|toolchain.stack|up|--stack|dev|--cloud|simulated",
        f"medallion|upload|cloud-usage|--replace|--|{path}",
    ]


def test_up_stops_at_the_first_error(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "medallion").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    done = make(checkout, "up")
    assert done.returncode == 2
    assert calls(checkout) == ["python|-m|toolchain.setup"]


@pytest.mark.parametrize("action", ["preview", "down", "recover"])
def test_actions_on_a_stack(checkout: Path, action: str) -> None:
    assert make(checkout, action, "STACK=prod", "CLOUD=azure").returncode == 0
    assert calls(checkout) == [
        "python|-m|toolchain.setup|pulumi",
        f"python|-m|toolchain.stack|{action}|--stack|prod|--cloud|azure",
    ]


def test_commands_find_their_modules_and_keep_them_compiled(checkout: Path) -> None:
    note = '#!/bin/sh\necho "${PYTHONHOME-none} ${PYTHONDONTWRITEBYTECODE-none}" > calls\n'
    (checkout / ".venv" / "bin" / "python").write_text(note, encoding="utf-8")
    assert make(checkout, "test-unit", PYTHONHOME="/nowhere", PYTHONDONTWRITEBYTECODE="1").returncode == 0
    assert calls(checkout) == ["none none"]


def test_clean_removes_what_was_made_and_nothing_else(checkout: Path) -> None:
    made = (".medallion/state", "workloads/__pycache__", ".tools/caches/pytest")
    for name in (*made, ".venv/lib/__pycache__", ".tools/jars"):
        (checkout / name).mkdir(parents=True)
    done = make(checkout, "clean")
    assert done.returncode == 0
    assert sorted(path.name for path in checkout.iterdir()) == [".tools", ".venv", "Makefile", "toolchain", "workloads"]
    assert list((checkout / "workloads").iterdir()) == []
    assert [path.name for path in (checkout / ".tools").iterdir()] == ["jars"]
    assert (checkout / ".venv" / "lib" / "__pycache__").is_dir()
    assert ".venv and .tools stay" in done.stdout


def test_ci_lints_and_tests_with_the_real_logs_where_they_are(
    checkout: Path, project_root: Path, tmp_path: Path
) -> None:
    (checkout / ".ci").mkdir()
    shutil.copy(project_root / ".ci" / "run", checkout / ".ci")
    note = '#!/bin/sh\nprintf "%s %s\\n" "$*" "${MEDALLION_REAL_DATA:-none}" >> calls\n'
    (checkout / ".venv" / "bin" / "python").write_text(note, encoding="utf-8")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = [str(checkout / ".ci" / "run")]
    assert subprocess.run(command, cwd="/", env=environment, capture_output=True, check=False).returncode == 0
    tested = "-m pytest --numprocesses auto --dist loadgroup --cov --cov-report=term:skip-covered"
    assert calls(checkout)[-1] == f"{tested} none"
    assert "-m toolchain.house_rules none" in calls(checkout)
    (tmp_path / "shared" / "data").mkdir(parents=True)
    subprocess.run(command, cwd="/", env=environment, capture_output=True, check=True)
    assert calls(checkout)[-1] == f"{tested} {tmp_path}/shared/data"
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert subprocess.run(command, cwd="/", env=environment, capture_output=True, check=False).returncode != 0
