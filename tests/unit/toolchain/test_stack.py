"""`python -m toolchain.stack`: what it asks of the engine, and what it says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import errors, recovery, stack
from toolchain.engine import Engine
from toolchain.errors import UserError

Script = Callable[[str, str], Path]


def options(*arguments: str):
    return stack.parser().parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["preview"], ["preview", "--policy-pack", "policies"]),
        (["up"], ["up", "--policy-pack", "policies", "--yes", "--skip-preview"]),
        (["refresh"], ["refresh", "--yes", "--skip-preview"]),
        (["down", "--parallel", "1"], ["destroy", "--yes", "--skip-preview", "--parallel", "1"]),
        (
            ["preview", "--expect-no-changes", "--json"],
            ["preview", "--policy-pack", "policies", "--expect-no-changes", "--json"],
        ),
    ],
)
def test_operations_of_a_simulated_stack(simulated_stack: Engine, arguments: list[str], expected: list[str]) -> None:
    head = [expected[0], "--config-file", str(simulated_stack.settings), "--suppress-permalink=true"]
    assert stack.operation(simulated_stack, options(*arguments)) == head + expected[1:]


def test_azure_is_asked_for_unless_yes_is_said(tmp_path: Path) -> None:
    target = Engine("dev", "azure", tmp_path, Path("pulumi"), tmp_path / "Pulumi.dev.yaml", {})
    assert "--yes" not in stack.operation(target, options("up"))
    assert stack.operation(target, options("up", "--yes"))[-1] == "--yes"
    assert "--skip-preview" not in stack.operation(target, options("up", "--yes"))


def test_changes_are_read_from_the_event_log() -> None:
    lines = ['{"sequence":0,"stdoutEvent":{}}', '{"sequence":1,"summaryEvent":{"resourceChanges":{"same":7}}}']
    assert stack.changes(lines) == {"same": 7}
    assert stack.changes(lines[:1]) is None


@pytest.mark.parametrize(
    ("action", "counts", "expected"),
    [
        ("preview", {"same": 7}, "simulated cloud, stack dev: no change"),
        ("preview", {"same": 7, "update": 2, "create": 1}, "simulated cloud, stack dev: 1 to create, 2 to update"),
        ("up", {"create": 7}, "simulated cloud: stack dev is up; nothing was done in Azure"),
        ("down", {"delete": 7}, "simulated cloud: stack dev is down; nothing was done in Azure"),
    ],
)
def test_the_last_line_says_simulated(action: str, counts: dict[str, int], expected: str) -> None:
    assert stack.conclusion(action, "dev", counts) == expected


def test_a_preview_says_that_it_is_simulated_and_whether_anything_changes(
    simulated_stack: Engine, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    event = json.dumps({"summaryEvent": {"resourceChanges": {"same": 3}}})
    script("pulumi", f"for log; do :; done; shift $(($# - 3)); printf '%s\\n' '{event}' > \"$1\"")
    code = stack.operate(simulated_stack, options("preview"), print)
    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "simulated cloud: preview of stack local; no Azure subscription is used",
        "simulated cloud, stack local: no change",
    ]


def test_the_engines_failure_is_the_commands(simulated_stack: Engine, script: Script) -> None:
    script("pulumi", "exit 3")
    assert stack.operate(simulated_stack, options("up"), lambda _: None) == 3


def test_any_command_of_pulumis_reaches_a_stack_with_its_settings_and_policies(
    simulated_stack: Engine, script: Script, tmp_path: Path
) -> None:
    script("pulumi", f'printf "%s\\n" "$@" > "{tmp_path}/calls"; env > "{tmp_path}/environment"; exit 3')
    assert simulated_stack.plain("state", "delete", "urn:a$b::c d") == 3
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == ["state", "delete", "urn:a$b::c d"]
    given = set((tmp_path / "environment").read_text(encoding="utf-8").splitlines())
    assert given >= {
        "PULUMI_STACK=local",
        f"PULUMI_OPTION_CONFIG_FILE={simulated_stack.settings}",
        "PULUMI_OPTION_POLICY_PACK=policies",
        "PULUMI_OPTION_YES=true",
        "PULUMI_OPTION_SKIP_PREVIEW=true",
    }


@pytest.mark.parametrize(
    ("cloud", "arguments"), [("azure", ["up"]), ("azure", ["import"]), ("simulated", ["refresh", "--preview-only"])]
)
def test_azure_asks_and_shows_first_and_what_only_shows_is_not_told_yes(
    script: Script, tmp_path: Path, cloud: str, arguments: list[str]
) -> None:
    executable = script("pulumi", f'env > "{tmp_path}/environment"')
    target = Engine("dev", cloud, tmp_path, executable, tmp_path / "Pulumi.dev.yaml", {"PATH": "/usr/bin:/bin"})
    assert target.plain(*arguments) == 0
    given = (tmp_path / "environment").read_text(encoding="utf-8")
    assert "PULUMI_STACK=dev\n" in given
    assert "PULUMI_OPTION_YES" not in given
    assert "PULUMI_OPTION_SKIP_PREVIEW" not in given


def test_what_stands_after_two_dashes_is_pulumis() -> None:
    assert stack.split(["pulumi", "--stack", "dev", "--", "up", "--stack", "--"]) == (
        ["pulumi", "--stack", "dev"],
        ["up", "--stack", "--"],
    )
    assert stack.split(["up"]) == (["up"], [])


def test_arguments_for_pulumi_are_refused_where_they_would_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stack.main(["up", "--", "--replace", "urn"])
    assert "what stands after -- is for the action pulumi, not for up" in capsys.readouterr().err


def test_the_stack_is_that_of_the_environment_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK", "staging")
    assert options("preview").stack == "staging"
    assert options("preview", "--stack", "dev").stack == "dev"
    monkeypatch.delenv("STACK")
    assert options("preview").stack == "local"


@pytest.mark.parametrize("action", ["up", "down"])
def test_a_killed_engine_is_one_clear_error(simulated_stack: Engine, script: Script, action: str) -> None:
    script("pulumi", "kill -9 $$")
    message = f"pulumi was ended by signal 9; `make {action} STACK=local` recovers and goes on"
    with pytest.raises(UserError, match=message):
        stack.operate(simulated_stack, options(action), lambda _: None)


def test_an_operation_first_recovers_and_a_preview_changes_nothing(
    simulated_stack: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(recovery, "release", lambda target, say: done.append("release"))
    monkeypatch.setattr(recovery, "interrupted", lambda target: True)
    monkeypatch.setattr(recovery, "repair", lambda target, look_up, say: done.append(look_up.__name__) or True)
    monkeypatch.setattr(Engine, "call", lambda self, *arguments: done.append(arguments[0]) or 0)
    stack.operate(simulated_stack, options("preview"), lambda _: None)
    assert done == ["preview"]
    done.clear()
    stack.operate(simulated_stack, options("up"), lambda _: None)
    assert done == ["release", "from_simulated_cloud", "refresh", "up"]


def test_recover_asks_first(
    simulated_stack: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert stack.recover(simulated_stack, print) == 1
    assert capsys.readouterr().out == "nothing was changed\n"
    assert not (tmp_path / "calls").exists()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert stack.recover(simulated_stack, print) == 0
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "cancel --yes --non-interactive --stack local\n"


def test_recover_without_a_person_changes_nothing(simulated_stack: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="recover asks before it changes anything: run it in a terminal"):
        stack.recover(simulated_stack, print)


def test_ids_in_azure_are_asked_for(simulated_stack: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"urn:a": " /subscriptions/1 ", "urn:b": ""}
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answers[question.split("\n")[0]])
    creates = [{"type": "creating", "resource": {"urn": urn}} for urn in answers]
    found = stack.ask_for_ids(simulated_stack, {"deployment": {"pending_operations": creates}})
    assert found == {"urn:a": "/subscriptions/1", "urn:b": None}


def test_an_error_for_a_person_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise UserError("no such thing: do that")

    with pytest.raises(SystemExit) as ended:
        errors.run(fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: no such thing: do that\n"
