"""The Files API of the simulated workspace: files of volumes, as `databricks.sdk`'s `FilesExt` asks for them.

A volume is a link `volumes/<catalog>/<schema>/<volume>` in the state folder, made when the volume is created; nothing
outside the volume's folder is read or written. Every file appears whole: it is received beside the lake, then renamed.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from simulator.job_rules import RequestError, invalid

CHUNK = 1 << 20
PAGE = 1000


class Source(Protocol):
    """Bytes of a request as they arrive."""

    def read(self, size: int) -> bytes: ...


def not_found(message: str) -> RequestError:
    """404, as for a file, folder or volume that is not there."""
    return RequestError(404, "NOT_FOUND", message)


@dataclass(frozen=True)
class Download:
    """A file, or the bytes `first`..`last` of it, on the way out. `stream` is closed by the reader."""

    stream: BinaryIO
    first: int
    last: int
    size: int
    modified: str
    content_type: str

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    def chunks(self) -> Iterator[bytes]:
        self.stream.seek(self.first)
        left = self.length
        while left and (block := self.stream.read(min(CHUNK, left))):
            left -= len(block)
            yield block


@dataclass
class _Upload:
    target: str
    overwrite: bool
    folder: Path
    parts: dict[int, Path] = field(default_factory=dict)


class Files:
    """The files of every volume of a simulated workspace whose state lies in `home`. Safe for threads."""

    def __init__(self, home: Path):
        self._volumes = home / "volumes"
        self._uploads = home / "uploads"
        self._sessions: dict[str, _Upload] = {}
        self._links: dict[str, str] = {}

    def close(self) -> None:
        """Drop what was received but never completed."""
        shutil.rmtree(self._uploads, ignore_errors=True)

    def locate(self, path: str) -> Path:
        """The place of `/Volumes/<catalog>/<schema>/<volume>[/…]`. Raises RequestError for what is no such path.

        A volume's own folder may be a link; below it, a link that leads out of the volume is refused.
        """
        parts = path.rstrip("/").split("/")
        if len(parts) < 5 or parts[:2] != ["", "Volumes"]:
            raise invalid(f"{path!r} is no path of a volume: /Volumes/<catalog>/<schema>/<volume>/…")
        if any(part in ("", ".", "..") or "\0" in part for part in parts[2:]):
            raise invalid(f"Invalid path {path!r}: empty, '.' and '..' segments are not allowed.")
        root = self._volumes.joinpath(*parts[2:5])
        if not root.is_dir():
            raise not_found(f"Volume '{'.'.join(parts[2:5])}' does not exist.")
        place = root.joinpath(*parts[5:])
        if not place.resolve().is_relative_to(root.resolve()):
            raise invalid(f"Invalid path {path!r}: it leads out of the volume.")
        return place

    def upload(self, path: str, source: Source, overwrite: bool) -> None:
        """Write a file whole. Raises RequestError where it is there and not to be overwritten, or its folder is not."""
        self._writable(path, overwrite)
        fresh = self._receive(source)
        self._publish(fresh, path, overwrite)

    def metadata(self, path: str) -> Download:
        """The whole file, opened. Raises RequestError 404 where there is none."""
        place = self.locate(path)
        if not place.is_file():
            raise not_found(f"The file {path} being accessed is not found.")
        stream = place.open("rb")
        status = os.fstat(stream.fileno())
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return Download(stream, 0, status.st_size - 1, status.st_size, formatdate(status.st_mtime, usegmt=True), kind)

    def download(self, path: str, wanted: str | None = None, unmodified_since: str | None = None) -> Download:
        """A file, or the range of it that a Range header asks for. Raises RequestError (404, 412, 416)."""
        whole = self.metadata(path)
        try:
            if unmodified_since and parsedate_to_datetime(whole.modified) > parsedate_to_datetime(unmodified_since):
                raise RequestError(412, "PRECONDITION_FAILED", f"The file {path} was modified since.")
            if not wanted:
                return whole
            first, last = _range(wanted, whole.size)
        except RequestError:
            whole.stream.close()
            raise
        return Download(whole.stream, first, last, whole.size, whole.modified, whole.content_type)

    def delete(self, path: str) -> None:
        """Remove a file. Raises RequestError 404 where there is none."""
        place = self.locate(path)
        if not place.is_file():
            raise not_found(f"The file {path} being accessed is not found.")
        place.unlink()

    def create_directory(self, path: str) -> None:
        """Make a folder and its parents; one that is there is left alone."""
        place = self.locate(path)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RequestError(409, "ALREADY_EXISTS", f"{path}: a file is in the way of the directory.") from None

    def require_directory(self, path: str) -> None:
        """Raise RequestError 404 where there is no such folder."""
        if not self.locate(path).is_dir():
            raise not_found(f"The directory {path} being accessed is not found.")

    def list_directory(self, path: str, page_size: int | None, page_token: str | None) -> dict[str, Any]:
        """A page of a folder's entries by name. Raises RequestError 404 where there is no such folder."""
        self.require_directory(path)
        entries = sorted(os.scandir(self.locate(path)), key=lambda entry: entry.name)
        entries = [entry for entry in entries if page_token is None or entry.name > page_token]
        count = max(1, min(page_size or PAGE, PAGE))
        contents = []
        for entry in entries[:count]:
            status, folder = entry.stat(), entry.is_dir()
            item = {
                "path": f"{path.rstrip('/')}/{entry.name}",
                "name": entry.name,
                "is_directory": folder,
                "last_modified": int(status.st_mtime * 1000),
            }
            contents.append(item if folder else item | {"file_size": status.st_size})
        more = {"next_page_token": entries[count - 1].name} if len(entries) > count else {}
        return {"contents": contents} | more

    def delete_directory(self, path: str) -> None:
        """Remove an empty folder. Raises RequestError where it is missing, holds anything, or is the volume itself."""
        self.require_directory(path)
        if len(path.rstrip("/").split("/")) == 5:
            raise invalid(f"{path} is a volume: it is deleted by the stack that declares it.")
        try:
            self.locate(path).rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise RequestError(400, "DIRECTORY_NOT_EMPTY", f"The directory {path} is not empty.") from None

    # Large files: the SDK asks for a session and for addresses that need no token, as a cloud's storage gives.

    def start_session(self, path: str, overwrite: bool) -> str:
        """Begin an upload in parts; returns its token."""
        self._writable(path, overwrite)
        token = secrets.token_urlsafe(16)
        folder = self._uploads / token
        folder.mkdir(parents=True)
        self._sessions[token] = _Upload(path, overwrite, folder)
        return token

    def upload_part(self, token: str, number: int, source: Source) -> str:
        """Receive a part, which may come again and in any order; returns its tag."""
        session = self._session(token)
        session.parts[number] = self._receive(source, session.folder / str(number))
        return f'"{token}-{number}"'

    def complete_session(self, token: str, numbers: list[int]) -> None:
        """Put the named parts together and publish the file. Raises RequestError for a part that never came."""
        session = self._session(token)
        if missing := [number for number in numbers if number not in session.parts]:
            raise invalid(f"Upload of {session.target}: part {missing[0]} was not received.")
        whole = session.folder / "whole"
        with whole.open("wb") as out:
            for number in numbers:
                with session.parts[number].open("rb") as part:
                    shutil.copyfileobj(part, out, CHUNK)
                session.parts[number].unlink()
        self._publish(whole, session.target, session.overwrite)
        self.abort_session(token)

    def abort_session(self, token: str) -> None:
        """Forget an upload and what came of it."""
        session = self._session(token)
        del self._sessions[token]
        shutil.rmtree(session.folder)

    def sign(self, path: str) -> str:
        """A token with which a file is downloaded without credentials. Raises RequestError 404 like `download`."""
        self.metadata(path).stream.close()
        token = secrets.token_urlsafe(16)
        self._links[token] = path
        return token

    def signed(self, token: str) -> str:
        """The path that a token was given for."""
        if token not in self._links:
            raise RequestError(403, "PERMISSION_DENIED", "The address is not signed.")
        return self._links[token]

    def _session(self, token: str) -> _Upload:
        if token not in self._sessions:
            raise not_found("There is no such upload session.")
        return self._sessions[token]

    def _writable(self, path: str, overwrite: bool) -> None:
        place = self.locate(path)
        if place.is_dir():
            raise RequestError(409, "ALREADY_EXISTS", f"{path} is a directory.")
        if place.exists() and not overwrite:
            raise RequestError(409, "ALREADY_EXISTS", f"The file {path} being created already exists.")
        if not place.parent.is_dir():
            # As on Azure, where the SDK's caller makes the directory first.
            raise not_found(f"The directory {path.rpartition('/')[0]} of the file being created is not found.")

    def _receive(self, source: Source, place: Path | None = None) -> Path:
        self._uploads.mkdir(parents=True, exist_ok=True)
        place = place or self._uploads / secrets.token_urlsafe(16)
        try:
            with place.open("wb") as out:
                while block := source.read(CHUNK):
                    out.write(block)
        except OSError as error:
            place.unlink(missing_ok=True)
            if error.errno != errno.ENOSPC:
                raise
            raise RequestError(507, "STORAGE_FULL", f"No space left on device below {self._uploads.parent}.") from None
        return place

    def _publish(self, fresh: Path, path: str, overwrite: bool) -> None:
        try:
            self._writable(path, overwrite)
            fresh.replace(self.locate(path))
        finally:
            fresh.unlink(missing_ok=True)


def _range(header: str, size: int) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", header)
    first = int(match.group(1)) if match else size
    if match is None or first >= size:
        raise RequestError(416, "INVALID_RANGE", f"Range {header!r} is not within the file's {size} bytes.")
    return first, min(int(match.group(2) or size - 1), size - 1)
