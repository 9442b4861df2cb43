"""The wheel of the workloads: what every job runs, everywhere.

Owns the bytes of the wheel and its upload. The same sources give the same bytes on every machine: entries are sorted,
times fixed, nothing is compressed (zlib's output differs between versions). The version carries a hash of the sources,
because a cluster does not install an equal version again; the old wheel stays, for runs in flight.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_databricks as databricks
from pulumi import Output, ResourceOptions

PACKAGE = "medallion_workloads"
ENTRY_POINT = "task"
CACHES = frozenset({"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".ruff_cache"})
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file name and its bytes."""

    filename: str
    data: bytes


def build(workloads: Path, version: str) -> Wheel:
    """The wheel of the package in the folder `workloads`; `version` is the one that the hash of the sources follows."""
    sources = {
        f"workloads/{path.relative_to(workloads).as_posix()}": path.read_bytes()
        for path in sorted(workloads.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not CACHES & set(path.relative_to(workloads).parts)
    }
    digest = hashlib.sha256()
    for name, content in sources.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    full = f"{version}+{digest.hexdigest()[:12]}"
    info = f"{PACKAGE}-{full}.dist-info"
    files = sources | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {full}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: medallion\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{ENTRY_POINT} = workloads.lakehouse.task:main\n".encode(),
    }
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    return Wheel(filename=f"{PACKAGE}-{full}-py3-none-any.whl", data=_zip(files))


def _record(files: dict[str, bytes], own: str) -> bytes:
    """The list of a wheel's files with hash and size, as PEP 427 asks for."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join((*lines, f"{own},,\n")).encode()


def _zip(files: dict[str, bytes]) -> bytes:
    """An archive of the files with nothing in it that depends on machine or time."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix: readable by all
            wheel.writestr(entry, content)
    return archive.getvalue()


class WorkloadWheel(pulumi.ComponentResource):
    """The uploaded wheel. `path` is where clusters find it.

    It is declared by its content, not by a file of this machine: the provider wants to read such a file again in every
    preview, and other machines do not have it.
    """

    path: Output[str]

    def __init__(self, name: str, wheel: Wheel, *, folder: str, opts: ResourceOptions) -> None:
        """`folder` is the folder (`/Volumes/…`) that the wheel goes to."""
        super().__init__("medallion:components:WorkloadWheel", name, None, opts)
        file = databricks.File(
            f"{name}-file",
            content_base64=base64.b64encode(wheel.data).decode(),
            path=f"{folder}/{wheel.filename}",
            opts=ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.path = file.path
        self.register_outputs({"path": self.path})
