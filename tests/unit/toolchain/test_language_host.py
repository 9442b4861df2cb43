"""The stand-in for Pulumi's Python language host: what it starts, and what it tells the engine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as protocol
from pulumi.runtime.proto import language_pb2_grpc as protocol_grpc

from toolchain import language_host

INFO = protocol.ProgramInfo(root_directory="/my project", program_directory="/my project/stacks", entry_point=".")


def request(**more: object) -> protocol.RunRequest:
    fields = {"project": "medallion", "stack": "local", "pwd": "/pwd", "parallel": 8, "info": INFO}
    return protocol.RunRequest(**{**fields, "monitor_address": "127.0.0.1:1", "organization": "o", **more})


def test_the_program_is_started_as_the_original_host_does() -> None:
    command = language_host.program_command(request(dryRun=True, args=["a"]), "python", "exec.py", "127.0.0.1:2")
    assert command == [
        *("python", "-u", "exec.py"),
        *("--monitor", "127.0.0.1:1"),
        *("--engine", "127.0.0.1:2"),
        *("--project", "medallion"),
        *("--root_directory", "/my project"),
        *("--stack", "local"),
        *("--pwd", "/pwd"),
        *("--dry_run", "true"),
        *("--parallel", "8"),
        *("--organization", "o"),
        "/my project/stacks",
        "a",
    ]


def test_an_update_is_no_dry_run_and_an_entry_point_is_a_file() -> None:
    info = protocol.ProgramInfo(program_directory="/p", entry_point="main.py")
    command = language_host.program_command(request(info=info), "python", "exec.py", "e")
    assert "--dry_run" not in command
    assert command[-1] == "/p/main.py"


def test_the_configuration_goes_by_the_environment() -> None:
    asked = request(config={"medallion:location": "eastus"}, configSecretKeys=["medallion:token"])
    assert language_host.program_environment(asked, {"HOME": "/h"}) == {
        "HOME": "/h",
        "PULUMI_CONFIG": '{"medallion:location": "eastus"}',
        "PULUMI_CONFIG_SECRET_KEYS": '["medallion:token"]',
    }


@pytest.mark.parametrize(
    ("code", "stopped", "error", "bail"),
    [
        (0, False, "", False),
        (1, False, "Program exited with non-zero exit code: 1", False),
        (32, False, "", True),  # the program showed its error itself
        (-15, True, "", True),  # it was stopped: the engine knows why
    ],
)
def test_what_the_engine_is_told(code: int, stopped: bool, error: str, bail: bool) -> None:
    response = language_host.run_response(code, stopped)
    assert (response.error, response.bail) == (error, bail)


def test_policy_packs_and_other_plugins() -> None:
    pack = protocol.ProgramInfo(program_directory="/my policies")
    analyzer = protocol.RunPluginRequest(kind="analyzer", args=["127.0.0.1:2"], info=pack)
    other = protocol.RunPluginRequest(kind="resource", args=["127.0.0.1:2"], info=pack)
    assert language_host.plugin_command(analyzer, "python") == [
        *("python", "-u", "-m", "pulumi.policy"),
        "127.0.0.1:2",
        "/my policies",
    ]
    assert language_host.plugin_command(other, "python") == ["python", "-u", "/my policies", "127.0.0.1:2"]


def test_the_environment_of_a_plugin_is_the_engines_where_it_gives_one() -> None:
    assert language_host.plugin_environment(["A=1=2", "B="], {"C": "3"}) == {"A": "1=2", "B": ""}
    assert language_host.plugin_environment([], {"C": "3"}) == {"C": "3"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["127.0.0.1:2"], "127.0.0.1:2"), (["--logtostderr", "-v=3", "127.0.0.1:2"], "127.0.0.1:2"), ([], "")],
)
def test_the_engines_address_is_the_last_argument(arguments: list[str], expected: str) -> None:
    assert language_host.engine_address(arguments) == expected


@pytest.fixture
def host(
    tmp_path: Path, project_root: Path
) -> Iterator[tuple[subprocess.Popen[str], protocol_grpc.LanguageRuntimeStub]]:
    """A running host whose exec script is `tmp_path/exec.py`, and a client of it."""
    environment = {**os.environ, language_host.EXEC_SCRIPT: str(tmp_path / "exec.py"), "PYTHONPATH": str(project_root)}
    command = [sys.executable, "-m", "toolchain.language_host", "127.0.0.1:2"]
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    port = int(process.stdout.readline())
    # the test may run where a proxy is set
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield process, protocol_grpc.LanguageRuntimeStub(channel)
    process.kill()
    process.communicate()


def folder_info(folder: Path) -> protocol.ProgramInfo:
    return protocol.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")


def test_a_program_runs_and_its_exit_code_is_told(host, tmp_path: Path) -> None:
    _, stub = host
    (tmp_path / "exec.py").write_text(
        "import os, pathlib, sys\n"
        "pathlib.Path('seen').write_text(os.environ['PULUMI_CONFIG'] + ' ' + sys.argv[-1])\n"
        "sys.exit(int(os.environ['PULUMI_CONFIG_SECRET_KEYS'].strip('[\"]')))\n",
        encoding="utf-8",
    )
    asked = request(pwd=str(tmp_path), info=folder_info(tmp_path), config={"a": "b"}, configSecretKeys=["32"])
    assert stub.Run(asked, timeout=60) == protocol.RunResponse(bail=True)
    assert (tmp_path / "seen").read_text(encoding="utf-8") == f'{{"a": "b"}} {tmp_path}'
    assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=60).version == "3.250.0"
    assert list(stub.InstallDependencies(protocol.InstallDependenciesRequest(), timeout=60)) == []


def test_the_output_of_a_plugin_is_streamed_while_it_runs(host, tmp_path: Path) -> None:
    _, stub = host
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "__main__.py").write_text(
        "import pathlib, sys, time\n"
        "sys.stdout.write('12345\\n')\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)\n"
        "print('bad', file=sys.stderr); sys.exit(3)\n",
        encoding="utf-8",
    )
    go_on = tmp_path / "go on"
    answers = stub.RunPlugin(
        protocol.RunPluginRequest(
            kind="resource",
            pwd=str(tmp_path),
            args=[str(go_on)],
            info=protocol.ProgramInfo(program_directory=str(plugin)),
        ),
        timeout=60,
    )
    assert next(answers).stdout == b"12345\n"
    go_on.touch()
    rest = list(answers)
    assert b"".join(answer.stderr for answer in rest) == b"bad\n"
    assert rest[-1] == protocol.RunPluginResponse(exitcode=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_with_what_it_started(host, tmp_path: Path, number: signal.Signals) -> None:
    process, stub = host
    (tmp_path / "exec.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path('fresh').write_text(str(os.getpid())); os.rename('fresh', 'pid')\n"
        "while True: time.sleep(1)\n",
        encoding="utf-8",
    )
    running = stub.Run.future(request(pwd=str(tmp_path), info=folder_info(tmp_path)), timeout=60)
    pid = int(wait_for(tmp_path / "pid"))
    process.send_signal(number)
    assert running.result() == protocol.RunResponse(bail=True)
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)
    return path.read_text(encoding="utf-8")
