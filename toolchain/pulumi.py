"""The Pulumi engine: found on PATH, or else fetched by the SDK's own installer, or else built from its Go module.

Docs: design of the stand-in host in docs/adr. Whatever way, `.tools/pulumi/bin` ends up as Pulumi's own installer
leaves it, so that nothing else cares which it was.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from toolchain import paths
from toolchain.errors import UserError

MINIMUM = (3, 250, 0)
VERSION = "3.250.0"
MODULE = "github.com/pulumi/pulumi"
FETCH_TIMEOUT = 600  # seconds, for about 150 MB
BUILD_TIMEOUT = 3600

# Run in a process of its own: the SDK is slow to import and sets no time limits.
INSTALLER = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""

# The go line matters: without one, Go loads the whole module graph, thousands of files, one after the other.
GO_MOD = f"module build\n\ngo 1.25.11\n\nrequire {MODULE}/pkg/v3 v{VERSION}\n"

HOST = """#!/bin/sh
# Stand-in for Pulumi's Python language host, which a Pulumi built from its Go module lacks.
here=$(cd "$(dirname "$0")" && pwd)
PULUMI_LANGUAGE_PYTHON_EXEC="$here/pulumi-language-python-exec" \\
    exec "$here/../../../.venv/bin/python" -m toolchain.language_host "$@"
"""


def fits(answer: str) -> bool:
    """Whether a version, as `pulumi version` prints it, is one that the project works with: 3.250 or newer, below 4."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", answer.strip())
    if match is None:
        return False
    found = tuple(map(int, match.groups()))
    return found >= MINIMUM and found[0] == MINIMUM[0]


def ours() -> Path:
    """Where set-up puts Pulumi."""
    return paths.tools() / "pulumi" / "bin" / "pulumi"


def log() -> Path:
    """What the attempts to get it printed."""
    return paths.tools() / "pulumi-set-up.log"


def installed(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The user's own Pulumi on PATH, if it has the Python language host and its version fits."""
    found = shutil.which("pulumi", path=environment.get("PATH"))
    if found is None or shutil.which("pulumi-language-python", path=environment.get("PATH")) is None:
        return None
    quiet = {**environment, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    answer = subprocess.run([found, "version"], env=quiet, capture_output=True, text=True, check=False)
    return Path(found) if answer.returncode == 0 and fits(answer.stdout) else None


def find() -> Path:
    """The `pulumi` executable to use. Raises `UserError` where set-up has not been done."""
    if ours().is_file():
        return ours()
    found = installed()
    if found is None:
        raise UserError("Pulumi is not set up: run `make up`, which fetches it")
    return found


def install(progress: Callable[[str], None]) -> Path:
    """The `pulumi` executable, fetched or built where there is none that fits.

    `progress` is told what takes time. Raises `UserError` where it can be had in no way.
    """
    found = ours() if ours().is_file() else installed()
    if found:
        return found
    paths.tools().mkdir(parents=True, exist_ok=True)
    log().unlink(missing_ok=True)
    progress(f"Pulumi {VERSION}: download")
    if not attempt(download):
        go = shutil.which("go")
        if go is None:
            raise UserError(
                f"Pulumi {VERSION} could not be downloaded (see {log()}), and there is no Go to build it with: check "
                "network and proxy, or install Pulumi (https://www.pulumi.com/docs/install/) or Go (https://go.dev/doc/install)"
            )
        progress(f"Pulumi {VERSION}: build from its Go module (about 3 minutes)")
        if not attempt(lambda folder: build(go, folder)):
            raise UserError(
                f"Pulumi {VERSION} could neither be downloaded nor built from its Go module (see {log()}): "
                "check network and proxy, or install Pulumi (https://www.pulumi.com/docs/install/)"
            )
    return ours()


def attempt(make: Callable[[Path], bool]) -> bool:
    """Let `make` fill a folder that becomes `.tools/pulumi` if it succeeds; returns whether it did."""
    with tempfile.TemporaryDirectory(dir=paths.tools(), prefix="pulumi-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch, "pulumi")
        (folder / "bin").mkdir(parents=True)
        if not make(folder):
            return False
        final = ours().parents[1]
        shutil.rmtree(final, ignore_errors=True)
        folder.rename(final)
    return True


def download(folder: Path) -> bool:
    """Run the SDK's own installer; returns whether it succeeded."""
    command = [sys.executable, "-c", INSTALLER, str(folder), VERSION]
    try:
        with log().open("a", encoding="utf-8") as errors:
            done = subprocess.run(
                command, cwd=paths.ROOT, stdout=errors, stderr=subprocess.STDOUT, timeout=FETCH_TIMEOUT, check=False
            )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and (folder / "bin" / "pulumi").is_file()


def build(go: str, folder: Path) -> bool:
    """Build the command line tool from the Go module proxy and put the stand-in language host beside it."""
    scratch = folder.parent
    source = scratch / "source"
    source.mkdir()
    (source / "go.mod").write_text(GO_MOD, encoding="utf-8")
    environment = go_environment(go, scratch)

    def run(*arguments: str) -> str | None:
        with log().open("a", encoding="utf-8") as errors:
            done = subprocess.run(
                [go, *arguments],
                cwd=source,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=BUILD_TIMEOUT,
                check=False,
            )
        return done.stdout.strip() if done.returncode == 0 else None

    stamp = f"-s -w -X {MODULE}/sdk/v3/go/common/version.Version=v{VERSION}"
    if run("build", "-ldflags", stamp, "-o", str(folder / "bin" / "pulumi"), f"{MODULE}/pkg/v3/cmd/pulumi") is None:
        return False
    sdk = run("list", "-m", "-f", "{{.Dir}}", f"{MODULE}/sdk/v3")
    if not sdk:
        return False
    script = folder / "bin" / "pulumi-language-python-exec"
    shutil.copyfile(Path(sdk, "python", "cmd", script.name), script)
    host = folder / "bin" / "pulumi-language-python"
    host.write_text(HOST, encoding="utf-8")
    host.chmod(0o755)
    return True


def go_environment(go: str, scratch: Path) -> dict[str, str]:
    """The environment of the build: it reads the user's settings and module cache, and writes in `scratch` only."""
    asked = subprocess.run([go, "env", "-json"], capture_output=True, text=True, check=True)
    settings = json.loads(asked.stdout)
    cache = Path(settings["GOMODCACHE"], "cache", "download")
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(scratch / "build-cache"),
        "GOENV": settings["GOENV"],
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOMODCACHE": str(scratch / "modules"),
        "GOPROXY": f"{cache.as_uri()},{settings['GOPROXY']}",
        "GOTMPDIR": str(scratch),
        "GOWORK": "off",
        "XDG_CONFIG_HOME": str(scratch / "config"),
    }
