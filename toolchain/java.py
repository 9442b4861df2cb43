"""A Java runtime that Spark 4 runs on: found, or else fetched."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path

from toolchain import paths
from toolchain.errors import UserError

SUPPORTED = (17, 21)
FETCHED = 17
PACKAGE = "openjdk-17-jre-headless"
ANSWER_TIMEOUT = 60  # seconds


def version(properties: str) -> int | None:
    """The feature version (8, 17, …) in what `java -XshowSettings:properties -version` prints, if there is one."""
    match = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)\s*$", properties, re.MULTILINE)
    return int(match.group(1)) if match else None


def location(properties: str) -> Path | None:
    """The runtime's own folder (`JAVA_HOME`) in the same output."""
    match = re.search(r"^\s*java\.home = (.+?)\s*$", properties, re.MULTILINE)
    return Path(match.group(1)) if match else None


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """`java` executables in order of choice: JAVA_HOME, PATH, ours in `.tools`, then where Linux keeps others."""
    if environment.get("JAVA_HOME"):
        yield Path(environment["JAVA_HOME"], "bin", "java")
    on_path = shutil.which("java", path=environment.get("PATH"))
    if on_path:
        yield Path(on_path)
    for pattern in ("*/bin/java", "*/Contents/Home/bin/java"):
        yield from sorted((paths.tools() / "java").glob(pattern))
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"))


def inspect(executable: Path) -> tuple[int | None, Path | None]:
    """Feature version and folder of a runtime, by running it; `(None, None)` for one that does not run."""
    try:
        answer = subprocess.run(
            [executable, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    return version(answer.stderr), location(answer.stderr)


def search(environment: Mapping[str, str] = os.environ, versions: Container[int] = SUPPORTED) -> Path | None:
    """The folder (`JAVA_HOME`) of a Java of one of these versions, or `None`."""
    for executable in candidates(environment):
        found, folder = inspect(executable)
        if found in versions and folder:
            return folder
    return None


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder (`JAVA_HOME`) of a supported Java. Raises `UserError` where there is none."""
    found = search(environment)
    if found is None:
        raise UserError(
            f"no Java {' or '.join(map(str, SUPPORTED))} found by JAVA_HOME, on PATH or in .tools: "
            f"run `make up`, which fetches one, or install a JDK {FETCHED} (Debian, Ubuntu: {PACKAGE}) "
            "and set JAVA_HOME"
        )
    return found


def install(progress: Callable[[str], None], versions: Container[int] = SUPPORTED) -> Path:
    """The folder of a Java of one of these versions, of which `FETCHED` is one, fetched where none is found.

    `progress` is told what takes time. Raises `UserError` where none can be had.
    """
    found = search(versions=versions)
    if found:
        return found
    progress(f"Java {FETCHED}: download (Temurin, 50 MB)")
    reason = fetch()
    if reason and may_use_apt():
        progress(f"Java {FETCHED}: {PACKAGE} (the download failed: {reason})")
        install_package()
    found = search(versions=versions)
    if found is None:
        raise UserError(
            f"Java {FETCHED} is needed and could not be fetched ({reason}): check network and proxy, or install a JDK "
            f"{FETCHED} (Debian, Ubuntu: {PACKAGE}) and set JAVA_HOME"
        )
    return found


def fetch() -> str:
    """Fetch a Temurin runtime into `.tools/java`; returns why it failed, or nothing."""
    import jdk  # costs a tenth of a second, needed once

    target = paths.tools() / "java"
    target.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(ANSWER_TIMEOUT)
    try:
        with tempfile.TemporaryDirectory(dir=paths.tools()) as scratch:
            unpacked = Path(jdk.install(str(FETCHED), jre=True, path=scratch))
            unpacked.replace(target / unpacked.name)
    except (OSError, jdk.JdkError) as error:
        return str(error) or type(error).__name__
    finally:
        socket.setdefaulttimeout(before)
    return ""


def may_use_apt() -> bool:
    """Whether this is root on Debian or Ubuntu."""
    return os.geteuid() == 0 and Path("/etc/debian_version").is_file() and shutil.which("apt-get") is not None


def install_package() -> None:
    """Install the distribution's package, on which its own output says more where it fails."""
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", PACKAGE]):
        subprocess.run(["apt-get", "-qq", *command], env=quietly, stdout=subprocess.DEVNULL, check=False)
