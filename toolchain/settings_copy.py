"""The copy of a stack's settings that a simulated stack uses.

The engine writes its encryption salt into a settings file. A simulated stack must not touch the tracked file, so it
gets a copy that follows every change of the tracked one and keeps the engine's own keys from before.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from toolchain.errors import UserError

# What the engine writes beside `config`; the real stack's say nothing about the simulated one's secrets.
ENGINE_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt")
SECRET = "simulated-secret"  # noqa: S105 (what stands for a real stack's secrets, which only its own key can read)
OURS = "medallion:"


def merged(tracked: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """The tracked settings, with the engine's keys of the previous copy and no real secret.

    Raises `UserError` for a secret among our own settings, as the program does for Azure (stacks/settings.py).
    """
    for key, value in (tracked.get("config") or {}).items():
        if key.startswith(OURS) and _without_secrets(value) != value:
            raise UserError(f"{key}: a setting cannot be secret: put the value into the key vault instead")
    ours = {key: _without_secrets(value) for key, value in tracked.items() if key not in ENGINE_KEYS}
    return {**ours, **{key: previous[key] for key in ENGINE_KEYS if key in previous}}


def _without_secrets(value: Any) -> Any:
    """Replaces every encrypted value (`{secure: …}`) by a plain one."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            return SECRET
        return {key: _without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return value


def refresh(tracked: Path, copy: Path) -> None:
    """Bring the copy in line with the tracked file. Raises `UserError` where that is missing or no mapping."""
    if not tracked.is_file():
        raise UserError(f"{tracked.name} is missing: every stack has a settings file in the project's root")
    settings = merged(read(tracked), read(copy) if copy.is_file() else {})
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    if copy.is_file() and copy.read_text(encoding="utf-8") == text:
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    fresh = copy.with_name(f".{copy.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(copy)


def read(path: Path) -> dict[str, Any]:
    """A settings file as a mapping. Raises `UserError` with file and line for what is no YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise UserError(f"{where}: not valid YAML ({getattr(error, 'problem', None) or error})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path.name}: expected keys and values, found {type(content).__name__}")
    return content
