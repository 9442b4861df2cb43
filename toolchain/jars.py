"""Jars of Maven Central, in lists that are pinned by content: `jar_lists/<list>.txt`, `coordinates sha256` a line.

`delta` is what Spark needs beside its own jars (pyspark brings the rest), `kafka-connector` what it needs to read Kafka
besides, `cassandra` and `kafka` are servers with all their runtime dependencies. A list is made anew by `mvn
dependency:list` and `dependency:copy-dependencies` (`-DincludeScope=runtime`) over a pom that names the server alone.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from toolchain import download, paths
from toolchain.errors import UserError

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
MAVEN_TIMEOUT = 300  # seconds
LISTS = Path(__file__).with_name("jar_lists")
AT_ONCE = 8  # downloads
DELTA, CASSANDRA, KAFKA, KAFKA_CONNECTOR = "delta", "cassandra", "kafka", "kafka-connector"


@dataclass(frozen=True)
class Jar:
    """A file of Maven Central, pinned by its content."""

    group: str
    artifact: str
    version: str
    sha256: str
    classifier: str = ""

    @property
    def file_name(self) -> str:
        """Name of the file, as in the repository."""
        return f"{'-'.join(filter(None, [self.artifact, self.version, self.classifier]))}.jar"

    @property
    def url(self) -> str:
        """Address in Maven Central."""
        return f"{MAVEN_CENTRAL}/{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"

    @property
    def coordinates(self) -> str:
        """Name in Maven's own notation."""
        return ":".join(filter(None, [self.group, self.artifact, self.version, self.classifier]))


def parse(text: str) -> list[Jar]:
    """The jars of a list: `group:artifact:version[:classifier] sha256` a line."""
    pairs = [line.split() for line in text.splitlines()]
    return [Jar(*coordinates.split(":")[:3], sha256, *coordinates.split(":")[3:]) for coordinates, sha256 in pairs]


def listed(name: str) -> list[Jar]:
    """The jars of a list, in order."""
    return parse((LISTS / f"{name}.txt").read_text(encoding="utf-8"))


def folder() -> Path:
    """Where the jars lie."""
    return paths.tools() / "jars"


def missing(name: str = DELTA) -> list[Jar]:
    """Jars of a list that are not there. One that is there is whole: it was moved to its place after its check."""
    return [jar for jar in listed(name) if not (folder() / jar.file_name).is_file()]


def find(name: str = DELTA) -> list[Path]:
    """All jars of a list, for a class path. Raises `UserError` where one is missing."""
    lacking = missing(name)
    if lacking:
        names = ", ".join(jar.file_name for jar in lacking)
        raise UserError(f"{names} missing in {folder()}: run `make up`, which fetches it")
    return [folder() / jar.file_name for jar in listed(name)]


def install(progress: Callable[[str], None], name: str = DELTA) -> list[Path]:
    """All jars of a list, fetched where they are missing; `progress` is told what takes time.

    Raises `UserError` where a jar cannot be had.
    """
    lacking = missing(name)
    if lacking:
        progress(f"{lacking[0].coordinates if len(lacking) == 1 else f'{len(lacking)} jars of {name}'}: download")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            refused = dict(filter(None, pool.map(_fetch, lacking)))
        if refused:
            fetch_by_maven(refused, next(iter(refused.values())))
    return find(name)


def _fetch(jar: Jar) -> tuple[Jar, OSError] | None:
    """Fetch a jar; what could not be had, and why."""
    try:
        download.fetch(jar.url, folder() / jar.file_name, jar.sha256)
    except OSError as error:
        return jar, error
    return None


def fetch_by_maven(jars: Iterable[Jar], reason: OSError) -> None:
    """Fetch jars with one call of `mvn`, which may know a mirror where the repository itself is out of reach."""
    jars = list(jars)
    first = jars[0]
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(
            f"{first.coordinates} could not be fetched from {first.url} ({reason}); check network and proxy"
        )
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        Path(scratch, "pom.xml").write_text(pom(jars), encoding="utf-8")
        command = [
            maven,
            "--quiet",
            "--batch-mode",
            f"-Dmaven.repo.local={scratch}/repository",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={scratch}",
        ]
        try:
            subprocess.run(command, cwd=scratch, timeout=MAVEN_TIMEOUT, check=True, capture_output=True)
        except subprocess.SubprocessError as error:
            raise UserError(
                f"{first.coordinates} could not be fetched, neither from {first.url} ({reason}) nor by mvn; "
                "check network, proxy and Maven's settings"
            ) from error
        for jar in jars:
            download.keep(Path(scratch, jar.file_name), folder() / jar.file_name, jar.sha256)


def pom(jars: Iterable[Jar]) -> str:
    """A Maven project that depends on these jars and on nothing that they depend on in turn."""
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>medallion</groupId>
  <artifactId>jars</artifactId>
  <version>1</version>
  <dependencies>
{"".join(map(_dependency, jars))}  </dependencies>
</project>
"""


def _dependency(jar: Jar) -> str:
    classifier = f"<classifier>{jar.classifier}</classifier>" if jar.classifier else ""
    return (
        f"    <dependency><groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId>"
        f"<version>{jar.version}</version>{classifier}"
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>\n"
    )
