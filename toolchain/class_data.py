"""The classes of Spark's JVM, archived once as Java has parsed and checked them (CDS): sessions start in half the time.

Java maps an archive that fits its own version and class path, and silently does without one that does not.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from toolchain import jars, java, paths
from toolchain.errors import UserError

TIMEOUT = 600  # seconds
TRAINING = Path(__file__).with_name("class_data_training.py")


def find(home: Path) -> Path:
    """Where the archive for the Java in `home`, this Spark and this training lies, whether it is there or not."""
    release = home / "release"
    told = (str(home), release.read_text() if release.is_file() else "", version("pyspark"), TRAINING.read_text())
    return paths.tools() / "class-data" / f"{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.jsa"


def options(home: Path) -> str:
    """The options by which the Java in `home` maps the archive; none where it was not made."""
    archive = find(home)
    return f'-XX:SharedArchiveFile="{archive}" -Xshare:auto -Xlog:disable' if archive.is_file() else ""


def install(progress: Callable[[str], None]) -> Path:
    """The archive, made where it is missing; `progress` is told what takes time.

    Raises UserError where Spark does not start, which it then would not for anybody.
    """
    home = java.find()
    archive = find(home)
    if archive.is_file():
        return archive
    progress("Spark: archive of its classes, half a minute")
    archive.parent.mkdir(parents=True, exist_ok=True)
    for older in archive.parent.glob("*.jsa"):
        older.unlink()
    environment = os.environ | {"JAVA_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        made = Path(scratch, archive.name)
        command = [sys.executable, str(TRAINING), scratch, str(made), *map(str, jars.find())]
        try:
            subprocess.run(command, env=environment, cwd=scratch, timeout=TIMEOUT, check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(f"Spark does not start with Java in {home}: {lines[-1]}") from error
        if made.is_file():  # a Java without the default archive makes none, and goes without
            made.replace(archive)
    return archive
