"""Content that Pulumi uploads: read where the program has it, hashed, written whole, and seen again as it lies."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator import properties
from simulator.state import CloudError, Resource


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content(inputs: Mapping[str, Any]) -> bytes:
    """What `source` names or `contentBase64` holds. Raises CloudError unless exactly one is there, and readable."""
    source, encoded = inputs.get("source"), inputs.get("contentBase64")
    if bool(source) == bool(encoded):
        raise CloudError("source: exactly one of source and contentBase64 is needed")
    try:
        return Path(str(source)).read_bytes() if source else base64.b64decode(str(encoded), validate=True)
    except OSError as error:
        raise CloudError(f"source: '{source}' cannot be read: {error.strerror}") from None
    except binascii.Error as error:
        raise CloudError(f"contentBase64: not Base64: {error}") from None


def with_md5(inputs: dict[str, Any]) -> dict[str, Any]:
    """As the real provider does: the content's hash is compared, not the name of the local file."""
    known = isinstance(inputs.get("source") or inputs.get("contentBase64"), str)
    if not known or properties.UNKNOWN in inputs.values():
        return inputs
    return {**inputs, "md5": md5(content(inputs))}


def write(target: Path, inputs: Mapping[str, Any]) -> None:
    """Write the content to a file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.uploading")
    draft.write_bytes(content(inputs))
    draft.replace(target)


def as_it_lies(resource: Resource, file: Path) -> Resource | None:
    """The resource with the hash of its file, which others than Pulumi may have changed; None if they removed it."""
    if not file.is_file():
        return None
    return replace(resource, inputs={**resource.inputs, "md5": md5(file.read_bytes())})
