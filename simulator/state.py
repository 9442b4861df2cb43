"""The simulated cloud: what exists in it, and the rules that hold for every kind of resource.

Everything lies in `MEDALLION_HOME/cloud.sqlite`; the files of a lake, a volume or a job lie beside it. One transaction
is one operation of the cloud. What an operation does outside the database (folders, links, files) happens last and is
repeatable, so that a process killed before the commit leaves nothing that the next attempt does not put right.
"""

import fnmatch
import json
import os
import re
import shutil
import sqlite3
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from simulator import properties

SCHEMA = """
CREATE TABLE resources (key TEXT PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, scope TEXT NOT NULL,
                        parent TEXT NOT NULL, inputs TEXT NOT NULL, computed TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX resources_by_parent ON resources (parent);
CREATE INDEX resources_by_type ON resources (type);
CREATE TABLE faults (number INTEGER PRIMARY KEY, operation TEXT NOT NULL, type_pattern TEXT NOT NULL,
                     nth INTEGER NOT NULL, kind TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0);
PRAGMA user_version = 1;
"""
BUSY_SECONDS = 60

Operation = Literal["create", "update", "delete", "read"]
FaultKind = Literal["fail", "throttle", "slow", "kill-before-commit", "kill-after-commit"]


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
        self._database.execute("REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def remove(self, path: Path) -> None:
        """Remove a file, link or folder, and the folders above it that this leaves empty."""
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        for folder in path.parents:
            if (
                folder == self.home
                or not folder.is_relative_to(self.home)
                or (folder.exists() and any(folder.iterdir()))
            ):
                break
            if folder.exists():
                folder.rmdir()

    def drop(self, key: str) -> None:
        """Forget a resource."""
        self._database.execute("DELETE FROM resources WHERE key = ?", (key,))

    def _select(self, where: str, *values: str) -> Iterator[Resource]:
        rows = self._database.execute(f"SELECT * FROM resources WHERE {where}", values).fetchall()  # noqa: S608
        for *names, inputs, computed in rows:
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

    def take_fault(self, operation: Operation, type_: str) -> FaultKind | None:
        """Count an operation for the scheduled faults; the kind of the one that is due now, if any."""
        due = None
        for number, pattern, nth, kind, seen in self._database.execute(
            "SELECT number, type_pattern, nth, kind, seen FROM faults WHERE operation = ?", (operation,)
        ).fetchall():
            if fnmatch.fnmatchcase(type_, pattern):
                self._database.execute("UPDATE faults SET seen = ? WHERE number = ?", (seen + 1, number))
                due = kind if seen + 1 == nth else due
        return due

    def schedule(self, operation: Operation, type_pattern: str, nth: int, kind: FaultKind) -> None:
        row = (operation, type_pattern, nth, kind)
        self._database.execute("INSERT INTO faults (operation, type_pattern, nth, kind) VALUES (?, ?, ?, ?)", row)

    def faults(self) -> list[dict[str, Any]]:
        names = ("operation", "type_pattern", "nth", "kind", "seen")
        rows = self._database.execute(f"SELECT {', '.join(names)} FROM faults ORDER BY number")  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in rows]

    def clear_faults(self) -> None:
        self._database.execute("DELETE FROM faults")


@contextmanager
def cloud(folder: Path | None = None) -> Iterator[Cloud]:
    """The simulated cloud for one operation: committed as a whole at the end, or not at all."""
    folder = folder or home()
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "cloud.sqlite", timeout=BUSY_SECONDS, isolation_level=None)
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


def resources(type_pattern: str = "*", **inputs: Any) -> list[Resource]:
    """What exists in the simulated cloud."""
    with cloud() as now:
        return now.find(type_pattern, **inputs)


def schedule_fault(operation: Operation, type_pattern: str, nth: int, kind: FaultKind) -> None:
    """Let the nth operation on a matching type, counted from now, go wrong.

    `throttle` refuses with status 429, `slow` takes seconds longer, `kill-…` ends engine and provider with SIGKILL just
    before or after the operation is committed.
    """
    with cloud() as now:
        now.schedule(operation, type_pattern, nth, kind)


Rule = Callable[[Cloud, Resource], None]


def _nothing(_cloud: Cloud, _resource: Resource) -> None:
    pass


def _no_outputs(_cloud: Cloud, _resource: Resource) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Kind:
    """What is special about one type of resource: a row of a provider's table."""

    type: str
    id: str | Callable[[Mapping[str, Any]], str]  # of the inputs, e.g. "{catalogName}.{name}": the natural key
    naming: Mapping[str, str] = field(default_factory=dict)  # property → regular expression of the names allowed
    replace: tuple[str, ...] = ()  # property paths whose change needs a new resource
    parent: Callable[[Cloud, Resource], str] = lambda _cloud, _resource: ""  # its key; raises if it does not exist
    defaults: Callable[[dict[str, Any]], dict[str, Any]] = dict  # the inputs completed, as the provider's Check does
    rules: Rule = _nothing  # raises CloudError for what the cloud refuses at create and update
    outputs: Callable[[Cloud, Resource], dict[str, Any]] = _no_outputs
    written: Rule = _nothing  # what creating or updating does outside the database
    deletable: Rule = _nothing  # raises CloudError for what the cloud refuses at delete
    deleted: Rule = _nothing  # what deleting does outside the database
    read: Callable[[Cloud, Resource], Resource | None] = lambda _cloud, resource: resource
    computed: tuple[str, ...] = ()  # inputs to which the cloud adds something, so that a preview cannot know them
    always_there: bool = False  # exists with its parent: creating it adopts it, deleting it resets it

    def identify(self, inputs: Mapping[str, Any], **more: str) -> str:
        """The id (or natural key) that a resource with these inputs has."""
        if callable(self.id):
            return self.id(inputs)
        wanted = [name for _, name, _, _ in string.Formatter().parse(self.id) if name]
        values = {**inputs, **more}
        missing = [name for name in wanted if not isinstance(values.get(name), str | int)]
        if missing:
            raise CloudError(f"{missing[0]}: the simulated cloud needs it named explicitly")
        return self.id.format_map(values)


