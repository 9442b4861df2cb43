"""What a workload declares: its jobs, tasks, parameters and the platform parts it needs.

One declaration serves every consumer: the Databricks job, the Data Factory pipeline, the dashboards and the
documentation turn the same object into their own form. A workload is found by its folder: `workloads/<folder>/spec.py`
with a module attribute `WORKLOAD`. This module, and every `spec.py`, loads neither pyspark nor pulumi.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Table = Annotated[str, StringConstraints(pattern=r"^(bronze|silver|gold|speed|quarantine)\.[a-z][a-z0-9_]*$")]
LakeFolder = Annotated[str, StringConstraints(pattern=r"^(landing|bronze)/[a-z0-9_/-]+$")]
Container = Literal["landing", "bronze", "silver", "gold", "quarantine", "models", "reports"]
Layer = Literal["bronze", "silver", "gold", "ml", "speed", "serving", "quality", "upkeep"]
Part = Literal["serving-store", "event-stream"]
CqlType = Literal["bigint", "boolean", "date", "decimal", "double", "int", "text", "timestamp"]
Value = str | int | float | bool

PYTHON_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}


class SpecError(Exception):
    """A workload is declared wrongly or unknown, or got a parameter that it does not take; the text says which."""


class Strict(BaseModel):
    """A frozen model that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(Strict):
    """A parameter of a workload's jobs, or of its generator. Values come as text; `parse` gives their type back."""

    name: Key
    type: Literal["string", "integer", "number", "boolean"] = "string"
    default: Value
    meaning: str

    @model_validator(mode="after")
    def _default_has_the_type(self) -> Self:
        self.parse(self.text(self.default))
        return self

    @staticmethod
    def text(value: Value) -> str:
        """A value as the Jobs API carries it."""
        return str(value).lower() if isinstance(value, bool) else str(value)

    def parse(self, text: str) -> Value:
        """The typed value of `text`. Raises SpecError, naming parameter and type, where it does not fit."""
        if self.type == "boolean":
            if text in ("true", "false"):
                return text == "true"
        else:
            try:
                value = PYTHON_TYPES[self.type](text)
            except ValueError:
                value = None
            if value is not None and (self.type != "number" or math.isfinite(value)):
                return value
        raise SpecError(f"parameter {self.name!r} takes {_article(self.type)}, not {text!r}")


class Task(Strict):
    """One step of a job, carried out by the function `run` of the module `workloads/<folder>/<key>.py`.

    `reads` and `writes` name tables as `<layer>.<table>`; `retries` and `timeout_seconds` are the cluster's.
    """

    key: Key
    layer: Layer
    depends_on: tuple[Key, ...] = ()
    reads: tuple[Table, ...] = ()
    writes: tuple[Table, ...] = ()
    retries: int = Field(default=1, ge=0, le=10)
    timeout_seconds: int = Field(default=3600, ge=60)


class Activity(Strict):
    """A step of the data factory's chain: the tasks that it runs, one after the other."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,54}$")]
    tasks: tuple[Key, ...] = Field(min_length=1)


class Job(Strict):
    """Tasks that one run carries out, on a schedule (Quartz cron, UTC), continuously, or when somebody asks.

    `activities` are the chain as which a data factory runs the tasks where it does not start the job as a whole;
    without them, each task is a step.
    """

    key: Key = "batch"
    tasks: tuple[Task, ...] = Field(min_length=1)
    activities: tuple[Activity, ...] = ()
    schedule: str | None = None
    continuous: bool = False

    @model_validator(mode="after")
    def _tasks_form_a_graph(self) -> Self:
        keys = [task.key for task in self.tasks]
        if len(set(keys)) != len(keys):
            raise ValueError(f"job {self.key!r}: two tasks have the same key")
        for task in self.tasks:
            if unknown := sorted(set(task.depends_on) - set(keys)):
                raise ValueError(f"task {task.key!r} depends on {unknown[0]!r}, which is no task of job {self.key!r}")
        self.in_order()
        if self.continuous and self.schedule:
            raise ValueError(f"job {self.key!r} is continuous and has a schedule: choose one")
        if self.continuous and any(task.depends_on for task in self.tasks):
            raise ValueError(f"job {self.key!r} is continuous: its tasks cannot depend on each other")
        return self

    @model_validator(mode="after")
    def _activities_run_all_tasks_in_order(self) -> Self:
        done: set[str] = set()
        needs = {task.key: task.depends_on for task in self.tasks}
        for activity in self.activities:
            for key in activity.tasks:
                if key not in needs or key in done:
                    why = "runs twice" if key in done else f"is no task of job {self.key!r}"
                    raise ValueError(f"activity {activity.name!r}: {key!r} {why}")
                if late := sorted(set(needs[key]) - done):
                    raise ValueError(f"activity {activity.name!r}: {key!r} depends on {late[0]!r}, which runs later")
                done.add(key)
        if self.activities and (missing := sorted(set(needs) - done)):
            raise ValueError(f"job {self.key!r}: no activity runs {missing[0]!r}")
        return self

    def chain(self) -> tuple[Activity, ...]:
        """The steps of the data factory's chain, in order."""
        return self.activities or tuple(Activity(name=task.key, tasks=(task.key,)) for task in self.in_order())

    def in_order(self) -> tuple[Task, ...]:
        """The tasks, each after those it depends on, else by key. Raises ValueError for a cycle."""
        by_key = {task.key: task for task in sorted(self.tasks, key=lambda task: task.key)}
        graph = TopologicalSorter({key: sorted(task.depends_on) for key, task in by_key.items()})
        try:
            return tuple(by_key[key] for key in graph.static_order())
        except CycleError as error:
            raise ValueError(f"job {self.key!r}: tasks depend on each other: {' → '.join(error.args[1])}") from None


