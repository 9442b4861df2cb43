"""Train: an isolation forest on the windows of source addresses, registered once for what it was trained on.

The new version is the challenger: it takes the champion's place if it does about as well on the holdout.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.lakehouse import exports, tracking
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import drift, feedback, holdout
from workloads.ssh_logs.checks import ENCODERS, MLFLOW_ARTIFACTS, PICKLE
from workloads.ssh_logs.feedback import Feedback
from workloads.ssh_logs.schemas import EVENTS, WINDOWS
from workloads.ssh_logs.spec import WORKLOAD

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import LabelEncoder

EXPERIMENT = "ssh-anomaly-detection"
EXPORTS, MODELS = (PICKLE, ENCODERS, MLFLOW_ARTIFACTS), WORKLOAD.models
(MODEL,) = MODELS
# Raise it when the same data and parameters shall give another model: it is part of what a model is known by.
RECIPE = 2
TREES, ROWS_PER_TREE = 200, 512
MOST_ROWS = 200_000
EXAMPLE_ROWS = 5
# Logs carry no labels. This rule stands in for them in figures, and only there.
RULE_FAILURES = 5

# What the model sees. An isolation forest takes what is rare for suspect, whichever way it is rare, so these measure
# what good use has none of, whatever else it does much of; chosen on samples of their own (`benchmarks/ssh_detection`).
NAMES = [
    *("unproven_users_hour", "unproven_users_day", "invalid_users_day"),
    *("unscheduled_failures_hour", "unscheduled_failures_day", "failure_share_day"),
    *("silent_kinds_day", "silent_hosts_day"),
]
KEY = ["source_address", "window_start"]
# Columns of the CSV file of gold that hold names of categories.
CATEGORIES = {"EventId": "event_id", "Outcome": "outcome", "Method": "method", "UserValid": "user_valid"}
ABSENT = ""


def hangs_on(task: TaskContext) -> dict[str, str]:
    """Feedback, and the library that makes the model."""
    return {"feedback": feedback.fingerprint(task.lake), "scikit_learn": version("scikit-learn")}


def run(task: TaskContext) -> Counts:
    """Trains the model, or finds the one trained on the same, and lets the holdout decide whether it is used."""
    import pandas as pd
    import sklearn

    flag_share, seed = _flag_share(task.parameters["flag_share"]), task.parameters["seed"]
    said = feedback.read(task.lake)
    rows = training_rows(task.table(WINDOWS), said)
    if rows.empty:
        raise TaskError("there is nothing to train on: no event in the logs names a source address")

    parameters = {
        "algorithm": "IsolationForest",
        "features": ",".join(NAMES),
        "trees": TREES,
        "rows_per_tree": ROWS_PER_TREE,
        "flag_share": flag_share,
        "seed": seed,
        "recipe": RECIPE,
        "scikit_learn": sklearn.__version__,
        "labels": f"none; in figures, {RULE_FAILURES} failures or more of an address stand in for them",
    }
    content = pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()
    registered = tracking.train_once(
        task.lake,
        experiment=EXPERIMENT,
        model=MODEL,
        fingerprint=tracking.fingerprint(content, repr(sorted(parameters.items()))),
        parameters=parameters,
        train=lambda: trained(rows, flag_share, seed),
        judge=holdout.judge(task),
    )
    publish(task)
    task.tell(
        "model",
        {
            "name": registered.name,
            "version": registered.version,
            "alias": registered.alias,
            "reason": registered.reason,
            "figures": registered.figures,
        },
    )
    for name in ("training_rows", "threshold", "rule_precision", "rule_recall"):
        task.report(f"medallion_model_{name}", registered.figures[name])
    if "holdout_average_precision" in registered.figures:
        task.report("medallion_model_holdout_average_precision", registered.figures["holdout_average_precision"])
    return Counts(records_in=len(rows), records_out=len(rows))


def publish(task: TaskContext) -> None:
    """The champion as files: pickled, as MLflow keeps it, and the encoders of what gold has of categories."""
    champion = tracking.champion(task.lake, MODEL)
    exports.pickled(task.lake, PICKLE, champion.estimator)
    exports.pickled(task.lake, ENCODERS, encoders(task.table(EVENTS)))
    with tempfile.TemporaryDirectory() as name:
        for file in tracking.artifacts(task.lake, MODEL, champion.version, Path(name)):
            place = f"{MLFLOW_ARTIFACTS}/{file.relative_to(name).as_posix()}"
            exports.data(task.lake, place, file.read_bytes())


def encoders(events: DataFrame) -> dict[str, LabelEncoder]:
    """An encoder for each column of categories in the CSV file of gold. The model needs none: no feature is one."""
    import numpy as np
    from pyspark.sql import functions as fn
    from sklearn.preprocessing import LabelEncoder

    gathered = events.agg(
        *(fn.collect_set(fn.col(ours).cast("string")).alias(name) for name, ours in CATEGORIES.items())
    )
    (found,) = gathered.collect()
    return {name: LabelEncoder().fit(np.array(sorted({ABSENT, *found[name]}))) for name in CATEGORIES}


def training_rows(windows: DataFrame, said: Feedback) -> pd.DataFrame:
    """The windows to train on, in order, with what their address failed in all; at most about MOST_ROWS of them.

    `label` is what an analyst said. Windows that were called attacks stay, for figures, but are not trained on.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as fn

    of_address = fn.sum("failures").over(Window.partitionBy("source_address")).alias("rule_failures")
    kept = windows.select(*KEY, *NAMES, of_address)
    every = -(-windows.count() // MOST_ROWS)
    if every > 1:
        kept = kept.where(fn.pmod(fn.xxhash64(*KEY), fn.lit(every)) == 0)
    rows = kept.toPandas().sort_values(KEY, ignore_index=True)
    return rows.assign(label=[-1 if label is None else int(label) for label in said.labels(rows)])


def trained(rows: pd.DataFrame, flag_share: float, seed: int) -> tracking.Trained:
    """The model of these windows, and its figures on them. The same rows, share and seed give the same model."""
    usual = rows[rows["label"] != 1]
    if usual.empty:
        raise TaskError("there is nothing to train on: feedback calls every window an attack")
    estimator = pipeline(flag_share, seed, min(ROWS_PER_TREE, len(usual))).fit(usual[NAMES])
    flagged = estimator.predict(rows[NAMES]) == -1
    example = usual[NAMES].head(EXAMPLE_ROWS)
    return tracking.Trained(
        estimator=estimator,
        figures=figures(rows, flagged)
        | labelled_figures(rows, flagged)
        | {"threshold": float(-estimator["forest"].offset_)},
        example=example,
        answers=estimator.predict(example),
        profile=drift.profile(usual[NAMES]),
    )


def pipeline(flag_share: float, seed: int, rows_per_tree: int) -> Pipeline:
    """The untrained model: counts on a logarithmic scale, and a forest that flags `flag_share` of its training rows."""
    import numpy as np
    from sklearn.ensemble import IsolationForest
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    forest = IsolationForest(n_estimators=TREES, max_samples=rows_per_tree, contamination=flag_share, random_state=seed)
    scale = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
    return Pipeline([("scale", scale), ("forest", forest)])


def figures(rows: pd.DataFrame, flagged: pd.Series) -> dict[str, float]:
    """Figures of a model that flags these rows; precision and recall of sources are against the declared rule.

    A source is flagged if any of its windows is. Where nothing is flagged, or the rule names nobody, the figure whose
    denominator is missing is 1.0 if the other side is empty, too, else 0.0.
    """
    sources = rows.assign(flagged=flagged).groupby("source_address").agg({"rule_failures": "max", "flagged": "any"})
    named = sources["rule_failures"] >= RULE_FAILURES
    both = int((named & sources["flagged"]).sum())
    count_named, count_flagged = int(named.sum()), int(sources["flagged"].sum())
    return {
        "training_rows": float(len(rows)),
        "training_anomaly_rate": float(flagged.mean()),
        "sources": float(len(sources)),
        "sources_flagged": float(count_flagged),
        "sources_named_by_rule": float(count_named),
        "rule_precision": _share(both, count_flagged, count_named),
        "rule_recall": _share(both, count_named, count_flagged),
    }


def labelled_figures(rows: pd.DataFrame, flagged: pd.Series) -> dict[str, float]:
    """Precision and recall on the windows of which an analyst said what they are; nothing where there are none."""
    known = rows["label"] >= 0
    if not known.any():
        return {}
    attack = known & (rows["label"] == 1)
    both, named, found = int((attack & flagged).sum()), int(attack.sum()), int((known & flagged).sum())
    return {
        "labelled_rows": float(known.sum()),
        "labelled_precision": _share(both, found, named),
        "labelled_recall": _share(both, named, found),
    }


def _share(both: int, of: int, other: int) -> float:
    return both / of if of else float(other == 0)


def _flag_share(share: float) -> float:
    if not 0 < share <= 0.5:
        raise TaskError(f"parameter 'flag_share' takes a share above 0 and at most 0.5, not {share}")
    return share
