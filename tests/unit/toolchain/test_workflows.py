"""The workflows: whatever they run is there, and a deployment does its steps in order."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from toolchain import stack
from toolchain.engine import STACKS

Workflow = dict[Any, Any]


@pytest.fixture(scope="module")
def workflows(project_root: Path) -> dict[str, Workflow]:
    files = (project_root / ".github" / "workflows").glob("*.yml")
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}


@pytest.fixture(scope="module")
def deploy(workflows: dict[str, Workflow]) -> Workflow:
    return workflows["deploy"]["jobs"]["deploy"]


def steps(workflows: dict[str, Workflow]) -> Iterator[dict[str, Any]]:
    for workflow in workflows.values():
        for job in workflow["jobs"].values():
            yield from job["steps"]


@pytest.fixture(scope="module")
def commands(workflows: dict[str, Workflow]) -> list[list[str]]:
    """The lines that are run, as words; the shell's variables are as if the stack were prod."""
    lines = [line for step in steps(workflows) for line in step.get("run", "").splitlines() if line.strip()]
    return [shlex.split(line.replace("$STACK", "prod").rstrip("\\")) for line in lines]


def following(commands: list[list[str]], *start: str) -> list[list[str]]:
    """What stands behind a beginning in the commands that begin so."""
    found = [words[len(start) :] for words in commands if words[: len(start)] == list(start)]
    assert found
    return found


def test_every_make_target_exists(commands: list[list[str]], project_root: Path) -> None:
    makefile = (project_root / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE)
    assert {words[0] for words in following(commands, "make")} <= set(targets)


def test_every_script_and_module_exists(
    commands: list[list[str]], workflows: dict[str, Workflow], project_root: Path
) -> None:
    for script, *_ in following(commands, "sh"):
        assert (project_root / script).is_file()
    modules = {name for step in steps(workflows) for name in re.findall(r"-m ([\w.]+)", step.get("run", ""))}
    assert {"toolchain.stack", "toolchain.touched_stacks"} <= modules
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_every_subcommand_takes_what_it_is_given(commands: list[list[str]]) -> None:
    from medallion.__main__ import app

    known = typer.main.get_command(app).commands
    for name, *arguments in following(commands, ".venv/bin/medallion"):
        assert known[name].make_context(name, arguments).params["cloud"] == "azure"
    for arguments in following(commands, ".venv/bin/python", "-m", "toolchain.stack"):
        assert stack.parser().parse_args(arguments).cloud == "azure"


def test_actions_are_pinned_to_a_major_version(workflows: dict[str, Workflow]) -> None:
    used = [step["uses"] for step in steps(workflows) if "uses" in step]
    assert "azure/login@v2" in used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)] == []


def test_every_variable_is_explained(project_root: Path) -> None:
    explained = (project_root / "docs" / "azure.md").read_text(encoding="utf-8")
    for file in (project_root / ".github" / "workflows").glob("*.yml"):
        for name in re.findall(r"vars\.(\w+)", file.read_text(encoding="utf-8")):
            assert f"`{name}`" in explained


def test_any_stack_but_the_laptop_can_be_deployed_one_at_a_time(workflows: dict[str, Workflow]) -> None:
    workflow = workflows["deploy"]
    started_by = workflow[True]  # YAML 1.1 reads `on` so
    assert list(started_by) == ["workflow_dispatch"]
    assert started_by["workflow_dispatch"]["inputs"]["stack"]["options"] == [name for name in STACKS if name != "local"]
    assert workflow["concurrency"] == {"group": "deploy-${{ inputs.stack }}", "cancel-in-progress": False}


def test_a_deployment_signs_in_by_the_environment_of_its_stack(deploy: Workflow) -> None:
    assert deploy["environment"] == "${{ inputs.stack }}"
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
    assert deploy["env"]["ARM_USE_OIDC"] == "true"
    (login,) = [step for step in deploy["steps"] if step.get("uses", "").startswith("azure/login")]
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}
    assert "secrets." not in str(deploy)


def test_triggers_are_stopped_before_up_and_started_whatever_became_of_it(deploy: Workflow) -> None:
    runs = [step.get("run", "") for step in deploy["steps"]]
    build, stop, up, start = (
        next(index for index, run in enumerate(runs) if wanted in run)
        for wanted in ("build.sh", "triggers stop", "toolchain.stack up", "triggers start")
    )
    assert build < stop < up < start == len(runs) - 1
    assert deploy["steps"][stop]["id"] == "stop"
    assert "if" not in deploy["steps"][up]
    assert deploy["steps"][start]["if"] == "${{ always() && steps.stop.outcome != 'skipped' }}"
    assert "--yes" in runs[up]
