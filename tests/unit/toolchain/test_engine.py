"""How the engine is called: its environment, its errors, and what a simulated stack is prepared with."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import engine as engine_module
from toolchain import paths
from toolchain.engine import Engine, azure_environment, engine, prepare, simulated_environment
from toolchain.errors import UserError

Script = Callable[[str, str], Path]

PROVIDERS = Path("/providers")
PULUMI = Path("/opt/pulumi/pulumi")


@pytest.mark.parametrize(
    ("stack", "cloud", "message"),
    [
        ("qa", "simulated", "STACK=qa: there is no such stack; choose one of local, dev, staging, prod"),
        ("dev", "aws", "CLOUD=aws: choose one of simulated, azure"),
        ("local", "azure", "STACK=local is always simulated; choose dev, staging or prod for CLOUD=azure"),
    ],
)
def test_combinations_that_do_not_exist(stack: str, cloud: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        engine(stack, cloud)
    assert str(raised.value) == message


def test_the_simulated_cloud_hears_nothing_of_the_users_own_pulumi(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    given = {"PATH": "/usr/bin", "PULUMI_ACCESS_TOKEN": "t", "PULUMI_BACKEND_URL": "s3://real", "LANG": "C.UTF-8"}
    environment = simulated_environment(home, PULUMI, PROVIDERS, given)
    assert environment == {
        "LANG": "C.UTF-8",
        "PATH": f"/providers:{paths.ROOT}/.venv/bin:/opt/pulumi:/usr/bin",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "MEDALLION_HOME": str(home),
        "CLOUD": "simulated",
        "PULUMI_HOME": str(paths.tools() / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{home}/state?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home / "passphrase"),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DEBUG_COMMANDS": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONWARNINGS": "ignore:coroutine 'RPCManager:RuntimeWarning",
    }


def test_the_users_exceptions_from_the_proxy_are_kept() -> None:
    environment = simulated_environment(Path("/h"), PULUMI, PROVIDERS, {"NO_PROXY": "intranet"})
    assert environment["no_proxy"] == environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_azure_is_called_with_the_users_own_backend_and_plugins() -> None:
    given = {"PATH": "/usr/bin", "PULUMI_BACKEND_URL": "azblob://state", "ARM_CLIENT_ID": "c"}
    environment = azure_environment(Path("/h"), PULUMI, given)
    assert environment == {
        **given,
        "PATH": f"{paths.ROOT}/.venv/bin:/opt/pulumi:/usr/bin",
        "MEDALLION_HOME": "/h",
        "CLOUD": "azure",
        "PULUMI_DEBUG_COMMANDS": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONWARNINGS": "ignore:coroutine 'RPCManager:RuntimeWarning",
    }


def test_the_real_stack_uses_the_tracked_settings_and_the_simulated_one_a_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    monkeypatch.setattr(engine_module.pulumi, "find", lambda: PULUMI)
    monkeypatch.setattr(engine_module.simulated, "install", lambda: PROVIDERS)
    assert engine("dev", "azure").settings == paths.ROOT / "Pulumi.dev.yaml"
    assert engine("dev", "simulated").settings == tmp_path / "stacks" / "Pulumi.dev.yaml"


def test_a_failing_call_is_one_line_with_the_engines_message(simulated_stack: Engine, script: Script) -> None:
    script("pulumi", "echo 'error: no such\n  stack' >&2; exit 255")
    with pytest.raises(UserError) as raised:
        simulated_stack.capture("stack", "export")
    assert str(raised.value) == "pulumi stack export of stack local: no such stack"


def test_a_new_stack_is_prepared_without_a_touch_to_tracked_files(
    simulated_stack: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = tmp_path / "Pulumi.local.yaml"
    tracked.write_text("config: {}\n", encoding="utf-8")
    monkeypatch.setattr(engine_module, "tracked", lambda stack: tracked)
    engine_module.state_file(simulated_stack).unlink()
    prepare(simulated_stack)
    passphrase = simulated_stack.home / "passphrase"
    secret = passphrase.read_text(encoding="ascii")
    assert len(secret) == 43
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    project = simulated_stack.home / "stacks" / "Pulumi.yaml"
    assert project.read_text(encoding="utf-8") == "name: medallion\nruntime: python\n"
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls == "stack init --no-select --non-interactive --stack local\n"
    prepare(simulated_stack)
    assert passphrase.read_text(encoding="ascii") == secret


def test_the_engine_has_no_place_for_logs_even_where_it_had_one(simulated_stack: Engine, tmp_path: Path) -> None:
    logs = tmp_path / "pulumi-home" / "logs"
    logs.mkdir(parents=True)
    (logs / "organization+medallion+local.log").write_bytes(b"old")
    prepare(simulated_stack)
    prepare(simulated_stack)
    assert logs.read_bytes() == b""


def test_the_state_folder_is_given_absolutely(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MEDALLION_HOME", raising=False)
    assert paths.home() == paths.ROOT / ".medallion"
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    assert paths.home() == tmp_path
    monkeypatch.setenv("MEDALLION_HOME", "state")
    with pytest.raises(UserError, match="MEDALLION_HOME is 'state': give an absolute path"):
        paths.home()


def test_no_path_depends_on_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project_root: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert project_root == paths.ROOT
    assert paths.tools() == project_root / ".tools"
