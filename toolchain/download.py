"""Fetching one file whole, or not at all. The usual proxy variables are honoured (urllib)."""

import hashlib
import tempfile
import urllib.request
from pathlib import Path

from toolchain.errors import UserError

TIMEOUT = 60  # seconds without an answer


def sha256(path: Path) -> str:
    """The file's SHA-256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(url: str, destination: Path, expected: str) -> None:
    """Download `url` to `destination` if its SHA-256 is `expected`.

    Raises `OSError` where it cannot be had, `UserError` where it is another file than expected.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        fresh = Path(folder, destination.name)
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, fresh.open("wb") as file:  # noqa: S310 (https)
            while chunk := answer.read(1 << 20):
                file.write(chunk)
        keep(fresh, destination, expected)


def keep(fresh: Path, destination: Path, expected: str) -> None:
    """Move a fetched file to its place if its SHA-256 is `expected`, else raise `UserError`."""
    found = sha256(fresh)
    if found != expected:
        raise UserError(
            f"{destination.name}: what was downloaded has SHA-256 {found}, expected {expected}; "
            "something on the way changed it: check the proxy or mirror and try again"
        )
    fresh.replace(destination)
