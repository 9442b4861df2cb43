"""The Pulumi engine as this project calls it: environment, state backend, settings file."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from toolchain import paths, pulumi, settings_copy, simulated
from toolchain.errors import UserError

PROJECT = "medallion"
STACKS = ("local", "dev", "staging", "prod")
CLOUDS = ("simulated", "azure")
LOOPBACK = ("127.0.0.1", "localhost")
# What the SDK leaves unawaited when a program ends with an error would be printed under that error.
QUIET = "ignore:coroutine 'RPCManager:RuntimeWarning"


@dataclass(frozen=True)
class Engine:
    """A stack in a cloud, ready for calls of `pulumi`.

    `settings` is the file given by `--config-file`; `environment` that of every call.
    """

    stack: str
    cloud: str
    home: Path
    executable: Path
    settings: Path
    environment: Mapping[str, str]

    @property
    def is_simulated(self) -> bool:
        """Whether no real cloud is touched."""
        return self.cloud == "simulated"

    def command(self, *arguments: str) -> list[str]:
        """The command line of a call; options that every call takes are added."""
        return [str(self.executable), *arguments, "--stack", self.stack]

    def call(self, *arguments: str) -> int:
        """Run a command for a person to watch; returns its exit code."""
        return self._watch(self.command(*arguments), self.environment)

    def plain(self, *arguments: str) -> int:
        """Run a command of Pulumi's as a person wrote it, on the stack, with its settings file and the policies.

        A simulated stack is not asked about. All this is given by variables, which a command without such an option
        does not read. Source: https://www.pulumi.com/docs/iac/cli/environment-variables/
        """
        options = {
            "PULUMI_STACK": self.stack,
            "PULUMI_OPTION_CONFIG_FILE": str(self.settings),
            "PULUMI_OPTION_POLICY_PACK": "policies",
        }
        if self.is_simulated and "--preview-only" not in arguments:
            options |= {"PULUMI_OPTION_YES": "true", "PULUMI_OPTION_SKIP_PREVIEW": "true"}
        return self._watch([str(self.executable), *arguments], {**self.environment, **options})

    def _watch(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        process = subprocess.Popen(command, cwd=paths.ROOT, env=environment)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The terminal told the engine, too: it finishes what it has begun, and a second Ctrl-C stops it.
                continue

    def capture(self, *arguments: str, cwd: Path = paths.ROOT) -> str:
        """Run a command for its output. Raises `UserError` with the engine's own message where it fails."""
        done = subprocess.run(
            self.command(*arguments, "--non-interactive"),
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = re.sub(r"\s+", " ", done.stderr).strip().removeprefix("error: ")
            words = " ".join(takewhile(lambda word: not word.startswith("-"), arguments))
            raise UserError(f"pulumi {words} of stack {self.stack}: {message}")
        return done.stdout


def require(stack: str, cloud: str) -> None:
    """Raise `UserError` for a combination of stack and cloud that does not exist."""
    if stack not in STACKS:
        raise UserError(f"STACK={stack}: there is no such stack; choose one of {', '.join(STACKS)}")
    if cloud not in CLOUDS:
        raise UserError(f"CLOUD={cloud}: choose one of {', '.join(CLOUDS)}")
    if cloud == "azure" and stack == "local":
        raise UserError("STACK=local is always simulated; choose dev, staging or prod for CLOUD=azure")


def engine(stack: str, cloud: str) -> Engine:
    """The engine for a stack in a cloud. Raises `UserError` for a combination that does not exist."""
    require(stack, cloud)
    home = paths.home()
    executable = pulumi.find()
    if cloud == "azure":
        return Engine(stack, cloud, home, executable, tracked(stack), azure_environment(home, executable, os.environ))
    settings = home / "stacks" / f"Pulumi.{stack}.yaml"
    environment = simulated_environment(home, executable, simulated.install(), os.environ)
    return Engine(stack, cloud, home, executable, settings, environment)


def tracked(stack: str) -> Path:
    """The tracked settings file of a stack."""
    return paths.ROOT / f"Pulumi.{stack}.yaml"


def azure_environment(home: Path, executable: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a call for Azure: the user's own backend, login and plugins."""
    return {
        **environment,
        "PATH": search_path([paths.python().parent, executable.parent], environment),
        "MEDALLION_HOME": str(home),
        "CLOUD": "azure",
        "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log, as in the SDK's automation API
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONWARNINGS": QUIET,
    }


def simulated_environment(
    home: Path, executable: Path, providers: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a call for the simulated cloud.

    No variable of the user's Pulumi has a say in it (a token or a backend of theirs would lead to a real stack), and
    nothing is fetched or written outside the checkout. gRPC for Python would send loopback calls to a proxy.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PULUMI_")}
    exempt = ",".join(filter(None, [environment.get("no_proxy") or environment.get("NO_PROXY"), *LOOPBACK]))
    return {
        **kept,
        "PATH": search_path([providers, paths.python().parent, executable.parent], environment),
        "NO_PROXY": exempt,
        "no_proxy": exempt,
        "MEDALLION_HOME": str(home),
        "CLOUD": "simulated",
        "PULUMI_HOME": str(paths.tools() / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{home / 'state'}?metadata=skip",  # no sums beside files that nobody compares
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home / "passphrase"),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DEBUG_COMMANDS": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONWARNINGS": QUIET,
    }


def search_path(first: Sequence[Path], environment: Mapping[str, str]) -> str:
    """PATH with some folders before all others."""
    return os.pathsep.join([*map(str, first), environment.get("PATH", os.defpath)])


def prepare(target: Engine) -> None:
    """Make sure that a simulated stack exists: state folder, passphrase, settings, the stack itself."""
    keep_no_logs(Path(target.environment["PULUMI_HOME"]))
    (target.home / "state").mkdir(parents=True, exist_ok=True)
    keep_passphrase(target.home / "passphrase")
    settings_copy.refresh(tracked(target.stack), target.settings)
    if not state_file(target).is_file():
        create_stack(target)


def keep_no_logs(pulumi_home: Path) -> None:
    """Let the engine write no log of its own: encrypted, read by nobody, up to 500 MB, a third of its time.

    There is no setting for that; it goes without where it cannot make the folder.
    Source: `StartLogging` in https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/logging/encrypted.go
    """
    place = pulumi_home / "logs"
    if place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


def keep_passphrase(path: Path) -> None:
    """Write a random passphrase that only this user may read, unless there is one."""
    if path.is_file():
        return
    fresh = path.with_name(".passphrase.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
    fresh.replace(path)


def state_file(target: Engine) -> Path:
    """Where the engine's file backend keeps the state of a simulated stack."""
    return target.home / "state" / ".pulumi" / "stacks" / PROJECT / f"{target.stack}.json"


def create_stack(target: Engine) -> None:
    """Create the stack from the folder of the copies: `stack init` writes its salt beside the project file it finds."""
    folder = target.settings.parent
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
    target.capture("stack", "init", "--no-select", cwd=folder)
