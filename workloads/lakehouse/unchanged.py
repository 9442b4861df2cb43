"""Tasks that need not run: all that they hang on, and all that they made, is as they left it.

A task's module says with `EXPORTS` which files or folders it publishes, with `MODELS` which models it registers, if it
does, and with `hangs_on(task)` what its outputs hang on beside the tables that it is declared to read, its parameters
and its code: None, where it shall run whatever there is. Such a task notes its inputs and outputs as the last thing
that it does, so that a run that was killed left no note, or one that no longer fits. Where the note fits, the task
writes no table and no export; what it reported of the run before, it reports of this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from workloads.lakehouse import exports, raw_files, tables, tracking

if TYPE_CHECKING:
    from workloads.lakehouse.lake import Lake
    from workloads.lakehouse.task import TaskContext

PACKAGE = Path(__file__).resolve().parents[1]


def inputs(task: TaskContext, module: ModuleType) -> dict[str, Any] | None:
    """What the task hangs on, to be asked before it runs; None where it does not say so."""
    beside = module.hangs_on(task) if hasattr(module, "hangs_on") else None
    if beside is None:
        return None
    return {
        "tables": _versions(task, task.task.reads),
        "parameters": task.parameters,
        "code": _code(task.workload.folder),
        "beside": beside,
    }


def recall(task: TaskContext, module: ModuleType, inputs: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the task gave when it last came to its end, as `note` was told; None where it has to run."""
    path = task.lake.path(_place(task))
    if inputs is not None and path.is_file():
        noted = json.loads(path.read_text())
        if noted["inputs"] == inputs and noted["outputs"] == _outputs(task, module):
            return noted["gave"]
    _forget(task)
    return None


def note(task: TaskContext, module: ModuleType, inputs: dict[str, Any] | None, gave: dict[str, Any]) -> None:
    """Notes what a task that came to its end was made of, made, and `gave`, which JSON must be able to hold."""
    if inputs is not None:
        content = {"inputs": inputs, "outputs": _outputs(task, module), "gave": gave}
        exports.as_json(task.lake, _place(task), content)


def stamps(paths: Iterable[Path]) -> dict[str, list[int] | None]:
    """What tells these files, and all in these folders, from others of their names: size and time of the last change;
    None for what is not there."""
    files = [file for path in paths for file in (raw_files.files(path) if path.is_dir() else [path])]
    found = {path: path.stat() if path.exists() else None for path in files}
    return {str(path): stat and [stat.st_size, stat.st_mtime_ns] for path, stat in found.items()}


def _place(task: TaskContext) -> str:
    return f"reports/tasks/{task.workload.name}/{task.task.key}.json"


def _outputs(task: TaskContext, module: ModuleType) -> dict[str, Any]:
    return {
        "tables": _versions(task, task.task.writes),
        "files": stamps(map(task.lake.path, module.EXPORTS)),
        "models": {model: tracking.registered(task.lake, model) for model in getattr(module, "MODELS", ())},
    }


def _versions(task: TaskContext, names: tuple[str, ...]) -> dict[str, str | None]:
    seen = _of_run(task.lake, task.run_id)
    new = [name for name in names if name not in seen]
    seen |= zip(new, task.side_by_side(lambda name: tables.version(task.spark, task.lake, name), new), strict=True)
    return {name: seen[name] for name in names}


@lru_cache(maxsize=1)
def _of_run(lake: Lake, run_id: str) -> dict[str, str | None]:
    """The versions that this run has seen so far, to be filled. Each takes Delta half a second to find, and most tables
    are asked for by several tasks; no task writes while the run goes on but those of the run."""
    return {}


def _forget(task: TaskContext) -> None:
    """What the task writes will have other versions, however far it gets."""
    for name in task.task.writes:
        _of_run(task.lake, task.run_id).pop(name, None)


@cache
def _code(folder: str) -> str:
    """A hash of the code and data of the workload in that folder, and of what all workloads share."""
    paths = sorted(path for part in ("lakehouse", folder) for path in (PACKAGE / part).rglob("*"))
    files = {str(path.relative_to(PACKAGE)): path.read_bytes() for path in paths if path.suffix in (".py", ".toml")}
    return tracking.fingerprint(*(part for file in files.items() for part in file))
