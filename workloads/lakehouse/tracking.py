"""MLflow: experiments, runs, registered models and their aliases, so that repeating a training repeats nothing.

A training is known by its fingerprint: data, parameters and code. A version that carries it is found again instead of
being trained again; a run that was killed before its version stood is marked as killed and done anew. The version
comes into being together with its fingerprint, in one call, so that there is never a second one.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.lakehouse import champions
from workloads.lakehouse.champions import CHALLENGER, CHAMPION, Judge
from workloads.lakehouse.effects import effect
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FINGERPRINT = "fingerprint"
PROFILE = "profile.json"
# skops refuses types that it does not know. A forest holds scikit-learn's own tree, in compiled code: trusting this
# one type for models of our own training is narrower than a pickle, which runs code when it is loaded.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]


@dataclass(frozen=True)
class Trained:
    """What a training gives: a scikit-learn estimator, its figures, example rows with its answers to them, and a
    profile of what it was trained on, which is kept with it."""

    estimator: Any
    figures: Mapping[str, float]
    example: pd.DataFrame
    answers: Any
    profile: Mapping[str, Any]


@dataclass(frozen=True)
class Registered:
    """A registered version; `new` says whether this call made it, `reason` why it has its alias."""

    name: str
    version: int
    alias: str
    reason: str
    figures: dict[str, float]
    new: bool


@dataclass(frozen=True)
class Champion:
    """The version of a model that is used: its number, estimator, and the profile of what it was trained on."""

    version: int
    estimator: Any
    profile: dict[str, Any]


def fingerprint(*parts: bytes | str) -> str:
    """A hash of all that determines something, in order: a training, a holdout, the code of a task."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def train_once(
    lake: Lake,
    *,
    experiment: str,
    model: str,
    fingerprint: str,
    parameters: Mapping[str, Any],
    train: Callable[[], Trained],
    judge: Judge,
) -> Registered:
    """The registered version of `model` with that fingerprint, trained if there is none, and settled by `judge`."""
    client = _client()
    name = lake.models + model
    version = _find(client, name, fingerprint)
    new = version is None
    if version is None:
        run_id, model_id = _run(client, lake.experiments + experiment, fingerprint, parameters, train())
        version = _register(client, name, run_id, model_id, fingerprint)
    number = int(version.version)
    decision = champions.settle(client, name, number, judge, lambda one: _load(name, one))
    figures = dict(client.get_run(version.run_id).data.metrics)
    judged = client.get_model_version(name, version.version).tags.get(champions.PRECISION, "")
    if judged not in ("", champions.NONE):
        figures[champions.PRECISION] = float(judged)
    return Registered(name, number, CHAMPION if decision.moves else CHALLENGER, decision.reason, figures, new)


def champion(lake: Lake, model: str) -> Champion:
    """The model that is `champion`. Raises TaskError where there is none."""
    import mlflow

    version = champion_version(lake, model)
    client, name = _client(), lake.models + model
    run_id = client.get_model_version(name, str(version)).run_id
    profile = mlflow.artifacts.load_dict(f"runs:/{run_id}/{PROFILE}")
    return Champion(version, _load(name, version), profile)


def champion_version(lake: Lake, model: str) -> int:
    """The number of the version that is `champion`. Raises TaskError where there is none."""
    name = lake.models + model
    version = champions.champion_version(_client(), name)
    if version is None:
        raise TaskError(f"there is no model {name}@{CHAMPION}: run the task that trains it first")
    return version


def registered(lake: Lake, model: str) -> dict[str, int | list[int] | None]:
    """What tells one state of a registered model from another: its versions, and which of them its aliases name."""
    client, name = _client(), lake.models + model
    aliases = {alias: champions.holder(client, name, alias) for alias in (CHAMPION, CHALLENGER)}
    return {**aliases, "versions": champions.numbers(client, name)}


def artifacts(lake: Lake, model: str, version: int, into: Path) -> list[Path]:
    """Copies the files of a version into a folder; returns them, in order."""
    import mlflow

    _client()
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{lake.models}{model}/{version}", dst_path=str(into)))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _load(name: str, version: int) -> Any:
    import mlflow

    return mlflow.sklearn.load_model(f"models:/{name}/{version}")


def _client() -> MlflowClient:
    # Set before MLflow is imported: bars and hints would stand between the lines that people read.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    from mlflow.utils.databricks_utils import is_in_databricks_runtime

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    if not (mlflow.is_tracking_uri_set() or is_in_databricks_runtime()):
        raise TaskError("MLFLOW_TRACKING_URI is not set: the cluster must say where models are tracked")
    return mlflow.MlflowClient()


def _find(client: MlflowClient, name: str, fingerprint: str) -> ModelVersion | None:
    """The newest version with that fingerprint."""
    for version in champions.versions(client, name):
        if version.tags.get(FINGERPRINT) == fingerprint:
            return version
    return None


def _run(
    client: MlflowClient, experiment: str, fingerprint: str, parameters: Mapping[str, Any], trained: Trained
) -> tuple[str, str]:
    """Ids of a finished run that holds parameters, figures and model, and of this model."""
    import mlflow
    import sklearn
    import skops
    from mlflow.models import infer_signature

    with effect("model", f"run of {experiment}"):
        experiment_id = _experiment(client, experiment)
        for left in client.search_runs(
            [experiment_id], f"tags.{FINGERPRINT} = '{fingerprint}' and attributes.status = 'RUNNING'"
        ):
            client.set_terminated(left.info.run_id, "KILLED")
        with mlflow.start_run(experiment_id=experiment_id, tags={FINGERPRINT: fingerprint}) as run:
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(trained.figures))
            mlflow.log_dict(dict(trained.profile), PROFILE)
            logged = mlflow.sklearn.log_model(
                trained.estimator,
                name="model",
                signature=infer_signature(trained.example, trained.answers),
                input_example=trained.example,
                serialization_format="skops",
                skops_trusted_types=TRUSTED_TYPES,
                # stated, since finding them out takes MLflow a process of its own
                pip_requirements=[f"scikit-learn=={sklearn.__version__}", f"skops=={skops.__version__}"],
            )
    return run.info.run_id, logged.model_id


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, artifact_location=_artifacts_beside_database())


def _artifacts_beside_database() -> str | None:
    """Where the tracking store is a local database, artifacts go beside it and not, as by default, to the current
    folder; any other store has a place of its own for them."""
    import mlflow

    uri = mlflow.get_tracking_uri()
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).parent / "artifacts").absolute().as_uri()


def _register(client: MlflowClient, name: str, run_id: str, model_id: str, fingerprint: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    with effect("model", name):
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
                raise
        return client.create_model_version(
            name, f"models:/{model_id}", run_id, {FINGERPRINT: fingerprint}, model_id=model_id
        )
