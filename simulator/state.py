"""The simulated cloud: what exists in it, and the rules that hold for every kind of resource.

Everything lies in `MEDALLION_HOME/cloud.sqlite`; the files of a lake, a volume or a job lie beside it. One transaction
is one operation of the cloud. What an operation does outside the database (folders, links, files) happens last and is
repeatable, so that a process killed before the commit leaves nothing that the next attempt does not put right.
"""

import itertools
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE resources (key TEXT PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, scope TEXT NOT NULL,
                        parent TEXT NOT NULL, inputs TEXT NOT NULL, computed TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX resources_by_parent ON resources (parent);
CREATE INDEX resources_by_type ON resources (type);
CREATE TABLE faults (number INTEGER PRIMARY KEY, operation TEXT NOT NULL, type_pattern TEXT NOT NULL,
                     nth INTEGER NOT NULL, kind TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0);
PRAGMA user_version = 1;
"""


class CloudError(Exception):
    """The cloud refuses an operation. The message is for the person who asked for it."""


@dataclass(frozen=True)
class Resource:
    """A resource as the cloud holds it: what was asked for (`inputs`) and what the cloud added (`computed`).

    `key` is unique in the whole cloud, `id` is what Pulumi knows it by, `scope` is the key of the workspace or cluster
    whose API serves it (empty for Azure itself), `parent` the key of what takes it along when it is deleted.
    """

    key: str
    type: str
    id: str
    scope: str
    parent: str
    inputs: dict[str, Any]
    computed: dict[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, Any]:
        return {**self.inputs, **self.computed}


def home() -> Path:
    """The folder MEDALLION_HOME, which holds the simulated cloud."""
    try:
        return Path(os.environ["MEDALLION_HOME"])
    except KeyError:
        raise CloudError("the simulated cloud needs the environment variable MEDALLION_HOME: its folder") from None


class Cloud:
    """The simulated cloud inside one transaction."""

    def __init__(self, home: Path, database: sqlite3.Connection) -> None:
        self.home = home
        self._database = database

    def get(self, key: str) -> Resource | None:
        """The resource of that key, or None."""
        return next(self._select("key = ?", key), None)

    def find(self, type_pattern: str = "*", **inputs: Any) -> list[Resource]:
        """The resources whose type matches the shell pattern and whose inputs have the values given, by key."""
        rows = self._select("type GLOB ? ORDER BY key", type_pattern)
        return [row for row in rows if all(row.inputs.get(name) == value for name, value in inputs.items())]

    def children(self, key: str) -> list[Resource]:
        """What directly belongs to a resource, by key."""
        return list(self._select("parent = ? ORDER BY key", key))

    def family(self, key: str) -> list[Resource]:
        """All that belongs to a resource, the innermost first."""
        return [member for child in self.children(key) for member in (*self.family(child.key), child)]

    def put(self, resource: Resource) -> None:
        """Write a resource, new or changed."""
        r = resource
        values = (r.key, r.type, r.id, r.scope, r.parent, json.dumps(r.inputs), json.dumps(r.computed))
        self.execute("REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def remove(self, path: Path) -> None:
        """Remove a file, link or folder, and the folders above it that this leaves empty."""
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        for folder in itertools.takewhile(lambda above: above != self.home, path.parents):
            if folder.exists():
                if any(folder.iterdir()):
                    break
                folder.rmdir()

    def drop(self, key: str) -> None:
        """Forget a resource."""
        self.execute("DELETE FROM resources WHERE key = ?", key)

    def _select(self, where: str, *values: str) -> Iterator[Resource]:
        for *names, inputs, computed in self.execute(f"SELECT * FROM resources WHERE {where}", *values):  # noqa: S608
            yield Resource(*names, json.loads(inputs), json.loads(computed))

    def lake_root(self, account: str) -> Path:
        """The folder of a storage account's containers: `lake/` for an environment `local`, else `lakes/<account>/`."""
        found = self.find("azure-native:storage:StorageAccount", accountName=account)
        if not found:
            raise CloudError(f"there is no simulated storage account '{account}'")
        group = self.get(found[0].parent)
        local = group is not None and (group.inputs.get("tags") or {}).get("environment") == "local"
        return self.home / "lake" if local else self.home / "lakes" / account

    def folder(self, url: str) -> Path:
        """The folder that holds the files of an `abfss://container@account.dfs.core.windows.net/path`."""
        match = re.fullmatch(r"abfss://([^@/]+)@([^./]+)\.dfs\.core\.windows\.net(/.*)?", url)
        if not match:
            raise CloudError(f"'{url}' is not of the form abfss://container@account.dfs.core.windows.net/path")
        return self.lake_root(match[2]) / match[1] / (match[3] or "").strip("/")

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement of SQL; its rows."""
        return self._database.execute(statement, values).fetchall()


@contextmanager
def cloud(folder: Path | None = None) -> Iterator[Cloud]:
    """The simulated cloud for one operation: committed as a whole at the end, or not at all."""
    folder = folder or home()
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "cloud.sqlite", timeout=60, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        if not database.execute("PRAGMA user_version").fetchone()[0]:
            for statement in SCHEMA.split(";\n"):
                database.execute(statement)
        yield Cloud(folder, database)
        database.execute("COMMIT")
    finally:
        database.close()  # without a commit, this rolls back


def lake_root(account: str) -> Path:
    """The folder of a storage account's containers."""
    with cloud() as now:
        return now.lake_root(account)
