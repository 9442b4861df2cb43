"""The model: what it is trained on, what explains its flags, and that it loads without our code."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from workloads.lakehouse import tracking
from workloads.lakehouse.champions import UnfitError
from workloads.lakehouse.tracking import Champion, Trained
from workloads.ssh_logs import drift, feedback, holdout, score, train

if TYPE_CHECKING:
    import pandas as pd

START = datetime(2026, 3, 2)


def usual_rows(number: int = 400) -> pd.DataFrame:
    """Windows of an ordinary life: some failures, now and then a mistyped name."""
    import pandas as pd

    at = np.arange(number)
    rows = pd.DataFrame(0.0, index=at, columns=train.NAMES)
    rows["unscheduled_failures_day"] = (at % 4).astype(float)
    rows["unscheduled_failures_hour"] = (at % 2).astype(float)
    rows["invalid_users_day"] = (at % 40 == 0).astype(float)
    rows["failure_share_day"] = (at % 5) / 10
    times = [START + timedelta(minutes=10 * int(number)) for number in at]
    return rows.assign(source_address="10.0.0.1", window_start=times, rule_failures=6.0, label=-1)


def trained(rows: pd.DataFrame) -> Trained:
    """A model of fewer trees than we train: it says the same of so little, and sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "TREES", 40)
        return train.trained(rows, 0.05, 7)


@pytest.fixture(scope="module")
def usual(pd) -> Trained:
    return trained(usual_rows())


@pytest.fixture(scope="module")
def champion(usual: Trained) -> Champion:
    return Champion(1, usual.estimator, dict(usual.profile))


def scored(champion: Champion, rows: pd.DataFrame, said: str = "") -> pd.DataFrame:
    names = list(champion.estimator.feature_names_in_)
    usual = {name: champion.profile["features"][name]["median"] for name in names}
    told = feedback.settled(feedback.parse(f"{','.join(feedback.COLUMNS)}\n{said}", "f.csv"))
    return score._scored(rows, champion.estimator, names, usual, told)


def test_a_planted_feature_explains_the_flag(champion) -> None:
    rows = usual_rows(3).assign(invalid_users_day=[0.0, 30.0, 0.0])
    found = scored(champion, rows)
    assert found["is_anomaly"][1]
    assert list(found["explanation"].notna()) == list(found["is_anomaly"])
    first, *others = found["explanation"][1]
    assert (first["feature"], first["value"], first["usual"]) == ("invalid_users_day", 30.0, 0.0)
    assert all(first["weight"] >= one["weight"] > 0 for one in others)
    assert len(found["explanation"][1]) <= score.REASONS


def test_what_is_allowed_is_scored_but_not_flagged(champion) -> None:
    rows = usual_rows(1).assign(invalid_users_day=30.0, unproven_users_day=30.0)
    (flagged,) = scored(champion, rows).to_dict("records")
    (allowed,) = scored(champion, rows, "10.0.0.0/8,,allow,ours,\n10.0.0.1,,benign,,\n").to_dict("records")
    assert flagged["is_anomaly"] and not allowed["is_anomaly"]
    assert allowed["score"] == flagged["score"]
    assert (flagged["allowed"], allowed["allowed"]) == (None, "ours")
    assert (flagged["is_attack"], allowed["is_attack"]) == (None, False)


def test_windows_called_attacks_are_not_trained_on_but_judged(usual) -> None:
    rows = usual_rows()
    attack = rows.index == 0
    rows.loc[attack, ["unproven_users_day", "unscheduled_failures_day"]] = 90.0
    labelled = rows.assign(label=np.where(attack, 1, np.where(rows.index == 1, 0, -1)))
    judged = trained(labelled)
    assert judged.profile == drift.profile(rows.loc[~attack, train.NAMES])
    figures = judged.figures
    assert (figures["labelled_rows"], figures["labelled_precision"], figures["labelled_recall"]) == (2.0, 1.0, 1.0)
    assert "labelled_rows" not in usual.figures


def test_the_threshold_flags_the_wanted_share(champion) -> None:
    flagged = champion.estimator.predict(usual_rows()[train.NAMES]) == -1
    assert 0 < flagged.mean() <= 0.05 + 1e-9


def test_a_version_whose_features_are_gone_is_unfit(champion) -> None:
    rows = usual_rows(4).assign(is_attack=[True, False, False, False])
    assert 0 <= holdout.measure(champion.estimator, rows) <= 1
    with pytest.raises(UnfitError, match="there is no feature 'silent_kinds_day' any more"):
        holdout.measure(champion.estimator, rows.drop(columns="silent_kinds_day"))


def test_the_model_loads_without_our_code(champion, tmp_path) -> None:
    # In a process of its own from end to end: skops looks at all modules that there are, and where Azure's SDK is among
    # them, which loads its thousands when they are looked at, that takes a quarter of a minute.
    made, file = tmp_path / "model.pickle", tmp_path / "model.skops"
    made.write_bytes(pickle.dumps(champion.estimator))
    program = (
        "import pathlib, pickle, sys, skops.io; "
        f"skops.io.dump(pickle.loads(pathlib.Path({str(made)!r}).read_bytes()), {str(file)!r}); "
        f"model = skops.io.load({str(file)!r}, trusted={tracking.TRUSTED_TYPES!r}); "
        "assert not any(name.startswith('workloads') for name in sys.modules); "
        "print(len(model.feature_names_in_))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(len(train.NAMES))


def test_the_holdout_is_known_by_what_makes_it() -> None:
    one = holdout.Holdout()
    assert one.id == holdout.Holdout().id
    assert len({one.id, holdout.Holdout(seeds=(1,)).id, holdout.Holdout(lines=5).id}) == 3


def test_times_of_feedback_are_utc(champion) -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC).isoformat()
    (row,) = scored(champion, usual_rows(1), f"10.0.0.1,{moment},attack,,\n").to_dict("records")
    assert row["is_attack"] is True
