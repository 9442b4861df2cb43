"""A simulated workspace with a tiny wheel: its tasks do what their parameters say. No Spark."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from simulator.jobs_api import Workspace
from simulator.state import Resource, cloud

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run, RunOutput, RunTask

WHEEL = "/Volumes/cat/models/files/wheels/acme_tasks-1.0-py3-none-any.whl"
TASKS = """
import os, signal, sys, time
from pathlib import Path
from types import ModuleType

def main(argv=None):
    marks, command, *rest = argv
    marks = Path(marks)
    with (marks / "order").open("a") as order:
        order.write(" ".join([command, *rest]) + "\\n")
    COMMANDS[command](marks, *rest)

def ok(marks, *rest):
    print("said on stdout")

def fail(marks, text="boom"):
    raise ValueError(text)

def leave(marks, text):
    raise SystemExit(text)

def complain(marks):
    print("a clear line", file=sys.stderr)
    sys.exit(2)

def flaky(marks, times):
    "Fails so many times, then succeeds."
    tried = len(list(marks.glob("try-*")))
    (marks / f"try-{tried}").touch()
    if tried < int(times):
        raise ValueError(f"try {tried}")

def wait(marks, name):
    "Says that it runs, and runs until told to end."
    (marks / f"{name}-runs").touch()
    while not (marks / f"{name}-ends").exists():
        time.sleep(0.01)

def hold(marks):
    "Holds the pipe open as long as its process lives."
    if (marks / "held").exists():
        return
    pipe = (marks / "pipe").open("wb", buffering=0)
    pipe.write(b"x")
    (marks / "held").touch()
    while True:
        time.sleep(60)

def meet(marks, own, other):
    "Ends only while the other runs as well."
    (marks / f"{own}-runs").touch()
    while not (marks / f"{other}-runs").exists():
        time.sleep(0.01)

def die(marks, number="9"):
    os.kill(os.getpid(), int(number))
    time.sleep(60)

def quit_once(marks):
    if not (marks / "quit").exists():
        (marks / "quit").touch()
        os._exit(5)

def where(marks):
    import acme_tasks
    (marks / "where").write_text(acme_tasks.__file__)
    (marks / "env").write_text(repr(dict(os.environ)))

def plain():
    "An entry point that takes its command line from sys.argv, as any console script."
    main(sys.argv[1:])

def returns():
    return 4

COMMANDS = {name: value for name, value in globals().items() if callable(value) and name not in ("main", "Path")}
"""
NO_SPARK = """
class Session:
    "Stands in for the cluster's Spark."
    def __init__(self, settings):
        print("session", settings)
        if "acme.broken" in settings["conf"]:
            raise OSError(28, "No space left on device")
    def prepare(self, task_run_id, task_key): pass
    def cancel(self, task_run_id): pass
    def alive(self): return True
    def stop(self): pass
"""
ENTRY_POINTS = "[console_scripts]\ntask = acme_tasks:main\nplain = acme_tasks:plain\nreturns = acme_tasks:returns\n"


def write_wheel(place: Path, source: str = TASKS) -> None:
    """A wheel of the package `acme-tasks`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as wheel:
        wheel.writestr("acme_tasks/__init__.py", source)
        info = "acme_tasks-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: acme-tasks\nVersion: 1.0\n")
        wheel.writestr(f"{info}/entry_points.txt", ENTRY_POINTS)