class Package:
    """The resource types of one provider, and the life of a resource among them."""

    name: str
    kinds: Mapping[str, Kind]

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    # what a provider says about its types; `resource` is a draft without computed properties

    def scope(self, cloud: Cloud, kind: Kind) -> str:
        """The key of what serves the API; raises CloudError where it cannot be reached."""
        return ""

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        return kind.identify(inputs)

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        return f"{scope}/{kind.type}/{id_}"

    def parent(self, cloud: Cloud, kind: Kind, resource: Resource) -> str:
        """The key of what the resource belongs to; raises CloudError if that does not exist."""
        return kind.parent(cloud, resource)

    def problems(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> list[properties.Problem]:
        """What is wrong with the inputs by themselves."""
        return properties.check(kind.type, inputs)

    def kind(self, type_: str) -> Kind:
        if type_ not in self.kinds:
            raise CloudError(f"the simulated {self.name} provider does not know the type {type_}")
        return self.kinds[type_]

    def check(self, cloud: Cloud, type_: str, inputs: Mapping[str, Any]) -> list[properties.Problem]:
        """All that is wrong with a resource's inputs, by property path."""
        kind = self.kind(type_)
        problems = self.problems(cloud, kind, inputs)
        for name, allowed in kind.naming.items():
            value = inputs.get(name)
            if value is None:
                problems.append((name, "the simulated cloud needs it named explicitly"))
            elif isinstance(value, str) and value != properties.UNKNOWN and not re.fullmatch(allowed, value):
                problems.append((name, f"'{value}' is not a name that the cloud allows: it must match {allowed}"))
        return problems

    def _draft(self, cloud: Cloud, type_: str, inputs: dict[str, Any], id_: str | None = None) -> Resource:
        problems = self.check(cloud, type_, inputs)
        if problems:
            raise CloudError("; ".join(f"{path}: {reason}" for path, reason in problems))
        kind = self.kind(type_)
        scope = self.scope(cloud, kind)
        id_ = id_ or self.identify(cloud, kind, inputs)
        return Resource(self.key(scope, kind, id_), type_, id_, scope, "", inputs)

    def create(self, cloud: Cloud, type_: str, inputs: dict[str, Any]) -> Resource:
        kind, draft = self.kind(type_), self._draft(cloud, type_, inputs)
        if cloud.get(draft.key) and not kind.always_there:
            raise CloudError(f"cannot create already existing resource '{draft.id}'")
        return self._write(cloud, replace(draft, parent=self.parent(cloud, kind, draft)))

    def update(self, cloud: Cloud, type_: str, id_: str, inputs: dict[str, Any]) -> Resource:
        draft = self._draft(cloud, type_, inputs, id_)
        old = cloud.get(draft.key)
        if old is None:
            raise CloudError(f"'{id_}' was not found")
        return self._write(cloud, replace(draft, parent=old.parent, computed=old.computed))

    def _write(self, cloud: Cloud, draft: Resource) -> Resource:
        kind = self.kind(draft.type)
        kind.rules(cloud, draft)
        resource = replace(draft, computed=kind.outputs(cloud, draft))
        cloud.put(resource)
        kind.written(cloud, resource)
        return resource

    def read(self, cloud: Cloud, type_: str, id_: str) -> Resource | None:
        """The resource as it is now, or None if it is gone."""
        kind = self.kind(type_)
        resource = cloud.get(self.key(self.scope(cloud, kind), kind, id_))
        return resource and kind.read(cloud, resource)

    def delete(self, cloud: Cloud, type_: str, id_: str) -> None:
        """Delete a resource and all that belongs to it; what is gone already stays gone."""
        kind = self.kind(type_)
        resource = cloud.get(self.key(self.scope(cloud, kind), kind, id_))
        if resource is None:
            return
        kind.deletable(cloud, resource)
        for member in (*cloud.family(resource.key), resource):
            if member.type in self.kinds:  # a cluster's objects leave nothing outside the database
                self.kind(member.type).deleted(cloud, member)
            cloud.drop(member.key)

    def invoke(self, cloud: Cloud, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a function of the provider."""
        raise CloudError(f"the simulated {self.name} provider does not know the function {token}")

    def unknown_before_create(self, kind: Kind) -> frozenset[str]:
        """The properties that a preview cannot know."""
        return properties.computed_names(kind.type).union(kind.computed)

    def delete_before_replace(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a replacement must wait for the old one to go: if both would have the same id."""
        return properties.has_unknown(new) or kind.identify(old) == kind.identify(new)

    def moved(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
        """The settings of the provider whose change means another cloud, so that all its resources are replaced."""
        return ()

    def same(self, path: str, old: Any, new: Any) -> bool:
        """Whether the cloud takes two different values for the same one."""
        return False
