"""Train: an isolation forest on the windows of source addresses, registered once for what it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.lakehouse import exports, tracking
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs.checks import PICKLE
from workloads.ssh_logs.schemas import FEATURES, WINDOWS

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

EXPERIMENT = "ssh-anomaly-detection"
MODEL = "ssh-anomaly-model"
# Raise it when the same data and parameters shall give another model: it is part of what a model is known by.
RECIPE = 1
TREES = 100
EXAMPLE_ROWS = 5
# Logs carry no labels. This rule stands in for them in figures, and only there.
RULE_FAILURES = 5

NAMES = [feature.name for feature in FEATURES]


def run(task: TaskContext) -> Counts:
    """Trains the model, or finds the one trained on the same, and makes it champion."""
    import sklearn

    flag_share, seed = _flag_share(task.parameters["flag_share"]), task.parameters["seed"]
    rows = task.table(WINDOWS).select("source_address", "window_start", *NAMES).toPandas()
    rows = rows.sort_values(["source_address", "window_start"], ignore_index=True)
    if rows.empty:
        raise TaskError("there is nothing to train on: no event in the logs names a source address")

    parameters = {
        "algorithm": "IsolationForest",
        "features": ",".join(NAMES),
        "trees": TREES,
        "flag_share": flag_share,
        "seed": seed,
        "recipe": RECIPE,
        "scikit_learn": sklearn.__version__,
    }
    registered = tracking.train_once(
        task.lake,
        experiment=EXPERIMENT,
        model=MODEL,
        fingerprint=tracking.fingerprint(rows.to_csv(index=False), repr(sorted(parameters.items()))),
        parameters=parameters,
        train=lambda: trained(rows, flag_share, seed),
    )
    _, estimator = tracking.champion(task.lake, MODEL)
    exports.pickled(task.lake, PICKLE, estimator)
    exports.as_json(
        task.lake,
        f"{task.reports}/model.json",
        {
            "name": registered.name,
            "version": registered.version,
            "alias": registered.alias,
            "figures": registered.figures,
        },
    )
    for name in ("training_rows", "threshold", "rule_precision", "rule_recall"):
        task.report(f"medallion_model_{name}", registered.figures[name])
    return Counts(records_in=len(rows), records_out=len(rows))


def trained(rows: pd.DataFrame, flag_share: float, seed: int) -> tracking.Trained:
    """The model of these windows, and its figures on them. The same rows, share and seed give the same model."""
    features = rows[NAMES]
    estimator = pipeline(flag_share, seed).fit(features)
    flagged = estimator.predict(features) == -1
    return tracking.Trained(
        estimator=estimator,
        figures=figures(rows, flagged) | {"threshold": float(-estimator["forest"].offset_)},
        example=features.head(EXAMPLE_ROWS),
        answers=estimator.predict(features.head(EXAMPLE_ROWS)),
    )


def pipeline(flag_share: float, seed: int) -> Pipeline:
    """The untrained model: counts are scaled, and the forest flags `flag_share` of what it is trained on."""
    from sklearn.ensemble import IsolationForest
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    forest = IsolationForest(n_estimators=TREES, contamination=flag_share, random_state=seed)
    return Pipeline([("scale", StandardScaler()), ("forest", forest)])


def figures(rows: pd.DataFrame, flagged: pd.Series) -> dict[str, float]:
    """Figures of a model that flags these rows; precision and recall of sources are against the declared rule.

    A source is flagged if any of its windows is. Where nothing is flagged, or the rule names nobody, the figure whose
    denominator is missing is 1.0 if the other side is empty, too, else 0.0.
    """
    sources = rows.assign(flagged=flagged).groupby("source_address").agg({"failures": "sum", "flagged": "any"})
    named = sources["failures"] >= RULE_FAILURES
    both = int((named & sources["flagged"]).sum())

    def share(of: int, other: int) -> float:
        return both / of if of else float(other == 0)

    count_named, count_flagged = int(named.sum()), int(sources["flagged"].sum())
    return {
        "training_rows": float(len(rows)),
        "training_anomaly_rate": float(flagged.mean()),
        "sources": float(len(sources)),
        "sources_flagged": float(count_flagged),
        "sources_named_by_rule": float(count_named),
        "rule_precision": share(count_flagged, count_named),
        "rule_recall": share(count_named, count_flagged),
    }


def _flag_share(share: float) -> float:
    if not 0 < share <= 0.5:
        raise TaskError(f"parameter 'flag_share' takes a share above 0 and at most 0.5, not {share}")
    return share
