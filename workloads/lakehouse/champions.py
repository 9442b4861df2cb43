"""Champion and challenger: which version of a model is used, why, and how to go back.

A version is measured on a holdout once; the figure stands on it as a tag, beside what was decided and why. The alias
moves last, so that a decision that a kill cut short is made again from the same figures and comes out the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.lakehouse.effects import effect
from workloads.lakehouse.errors import TaskError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
# A challenger may be worse by so much in average precision: newer data count for something, noise is no reason.
TOLERANCE = 0.005

HOLDOUT, PRECISION, PROBLEM = "holdout", "holdout_average_precision", "holdout_problem"
NONE = "none"  # of a figure or a problem; not every registry takes an empty tag
DECISION, REASON, PREVIOUS, ROLLED_BACK = "decision", "reason", "previous_champion", "rolled_back"


class UnfitError(Exception):
    """A model cannot be measured; the text says why."""


@dataclass(frozen=True)
class Judge:
    """What versions are measured on: `holdout` identifies it; `average_precision` may raise UnfitError."""

    holdout: str
    average_precision: Callable[[Any], float]


@dataclass(frozen=True)
class Measured:
    """The figure of a version, or why it has none."""

    version: int
    average_precision: float | None
    problem: str = ""


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves to the challenger, and why."""

    moves: bool
    reason: str


def decide(challenger: Measured, champion: Measured | None) -> Decision:
    """Whether `challenger` takes the place of `champion`: if it is not worse by more than TOLERANCE."""
    if champion is None:
        return Decision(True, "the first version")
    if challenger.average_precision is None:
        return Decision(False, f"version {challenger.version} cannot be measured: {challenger.problem}")
    if champion.average_precision is None:
        return Decision(True, f"version {champion.version} cannot be measured any more: {champion.problem}")
    gain = challenger.average_precision - champion.average_precision
    figures = (
        f"average precision {challenger.average_precision:.4f} on the holdout, {gain:+.4f} beside "
        f"version {champion.version} ({champion.average_precision:.4f})"
    )
    # Rounded, so that a figure's last bits decide nothing.
    if round(gain, 9) >= -TOLERANCE:
        return Decision(True, figures)
    return Decision(False, f"{figures}: worse by more than {TOLERANCE}")


def settle(client: MlflowClient, name: str, version: int, judge: Judge, load: Callable[[int], Any]) -> Decision:
    """Makes that version champion, or leaves the champion that there is; says so on the version.

    `load` gives the estimator of a version; nothing is loaded or measured where the figures stand already.
    """
    champion = champion_version(client, name)
    tags = client.get_model_version(name, str(version)).tags
    if champion == version:
        _drop_challenger(client, name, version)
        return Decision(True, tags.get(REASON, ""))
    if ROLLED_BACK in tags:
        return Decision(False, f"rolled back: {tags[ROLLED_BACK]}")
    mine = _measured(client, name, version, judge, load)
    theirs = _measured(client, name, champion, judge, load) if champion is not None else None
    decision = decide(mine, theirs)
    told = {DECISION: CHAMPION if decision.moves else "kept back", REASON: decision.reason}
    if decision.moves and champion is not None:
        told[PREVIOUS] = str(champion)
    _tag(client, name, version, told)
    if decision.moves:
        _alias(client, name, CHAMPION, version)
        _drop_challenger(client, name, version)
    elif holder(client, name, CHALLENGER) != version:
        _alias(client, name, CHALLENGER, version)
    return decision


def roll_back(client: MlflowClient, name: str, reason: str) -> tuple[int, int]:
    """Gives the alias back to the champion before; versions left and taken. Raises TaskError where there is none."""
    champion = champion_version(client, name)
    if champion is None:
        raise TaskError(f"model {name} has no champion")
    previous = client.get_model_version(name, str(champion)).tags.get(PREVIOUS)
    if previous is None:
        raise TaskError(f"version {champion} of model {name} is the first champion: there is none to go back to")
    _tag(client, name, champion, {ROLLED_BACK: reason})
    _alias(client, name, CHAMPION, int(previous))
    return champion, int(previous)


def champion_version(client: MlflowClient, name: str) -> int | None:
    """The version that is champion."""
    return holder(client, name, CHAMPION)


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions with their tags, the newest first; empty where the model was never registered."""
    # Unity Catalog leaves tags out of search results
    return [client.get_model_version(name, str(number)) for number in numbers(client, name)]


def numbers(client: MlflowClient, name: str) -> list[int]:
    """The numbers of all versions, the newest first; empty where the model was never registered."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted((int(one.version) for one in found), reverse=True)


def holder(client: MlflowClient, name: str, alias: str) -> int | None:
    """The version that has the alias, if one has it."""
    from mlflow.exceptions import MlflowException

    try:
        return int(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
            return None
        raise


def _measured(client: MlflowClient, name: str, version: int, judge: Judge, load: Callable[[int], Any]) -> Measured:
    tags = client.get_model_version(name, str(version)).tags
    if tags.get(HOLDOUT) != judge.holdout:
        figure, problem = _measure(judge, load, version)
        tags = {HOLDOUT: judge.holdout, PRECISION: NONE if figure is None else repr(figure), PROBLEM: problem or NONE}
        _tag(client, name, version, tags)
    figure = None if tags[PRECISION] == NONE else float(tags[PRECISION])
    return Measured(version, figure, tags[PROBLEM])


def _measure(judge: Judge, load: Callable[[int], Any], version: int) -> tuple[float | None, str]:
    try:
        return judge.average_precision(load(version)), ""
    except UnfitError as problem:
        return None, str(problem)


def _tag(client: MlflowClient, name: str, version: int, tags: dict[str, str]) -> None:
    # The tag by which figures are found again is written last: before it, they are measured anew.
    with effect("model", f"{name} version {version}: {', '.join(tags)}"):
        for key in sorted(tags, key=lambda key: key == HOLDOUT):
            client.set_model_version_tag(name, str(version), key, tags[key])


def _alias(client: MlflowClient, name: str, alias: str, version: int) -> None:
    with effect("model", f"{name}@{alias}"):
        client.set_registered_model_alias(name, alias, str(version))


def _drop_challenger(client: MlflowClient, name: str, version: int) -> None:
    if holder(client, name, CHALLENGER) == version:
        with effect("model", f"{name}@{CHALLENGER} (dropped)"):
            client.delete_registered_model_alias(name, CHALLENGER)
