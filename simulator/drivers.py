"""Starts the driver process of a run's cluster, and sets up what the process finds: libraries and environment."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from simulator import cluster, deployed
from simulator.files_api import Files
from simulator.job_rules import RequestError

# Of the caller's environment, what would tell a cluster about the machine it is started from.
PRIVATE = re.compile(r"(MEDALLION|PULUMI|DATABRICKS|AZURE|ARM|SPARK|PYSPARK|MLFLOW|CLOUD)(_.*)?")
# Of a cluster's Spark settings, what means something in the cloud only: sizes, storage access, the runtime's own.
CLOUD_ONLY = re.compile(
    r"spark\.(databricks\.(?!delta\.)|(hadoop|driver|executor|dynamicAllocation|master|app|local|ui|jars)\b).*"
)
# Of the cluster's variables, those of services for which the caller's own variables stand in: what the cluster declares
# of them is the cloud's.
STOOD_IN = re.compile(r"MEDALLION_(SERVING|EVENT)_.*")
SECRET = re.compile(r"\{\{secrets/([^/{}]+)/([^/{}]+)\}\}")
STOP_SECONDS = 20


class SetupError(Exception):
    """Why a cluster cannot be set up: one clear line, and the termination code of the Jobs API."""

    def __init__(self, message: str, code: str = "CLUSTER_ERROR"):
        super().__init__(message)
        self.code = code


def job_cluster(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The one cluster that the tasks of a job share. Raises SetupError where they name none, or several."""
    declared = {item["job_cluster_key"]: item["new_cluster"] for item in settings.get("job_clusters") or []}
    wanted = sorted({task.get("job_cluster_key") or "" for task in settings["tasks"]})
    if len(wanted) != 1 or wanted[0] not in declared:
        raise SetupError(f"Job {settings['name']!r}: its tasks must share one declared job cluster, not {wanted}.")
    return declared[wanted[0]]


def environment(base: Mapping[str, str], declared: Mapping[str, str], home: Path, site: Path) -> dict[str, str]:
    """The environment of a driver: what the job's cluster declares, in the terms of this machine.

    Unity Catalog becomes Spark's own catalog, `/Volumes` a folder, MLflow's registry a file; the wheel comes first on
    the Python path, before any that is set already. A secret `{{secrets/<scope>/<key>}}` is the caller's variable
    `CLOUD_SECRET_<SCOPE>_<KEY>`. A serving store or event stream is the one that the caller names in the same
    variables, if any. Raises SetupError where a secret is missing.
    """
    own = {name: value for name, value in base.items() if STOOD_IN.fullmatch(name) or not PRIVATE.fullmatch(name)}
    simulated = {
        name: f"{home}/volumes/{value.removeprefix('/Volumes/')}"
        if value.startswith("/Volumes/")
        else _open(value, base)
        for name, value in declared.items()
        if name != "MLFLOW_REGISTRY_URI" and not STOOD_IN.fullmatch(name)
    }
    for name, value in (("CATALOG", "spark_catalog"), ("EXPERIMENTS", ""), ("MODELS", "")):
        simulated[f"MEDALLION_{name}"] = value
    return (
        own
        | simulated
        | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow/mlflow.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": (home / "mlflow" / "artifacts").as_uri(),
            "PYTHONPATH": os.pathsep.join([str(site), *filter(None, [base.get("PYTHONPATH")])]),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TZ": "UTC",
        }
    )


def _open(value: str, base: Mapping[str, str]) -> str:
    found = SECRET.fullmatch(value)
    if found is None:
        return value
    variable = re.sub(r"\W", "_", f"CLOUD_SECRET_{found[1]}_{found[2]}").upper()
    if variable not in base:
        raise SetupError(
            f"Secret does not exist with scope: {found[1]} and key: {found[2]} (in the simulated cloud, secrets are "
            f"variables: set {variable})",
            "INVALID_ARGUMENT",
        )
    return base[variable]


