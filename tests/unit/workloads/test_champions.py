"""When the alias moves, when it stays, and how it goes back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from workloads.lakehouse import champions
from workloads.lakehouse.champions import Judge, Measured, UnfitError, decide
from workloads.lakehouse.errors import TaskError

pytestmark = pytest.mark.usefixtures("mlflow")


class Registry:
    """The calls of MLflow's client that decisions take, over dictionaries."""

    def __init__(self, versions: int) -> None:
        self.tags: dict[int, dict[str, str]] = {number: {} for number in range(1, versions + 1)}
        self.aliases: dict[str, int] = {}
        self.loaded: list[int] = []

    def get_model_version(self, name, version):
        return SimpleNamespace(version=version, tags=dict(self.tags[int(version)]))

    def get_model_version_by_alias(self, name, alias):
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

        if alias not in self.aliases:
            raise MlflowException("no such alias", RESOURCE_DOES_NOT_EXIST)
        return SimpleNamespace(version=str(self.aliases[alias]))

    def set_model_version_tag(self, name, version, key, value):
        self.tags[int(version)][key] = value

    def set_registered_model_alias(self, name, alias, version):
        self.aliases[alias] = int(version)

    def delete_registered_model_alias(self, name, alias):
        del self.aliases[alias]

    def settle(self, version: int, figures: dict[int, float], holdout: str = "h"):
        def load(number):
            self.loaded.append(number)
            return figures.get(number)

        def measure(figure):
            if figure is None:
                raise UnfitError("there is no feature 'x' any more")
            return figure

        return champions.settle(self, "m", version, Judge(holdout, measure), load)


@pytest.mark.parametrize(
    ("challenger", "champion", "moves"),
    [(0.80, 0.70, True), (0.70, 0.70, True), (0.695, 0.70, True), (0.6949, 0.70, False), (None, 0.1, False)],
)
def test_a_challenger_may_be_worse_by_a_little(challenger, champion, moves) -> None:
    assert decide(Measured(2, challenger, "why"), Measured(1, champion)).moves is moves


def test_a_first_version_moves_at_once_and_one_that_cannot_be_measured_loses() -> None:
    assert decide(Measured(1, 0.1), None).reason == "the first version"
    decision = decide(Measured(2, 0.1), Measured(1, None, "there is no feature 'x' any more"))
    assert decision.moves
    assert decision.reason == "version 1 cannot be measured any more: there is no feature 'x' any more"


def test_decisions_stand_on_the_versions_and_nothing_is_measured_twice() -> None:
    registry = Registry(3)
    figures = {1: 0.7, 2: 0.9, 3: 0.8}
    assert registry.settle(1, figures).moves
    assert registry.settle(2, figures).moves
    assert not registry.settle(3, figures).moves
    assert registry.aliases == {"champion": 2, "challenger": 3}
    assert registry.tags[2] == {
        "holdout": "h",
        "holdout_average_precision": "0.9",
        "holdout_problem": "none",
        "decision": "champion",
        "previous_champion": "1",
        "reason": "average precision 0.9000 on the holdout, +0.2000 beside version 1 (0.7000)",
    }
    assert registry.tags[3]["reason"].endswith("-0.1000 beside version 2 (0.9000): worse by more than 0.005")
    before = (dict(registry.aliases), {number: dict(tags) for number, tags in registry.tags.items()})
    measured = list(registry.loaded)
    registry.settle(3, figures)
    registry.settle(2, figures)
    assert (registry.aliases, registry.tags) == before
    assert registry.loaded == measured == [1, 2, 3]


def test_another_holdout_measures_anew() -> None:
    registry = Registry(2)
    registry.settle(1, {1: 0.7})
    registry.settle(2, {1: 0.7, 2: 0.6})
    assert registry.aliases["champion"] == 1
    assert registry.settle(2, {1: 0.5, 2: 0.6}, holdout="other").moves
    assert registry.aliases == {"champion": 2}


def test_going_back_is_kept_and_not_undone_by_a_rerun() -> None:
    registry = Registry(2)
    figures = {1: 0.7, 2: 0.9}
    registry.settle(1, figures)
    registry.settle(2, figures)
    assert champions.roll_back(registry, "m", "too many flags") == (2, 1)
    decision = registry.settle(2, figures)
    assert (decision.moves, decision.reason) == (False, "rolled back: too many flags")
    assert registry.aliases == {"champion": 1}
    with pytest.raises(TaskError, match="version 1 of model m is the first champion"):
        champions.roll_back(registry, "m", "again")


@pytest.mark.parametrize("cut", range(12))
def test_a_decision_that_was_cut_short_comes_out_the_same(cut, monkeypatch) -> None:
    """Killed at any call that changes the registry, then done again."""
    figures = {1: 0.7, 2: 0.9, 3: 0.5}

    def run(registry):
        for version in (1, 2, 3):
            registry.settle(version, figures)

    expected = Registry(3)
    run(expected)

    registry, calls = Registry(3), iter(range(100))

    class Killed(BaseException):
        pass

    def counting(method):
        def call(*args):
            if next(calls) == cut:
                raise Killed
            return method(*args)

        return call

    names = ("set_model_version_tag", "set_registered_model_alias", "delete_registered_model_alias")
    originals = {name: getattr(registry, name) for name in names}
    for name in names:
        setattr(registry, name, counting(originals[name]))
    with pytest.raises(Killed):
        run(registry)
    for name in names:
        setattr(registry, name, originals[name])
    # A rerun trains, and settles, what the killed run had reached; those before it are done.
    done = 3 if registry.aliases.get("champion") == 2 else 2 if registry.aliases.get("champion") == 1 else 1
    for version in range(done, 4):
        registry.settle(version, figures)
    assert registry.aliases == expected.aliases
    assert registry.tags == expected.tags
