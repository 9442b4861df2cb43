# ruff: noqa: N802 - the methods bear the names of the protocol
"""Stand-in for `pulumi-language-python`, used only with a Pulumi built from the Go module proxy (docs/adr).

That build lacks Pulumi's own Python language host, whose module the proxy does not serve. This one speaks the part of
the protocol that a program and a policy pack need: `Run` and `RunPlugin`. It behaves as the original does, so that
nothing of ours can come to depend on it: same exec script, same exit codes, same environment.

Started by the engine as `pulumi-language-python [flags] <engine address>`; prints the port it listens on.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

VERSION = "3.250.0"
EXEC_SCRIPT = "PULUMI_LANGUAGE_PYTHON_EXEC"
# The exec script's exit code for "the error was shown already" (python/cmd/pulumi-language-python-exec).
ALREADY_SHOWN = 32
# The engine ends a host by SIGINT to its whole process group. What the host starts must not answer with a stack trace:
# it ignores SIGINT (which exec keeps), stays in the group, and is ended by the host.
WITHOUT_SIGINT = ("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh")
MESSAGE_LIMIT = 400 << 20  # bytes; the engine's own limit


def program_command(request: language_pb2.RunRequest, python: str, script: str, engine: str) -> list[str]:
    """The command line that runs the program of a `Run` request."""
    info = request.info
    command = [python, "-u", script]
    for flag, value in (
        ("monitor", request.monitor_address),
        ("engine", engine),
        ("project", request.project),
        ("root_directory", info.root_directory),
        ("stack", request.stack),
        ("pwd", request.pwd),
        ("dry_run", "true" if request.dryRun else ""),
        ("parallel", str(request.parallel)),
        ("organization", request.organization),
    ):
        if value:
            command += [f"--{flag}", value]
    return [*command, str(Path(info.program_directory, info.entry_point)), *request.args]


def program_environment(request: language_pb2.RunRequest, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program: the configuration goes by two variables."""
    return {
        **environment,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def run_response(code: int, stopped: bool) -> language_pb2.RunResponse:
    """What the engine is told of a program that ended with `code`.

    A program that was stopped on request has nothing to report: the engine knows already.
    """
    if stopped or code == ALREADY_SHOWN:
        return language_pb2.RunResponse(bail=True)
    return language_pb2.RunResponse(error="" if code == 0 else f"Program exited with non-zero exit code: {code}")


def plugin_command(request: language_pb2.RunPluginRequest, python: str) -> list[str]:
    """The command line of a `RunPlugin` request: a policy pack runs under `pulumi.policy`, others by their path."""
    folder = request.info.program_directory
    if request.kind == "analyzer":
        return [python, "-u", "-m", "pulumi.policy", *request.args, folder]
    return [python, "-u", folder, *request.args]


def plugin_environment(entries: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`NAME=value` entries as a mapping; without entries the host's own environment."""
    return dict(entry.split("=", 1) for entry in entries) or dict(environment)


class Children:
    """The processes this host has started; all end when the host is told to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def start(self, command: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """Start a process that ends with this host; the options are those of `Popen`."""
        with self._lock:
            process = subprocess.Popen([*WITHOUT_SIGINT, *command], stdin=subprocess.DEVNULL, **options)
            self._running.add(process)
            if self.stopped:
                process.terminate()
            return process

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process of `start`; returns its exit code."""
        code = process.wait()
        with self._lock:
            self._running.discard(process)
        return code

    def stop(self) -> None:
        """End every process now and refuse to keep later ones."""
        with self._lock:
            self.stopped = True
            for process in self._running:
                process.terminate()


def output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """What a process writes, as it writes it: pairs of stream name ("stdout" or "stderr") and bytes."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, stream: object) -> None:
        while chunk := stream.read1(65536):
            chunks.put((name, chunk))
        chunks.put((name, b""))

    for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    ended = 0
    while ended < 2:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            ended += 1


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The protocol's server: starts programs and policy packs in this host's own Python."""

    def __init__(self, engine: str, script: str, children: Children) -> None:
        self.engine = engine
        self.script = script
        self.children = children

    def Handshake(self, request, context):
        """Take the engine's address where it comes by handshake."""
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):
        """Version of the host."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request, context):
        """None in advance: the engine finds each provider when the program first asks for it."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request, context):
        """None in advance, as `GetRequiredPackages`."""
        return language_pb2.GetRequiredPluginsResponse()

    def InstallDependencies(self, request, context):
        """Nothing to install: set-up has done it."""
        return iter(())

    def Run(self, request, context):
        """Run the program to its end."""
        process = self.children.start(
            program_command(request, sys.executable, self.script, self.engine),
            env=program_environment(request, os.environ),
            cwd=request.pwd,
        )
        context.add_callback(process.terminate)
        return run_response(self.children.wait(process), self.children.stopped)

    def RunPlugin(self, request, context):
        """Run a plugin, streaming what it prints, until it ends or the engine hangs up."""
        process = self.children.start(
            plugin_command(request, sys.executable),
            env=plugin_environment(request.env, os.environ),
            cwd=request.pwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        for name, chunk in output(process):
            yield language_pb2.RunPluginResponse(**{name: chunk})
        yield language_pb2.RunPluginResponse(exitcode=self.children.wait(process))


def engine_address(arguments: Sequence[str]) -> str:
    """The engine's address: the last argument that is no flag; empty where it comes by handshake."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    return plain[-1] if plain else ""


def main() -> None:
    """Serve until the engine ends: by SIGINT or SIGTERM, or by vanishing (then this process gets another parent)."""
    children = Children()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    options = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=options)
    host = LanguageHost(engine_address(sys.argv[1:]), os.environ[EXEC_SCRIPT], children)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    parent = os.getppid()
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while os.getppid() == parent and not stop.wait(timeout=0.2):
        pass
    children.stop()
    server.stop(grace=2).wait()


if __name__ == "__main__":
    main()
