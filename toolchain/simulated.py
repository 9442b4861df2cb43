"""The simulated cloud's providers, as executables that the Pulumi engine finds on PATH."""

import shlex
from pathlib import Path

from toolchain import paths

PROVIDERS = ("azure-native", "databricks", "kubernetes")


def wrapper(name: str, python: Path) -> str:
    """The text of `pulumi-resource-<name>`.

    It is exec'd, so that the engine is the provider's parent, and runs where `simulator` is importable whatever
    directory the engine starts it in: the project is installed in `python`'s environment.
    """
    return f'#!/bin/sh\nexec {shlex.quote(str(python))} -m simulator.provider {shlex.quote(name)} "$@"\n'


def install() -> Path:
    """Write the wrappers where they are missing or differ; returns their folder, which goes first on PATH."""
    folder = paths.tools() / "simulated"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROVIDERS:
        write_executable(folder / f"pulumi-resource-{name}", wrapper(name, paths.python()))
    return folder


def write_executable(path: Path, text: str) -> None:
    """Write an executable script, whole or not at all; an equal one is left alone."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(path)
