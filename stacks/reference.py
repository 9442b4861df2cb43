"""The pages of `docs/reference/`, made from the models: `python -m stacks.reference` writes them anew."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stacks.outputs import Outputs
from stacks.settings import PROJECT, Settings

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
FORMATS = {"ipv4network": "address range", "date": "date"}
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    return {"settings.md": settings(), "outputs.md": outputs()}


def settings() -> str:
    """What may be set in `Pulumi.<stack>.yaml`."""
    schema = Settings.model_json_schema()
    known, needed = schema["$defs"], schema["required"]
    plain = {key: value for key, value in schema["properties"].items() if not _section(value, known)}
    lines = [
        "# Settings",
        "",
        f"Keys stand in `Pulumi.<stack>.yaml`, below `config`, each as `{PROJECT}:<key>`. They are declared and",
        "checked in `stacks/settings.py`; this page is made from it (`python -m stacks.reference`).",
        "",
        *_table({key: (value, _default(value, required=key in needed)) for key, value in plain.items()}, known),
    ]
    for key, value in schema["properties"].items():
        section = _section(value, known)
        if section:
            lines += ["", f"## {key}", "", *section["description"].split("\n"), ""]
            lines += _table(dict(_flat(section, known, value.get("default"), required=key in needed)), known)
    return "\n".join([*lines, ""])


def outputs() -> str:
    """What a stack tells the world."""
    declared = Outputs.model_json_schema()["properties"]
    rows = [f"| `{name}` | {_kind(value, {})} | {value['description']} |" for name, value in declared.items()]
    lines = [
        "# Outputs",
        "",
        f"{inspect.getdoc(Outputs)} `python -m toolchain.stack outputs` prints them as JSON.",
        "They are declared in `stacks/outputs.py`; this page is made from it (`python -m stacks.reference`).",
        "",
        "| output | type | meaning |",
        "| --- | --- | --- |",
        *rows,
    ]
    return "\n".join([*lines, ""])


def _table(fields: Mapping[str, tuple[Schema, str]], known: Schema) -> list[str]:
    """A row for each key: its type, its default, its meaning."""
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, (schema, default) in fields.items():
        rows.append(f"| `{key}` | {_kind(schema, known)} | {default} | {schema.get('description', '')} |")
    return rows


def _flat(
    section: Schema, known: Schema, defaults: Schema | None, *, required: bool, path: str = ""
) -> Iterator[tuple[str, tuple[Schema, str]]]:
    """The keys of a section and of the sections in it, each with its schema and its default.

    `defaults` are the values of a section that may be left out as a whole.
    """
    for key, schema in section["properties"].items():
        is_needed = required and key in section.get("required", ())
        default = (defaults or {}).get(key, schema.get("default"))
        inner = _section(schema, known)
        if inner:
            yield from _flat(inner, known, default, required=is_needed, path=f"{path}{key}.")
        else:
            yield f"{path}{key}", (schema, _default({"default": default}, required=is_needed))


def _section(schema: Schema, known: Schema) -> Schema | None:
    """The schema of the section that a key holds; None where it holds something else."""
    for choice in schema.get("anyOf", [schema]):
        if "$ref" in choice:
            found: Schema = known[choice["$ref"].rpartition("/")[2]]
            return found if "properties" in found else None
    return None


def _default(schema: Schema, *, required: bool) -> str:
    value = schema.get("default")
    if required or value in (None, [], {}):
        return "required" if required else ""
    return f"`{re.sub(r'[.]0(?![0-9])', '', json.dumps(value))}`"


def _kind(schema: Schema, known: Schema) -> str:
    """A type in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(choice, known) for choice in schema["anyOf"] if choice.get("type") != "null")
    if "$ref" in schema:
        inner = known[schema["$ref"].rpartition("/")[2]]
        return f"({', '.join(f'`{key}`: {_kind(value, known)}' for key, value in inner['properties'].items())})"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'], known)}{', at least one' if schema.get('minItems') else ''}"
    if schema["type"] == "object":
        return f"name → {_kind(schema['additionalProperties'], known)}"
    if schema["type"] == "string":
        form = FORMATS.get(schema.get("format", ""), "text")
        return f"{form} of the form `{_escaped(schema['pattern'])}`" if "pattern" in schema else form
    if schema["type"] == "boolean":
        return "true or false"
    return ("whole number" if schema["type"] == "integer" else "number") + _bounds(schema)


def _bounds(schema: Schema) -> str:
    bounds = {"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}"}
    return "".join(f" {text.format(schema[key])}" for key, text in bounds.items() if key in schema)


def _escaped(pattern: str) -> str:
    return pattern.replace("|", r"\|")


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