def task(key: str, *parameters: str, after: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A task as Pulumi's properties describe it."""
    wheel = {"packageName": "acme_tasks", "entryPoint": more.pop("entry_point", "task")}
    return {
        "taskKey": key,
        "pythonWheelTask": wheel | {"parameters": ["{{job.parameters.marks}}", *(parameters or ("ok",))]},
        "libraries": [{"whl": WHEEL}],
        "jobClusterKey": "main",
        "dependsOns": [{"taskKey": need} for need in after],
    } | more


def ended(client: WorkspaceClient, run_id: int) -> Run:
    """The run once it has ended."""
    while True:
        run = client.jobs.get_run(run_id, include_history=True)
        if run.state.life_cycle_state.value in ("TERMINATED", "INTERNAL_ERROR", "SKIPPED"):
            return run
        time.sleep(0.05)


def appears(path: Path) -> None:
    """Wait for a file."""
    while not path.exists():
        time.sleep(0.01)


def latest(run: Run) -> dict[str, RunTask]:
    """The last attempt of each task."""
    return {item.task_key: item for item in run.tasks}


def results(run: Run) -> dict[str, str]:
    """How each task ended."""
    return {key: item.state.result_state.value for key, item in latest(run).items()}


def output(client: WorkspaceClient, run: Run, key: str) -> RunOutput:
    """What the last attempt of a task gave out."""
    return client.jobs.get_run_output(latest(run)[key].run_id)


class Home:
    """The simulated cloud of a test, and sessions on it."""

    wheel = WHEEL
    task, ended, appears, latest, results, output, write_wheel = map(
        staticmethod, (task, ended, appears, latest, results, output, write_wheel)
    )

    def __init__(self, path: Path, sdk: ModuleType):
        self.path, self.marks, self.sdk = path / "home", path / "marks", sdk
        self.marks.mkdir()
        support = path / "support"
        support.mkdir()
        (support / "no_spark.py").write_text(NO_SPARK)
        self.environment = dict(os.environ) | {"PYTHONPATH": str(support), "MEDALLION_HOME": "/never/passed/on"}
        self.open: list[Workspace] = []
        storage = "abfss://catalog@acme.dfs.core.windows.net/"
        self.put("azure-native:resources:ResourceGroup", "group", tags={"environment": "local"})
        self.put("azure-native:storage:StorageAccount", "account", parent="group", accountName="acme")
        self.put("databricks:index/catalog:Catalog", "cat", name="cat", storageRoot=storage)
        self.put("databricks:index/schema:Schema", "cat.bronze", name="bronze", catalogName="cat")
        for container in ("models", "landing"):
            (self.path / "lake" / container).mkdir(parents=True)
            link = self.path / "volumes" / "cat" / container / "files"
            link.parent.mkdir(parents=True)
            link.symlink_to(self.path / "lake" / container)
        write_wheel(self.path / "lake" / "models" / "wheels" / WHEEL.rpartition("/")[2])

    def put(self, type_: str, key: str, parent: str = "", **inputs: Any) -> None:
        """Write a resource into the simulated cloud."""
        with cloud(self.path) as now:
            now.put(Resource(key, type_, key, "", parent, inputs))

    def deploy(self, *tasks: dict[str, Any], job_id: int = 7, **more: Any) -> int:
        """Deploy a job; returns its id."""
        conf = more.pop("spark_conf", {})
        variables = {"MEDALLION_CATALOG": "cat", "MEDALLION_VOLUMES": "/Volumes/cat"} | more.pop("variables", {})
        clusters = [{"jobClusterKey": "main", "newCluster": {"sparkEnvVars": variables, "sparkConf": conf}}]
        parameters = [{"name": "marks", "default": str(self.marks)}, *more.pop("parameters", [])]
        inputs = {"name": "acme", "tasks": list(tasks), "jobClusters": clusters, "parameters": parameters} | more
        self.put("databricks:index/job:Job", str(job_id), **inputs)
        return job_id

    def session(self) -> WorkspaceClient:
        """Serve the workspace and connect to it, as one `medallion` command does."""
        workspace = Workspace(session="no_spark:Session", environment=self.environment)
        self.open.append(workspace)
        return self.sdk.WorkspaceClient(host=workspace.start(self.path), token="simulated")

    def order(self) -> list[str]:
        """What tasks did, in the order in which they began."""
        place = self.marks / "order"
        return place.read_text().splitlines() if place.exists() else []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sdk: ModuleType) -> Iterator[Home]:
    """A home whose sessions end with the test."""
    monkeypatch.setattr("simulator.execution.GRACE_SECONDS", 0.2)
    made = Home(tmp_path, sdk)
    yield made
    for workspace in made.open:
        workspace.stop()


@pytest.fixture
def client(home: Home) -> WorkspaceClient:
    """A session on the home."""
    return home.session()
