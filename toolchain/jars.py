"""The Delta jars that Spark needs beside its own; pyspark brings the rest (antlr, the Scala library)."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolchain import download, paths
from toolchain.errors import UserError

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
MAVEN_TIMEOUT = 300  # seconds


@dataclass(frozen=True)
class Jar:
    """A file of Maven Central, pinned by its content."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file, as in the repository."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def url(self) -> str:
        """Address in Maven Central."""
        return f"{MAVEN_CENTRAL}/{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"

    @property
    def coordinates(self) -> str:
        """Name in Maven's own notation."""
        return f"{self.group}:{self.artifact}:{self.version}"


JARS = (
    Jar(
        "io.delta",
        "delta-spark_2.13",
        "4.0.1",
        "a1e76860b19fe1e6b205a4ea7a9099a2f9575d39bb71d49b3e679b299d0efb91",
    ),
    Jar(
        "io.delta",
        "delta-storage",
        "4.0.1",
        "ecc42c5aaa51c423312d9e4e48aa4a12b34740bf2c37de0e8f279277ec3d12e4",
    ),
)


def folder() -> Path:
    """Where the jars lie."""
    return paths.tools() / "jars"


def missing() -> list[Jar]:
    """Jars that are not there. One that is there is whole: it was moved to its place after its check."""
    return [jar for jar in JARS if not (folder() / jar.file_name).is_file()]


def find() -> list[Path]:
    """All jars, for `spark.jars`. Raises `UserError` where one is missing."""
    lacking = missing()
    if lacking:
        names = ", ".join(jar.file_name for jar in lacking)
        raise UserError(f"{names} missing in {folder()}: run `make up`, which fetches it")
    return [folder() / jar.file_name for jar in JARS]


def install(progress: Callable[[str], None]) -> list[Path]:
    """All jars, fetched where they are missing; `progress` is told what takes time.

    Raises `UserError` where a jar cannot be had.
    """
    for jar in missing():
        progress(f"{jar.coordinates}: download")
        destination = folder() / jar.file_name
        try:
            download.fetch(jar.url, destination, jar.sha256)
        except OSError as error:
            fetch_by_maven(jar, destination, error)
    return find()


def fetch_by_maven(jar: Jar, destination: Path, reason: OSError) -> None:
    """Fetch a jar with `mvn`, which may know a mirror where the repository itself is out of reach."""
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(f"{jar.coordinates} could not be fetched from {jar.url} ({reason}); check network and proxy")
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        command = [
            maven,
            "--quiet",
            "--batch-mode",
            f"-Dmaven.repo.local={scratch}/repository",
            "dependency:copy",
            f"-Dartifact={jar.coordinates}",
            f"-DoutputDirectory={scratch}",
        ]
        try:
            subprocess.run(command, cwd=scratch, timeout=MAVEN_TIMEOUT, check=True, capture_output=True)
        except subprocess.SubprocessError as error:
            raise UserError(
                f"{jar.coordinates} could not be fetched, neither from {jar.url} ({reason}) nor by mvn; "
                "check network, proxy and Maven's settings"
            ) from error
        download.keep(Path(scratch, jar.file_name), destination, jar.sha256)
