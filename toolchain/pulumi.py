"""Finds the Pulumi engine."""

import shutil
from pathlib import Path

from toolchain import paths
from toolchain.errors import UserError


def find() -> Path:
    """The `pulumi` executable: ours in `.tools`, else the one on PATH. Raises `UserError` where there is none."""
    ours = paths.tools() / "pulumi" / "bin" / "pulumi"
    found = str(ours) if ours.is_file() else shutil.which("pulumi")
    if found is None:
        raise UserError("Pulumi is not set up; run `make up`, which fetches it")
    return Path(found)