def spark_settings(settings: Mapping[str, Any], home: Path, base: Mapping[str, str]) -> dict[str, Any]:
    """What the driver needs to start Spark: see `cluster.SparkSessionOfCluster`. Raises SetupError."""
    declared = job_cluster(settings)
    name = (declared.get("spark_env_vars") or {}).get("MEDALLION_CATALOG")
    if not name:
        raise SetupError(f"Job {settings['name']!r}: its cluster declares no MEDALLION_CATALOG in spark_env_vars.")
    try:
        warehouse, schemas = deployed.catalog(home, name)
    except deployed.MissingCatalogError as error:
        raise SetupError(str(error)) from None
    conf = {k: str(v) for k, v in (declared.get("spark_conf") or {}).items() if not CLOUD_ONLY.fullmatch(k)}
    return {
        "name": settings["name"],
        "conf": conf,
        "memory": base.get("MEDALLION_DRIVER_MEMORY", "2g"),
        "options": base.get("MEDALLION_DRIVER_OPTIONS", ""),
        "jars": [jar for jar in re.split("[,:]", base.get("MEDALLION_SPARK_JARS", "")) if jar],
        "warehouse": str(warehouse),
        "schemas": schemas,
    }


def install(tasks: Iterable[Mapping[str, Any]], files: Files, site: Path) -> None:
    """Unpack the wheels that tasks name into `site`, and check that other packages are there. Raises SetupError."""
    if site.exists():
        shutil.rmtree(site)
    site.mkdir(parents=True)
    wheels = {library["whl"] for task in tasks for library in task.get("libraries") or [] if "whl" in library}
    packages = {lib["pypi"]["package"] for task in tasks for lib in task.get("libraries") or [] if "pypi" in lib}
    for path in sorted(wheels):
        _unpack(path, files, site)
    for package in sorted(packages):
        name = re.split(r"[^A-Za-z0-9._-]", package, maxsplit=1)[0]
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise _library(f"{package} is not installed in {sys.prefix}") from None


def _unpack(path: str, files: Files, site: Path) -> None:
    try:
        place = files.locate(path)
        with zipfile.ZipFile(place) as wheel:
            if any(name.startswith("/") or ".." in name.split("/") for name in wheel.namelist()):
                raise _library(f"{path} holds files outside itself")
            wheel.extractall(site)
    except (RequestError, FileNotFoundError):
        raise _library(f"there is no wheel {path}: bring the stack up again") from None
    except zipfile.BadZipFile:
        raise _library(f"{path} is no wheel") from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise SetupError(f"No space left on device: free some disk space below {site}, then repair the run.") from None


def _library(reason: str) -> SetupError:
    return SetupError(f"Library installation failed: {reason}", "LIBRARY_INSTALLATION_ERROR")


class Driver:
    """A driver process. What it reports goes to `events` as (driver, event); its end is the event `died`."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        env: dict[str, str],
        events: Callable[[Driver, dict[str, Any]], None],
        session: str | None = None,
    ):
        self.ready = False
        self.killed_for: str | None = None
        self._gone = False
        report, write_end = os.pipe()
        # -P: what the process imports must not depend on where cluster.py lies, or on any working directory.
        command = [sys.executable, "-P", cluster.__file__, "--report", str(write_end)]
        command += ["--session", session] if session else []
        with (folder / "driver.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[write_end],
                start_new_session=True,
            )
        os.close(write_end)
        self._orders = threading.Lock()
        threading.Thread(target=self._listen, args=(report, events), name="driver events", daemon=True).start()
        self.order(settings)

    @property
    def pid(self) -> int:
        """The process, which is the leader of its group."""
        return self._process.pid

    def _listen(self, report: int, events: Callable[[Driver, dict[str, Any]], None]) -> None:
        with os.fdopen(report, encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # else it died while it wrote
                    events(self, json.loads(line))
        code = self._process.wait()
        self.kill()  # a driver that is gone leaves no Java behind
        self._gone = True
        events(self, {"event": "died", "code": code})

    def order(self, order: dict[str, Any]) -> None:
        """Send an order; to a driver that is gone it is lost, and `died` follows."""
        with self._orders:
            try:
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                return

    def kill(self, reason: str | None = None) -> None:
        """End the process and all its children at once."""
        self.killed_for = self.killed_for or reason
        if self._gone:  # its number may be another process's by now
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def stop(self) -> None:
        """Let the process end its Spark session, and end it where it does not."""
        self.order({"order": "stop"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()
        self._process.wait()
        with self._orders, contextlib.suppress(BrokenPipeError):  # of an order that was never read
            self._process.stdin.close()
