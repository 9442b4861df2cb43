"""Where things lie. The only place that chooses the state folder; no path depends on the working directory."""

import os
from pathlib import Path

from toolchain.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The state folder: `MEDALLION_HOME`, else `.medallion` in the checkout.

    Raises `UserError` for a relative `MEDALLION_HOME`: it would mean another folder for every process.
    """
    given = os.environ.get("MEDALLION_HOME")
    if not given:
        return ROOT / ".medallion"
    path = Path(given)
    if not path.is_absolute():
        raise UserError(f"MEDALLION_HOME is {given!r}: give an absolute path")
    return path


def tools() -> Path:
    """What set-up fetched or built for this machine: Pulumi, Java, jars. May be deleted at any time."""
    return ROOT / ".tools"


def python() -> Path:
    """The Python of the checkout's own environment."""
    return ROOT / ".venv" / "bin" / "python"