class ServingColumn(Strict):
    """A column of a table of the serving store, typed as CQL does."""

    name: Key
    type: CqlType
    meaning: str


class ServingTable(Strict):
    """A table of the serving store, made for its queries: rows lie together by `partition_key`, in order of `order`.

    Every row says in the further column `version` of which version of the batch layer it is. Where there is a speed
    layer, the twin `<name>_speed` has the same columns, with `version` first in its order, and its rows go after
    `speed_time_to_live_seconds`; a row of the twin, of the same version, is added to the batch's (`adds`), column by
    number by number, or takes its place (`replaces`). A row whose column `shown_if` is false
    is no answer.
    """

    name: Key
    meaning: str
    columns: tuple[ServingColumn, ...]
    partition_key: tuple[Key, ...] = Field(min_length=1)
    order: tuple[Key, ...] = ()
    speed: Literal["adds", "replaces"] | None = None
    shown_if: Key | None = None
    speed_time_to_live_seconds: int = Field(default=7 * 24 * 3600, ge=60)

    @model_validator(mode="after")
    def _keys_are_columns(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names) or "version" in names:
            raise ValueError(f"table {self.name!r}: two columns have the same name, or one is called 'version'")
        if unknown := sorted({*self.key, *filter(None, [self.shown_if])} - set(names)):
            raise ValueError(f"table {self.name!r}: {unknown[0]!r} is no column of it")
        return self

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart."""
        return (*self.partition_key, *self.order)

    def batch_schema(self) -> StoredTable:
        """The table as it is stored, for rows of the batch layer: they stay until a later version takes their place."""
        columns = (*self.columns, VERSION)
        return StoredTable(name=self.name, columns=columns, partition_key=self.partition_key, clustering=self.order)

    def speed_schema(self) -> StoredTable | None:
        """Its twin for rows of the speed layer, which go by themselves; None where there is no speed layer."""
        if self.speed is None:
            return None
        return StoredTable(
            name=f"{self.name}_speed",
            columns=(*self.columns, VERSION),
            partition_key=self.partition_key,
            clustering=(VERSION.name, *self.order),
            time_to_live_seconds=self.speed_time_to_live_seconds,
        )


class StoredTable(Strict):
    """A table as the serving store has it: pure, and the same on Azure and on a laptop.

    Rows lie together by `partition_key`, in ascending order of `clustering`; without a time to live, they stay.
    """

    name: str
    columns: tuple[ServingColumn, ...]
    partition_key: tuple[Key, ...]
    clustering: tuple[Key, ...] = ()
    time_to_live_seconds: int | None = None


VERSION = ServingColumn(name="version", type="bigint", meaning="Version of the batch layer that the row is of")

SERVING_VERSIONS = StoredTable(
    name="serving_versions",
    columns=(
        ServingColumn(name="view", type="text", meaning="The table that is served (the word is CQL's own: quote it)"),
        ServingColumn(name="version", type="bigint", meaning="The version that is shown"),
        ServingColumn(name="published_at", type="timestamp", meaning="When it was switched to"),
    ),
    partition_key=("view",),
)
"""Beside the tables of every workload: which version of each is shown."""


class Query(Strict):
    """A question that the serving store answers: columns that must equal a value, and one that must not be less."""

    name: Name
    meaning: str
    table: Key
    equals: tuple[Key, ...] = Field(min_length=1)
    at_least: Key | None = None


class EventStream(Strict):
    """A stream of events that others send to: a topic of Kafka, a hub of Event Hubs."""

    name: Name
    meaning: str
    partitions: int = Field(default=4, ge=1, le=32)
    retention_hours: int = Field(default=72, ge=1, le=168)


class Workload(Strict):
    """A workload: what it is called, what it runs, what it takes and what it needs of the platform.

    `input_path` is the place of its raw files, as `<container>/<folder>`; `feedback_path` that of what people say of
    its results, where it takes that. `models` are the names of the models that it registers.
    """

    name: Name
    title: str
    description: str
    jobs: tuple[Job, ...] = Field(min_length=1)
    parameters: tuple[Parameter, ...] = ()
    input_path: LakeFolder
    feedback_path: LakeFolder | None = None
    repairs_path: LakeFolder | None = None
    models: tuple[Name, ...] = ()
    serving: tuple[ServingTable, ...] = ()
    queries: tuple[Query, ...] = ()
    streams: tuple[EventStream, ...] = ()

    @property
    def needs(self) -> frozenset[Part]:
        """The parts of the platform that a stack declares only for workloads that use them."""
        return frozenset({"serving-store"} if self.serving else ()) | ({"event-stream"} if self.streams else set())

    @property
    def stored(self) -> tuple[StoredTable, ...]:
        """All tables of its keyspace in the serving store, by name; none where it serves nothing."""
        both = [schema for table in self.serving for schema in (table.batch_schema(), table.speed_schema()) if schema]
        return tuple(sorted((*both, SERVING_VERSIONS), key=lambda table: table.name)) if both else ()

    @model_validator(mode="after")
    def _queries_follow_the_keys(self) -> Self:
        tables = {table.name: table for table in self.serving}
        for query in self.queries:
            if query.table not in tables:
                raise ValueError(f"query {query.name!r}: there is no table {query.table!r} to serve")
            key, asked = tables[query.table].key, (*query.equals, *filter(None, [query.at_least]))
            if asked != key[: len(asked)] or len(query.equals) < len(tables[query.table].partition_key):
                raise ValueError(f"query {query.name!r} must ask along the key of {query.table!r}: {', '.join(key)}")
        return self

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Self:
        for what, keys in (
            ("jobs", [job.key for job in self.jobs]),
            ("parameters", [parameter.name for parameter in self.parameters]),
            ("tasks", [task.key for job in self.jobs for task in job.tasks]),
            ("tables to serve", [table.name for table in self.stored]),
            ("queries", [query.name for query in self.queries]),
            ("event streams", [stream.name for stream in self.streams]),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError(f"workload {self.name!r}: two {what} have the same name")
        return self

    @property
    def folder(self) -> str:
        """The name of the workload's folder and Python package."""
        return self.name.replace("-", "_")

    def job(self, key: str = "batch") -> Job:
        """The job of that key. Raises SpecError where there is none."""
        for job in self.jobs:
            if job.key == key:
                return job
        raise SpecError(f"workload {self.name!r} has no job {key!r}; it has {', '.join(job.key for job in self.jobs)}")

    def job_name(self, key: str = "batch") -> str:
        """The name of a job on Databricks: the workload's, followed by the key of all but the batch job."""
        return self.name if key == "batch" else f"{self.name}-{key}"

    def parse_parameters(self, texts: dict[str, str]) -> dict[str, Value]:
        """Typed values of all parameters: those given as text, and the defaults. Raises SpecError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        if unknown := sorted(set(texts) - set(known)):
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise SpecError(f"workload {self.name!r} has no parameter {unknown[0]!r}; {takes}")
        return {name: p.parse(texts.get(name, p.text(p.default))) for name, p in known.items()}


def discover() -> tuple[Workload, ...]:
    """All workloads, by name: every folder beside this file that holds a `spec.py`. Raises SpecError."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/spec.py"))
    found = []
    for folder in folders:
        module = importlib.import_module(f"workloads.{folder}.spec")
        workload = getattr(module, "WORKLOAD", None)
        if not isinstance(workload, Workload):
            raise SpecError(f"workloads/{folder}/spec.py defines no WORKLOAD")
        if workload.folder != folder:
            raise SpecError(
                f"workloads/{folder}/spec.py declares {workload.name!r}: its folder must be {workload.folder!r}"
            )
        found.append(workload)
    check_streams(found)
    return tuple(found)


def check_streams(workloads: Sequence[Workload]) -> None:
    """Raises SpecError where two workloads call a stream the same: all are hubs of one namespace."""
    owners: dict[str, str] = {}
    for workload in workloads:
        for stream in workload.streams:
            owner = owners.setdefault(stream.name, workload.name)
            if owner != workload.name:
                raise SpecError(
                    f"workloads {owner!r} and {workload.name!r} both name a stream {stream.name!r}: rename one"
                )


def find(name: str) -> Workload:
    """The workload of that name. Raises SpecError, listing those that there are."""
    workloads = discover()
    for workload in workloads:
        if workload.name == name:
            return workload
    raise SpecError(f"unknown workload {name!r}; there are: {', '.join(workload.name for workload in workloads)}")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
