"""Score: the champion looks at every window of every source address, on Spark, and says why it flags what it flags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse import tracking
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext
from workloads.lakehouse.tracking import Champion
from workloads.ssh_logs import drift, feedback
from workloads.ssh_logs.feedback import Feedback
from workloads.ssh_logs.schemas import SCORES, WINDOW_KEY, WINDOWS
from workloads.ssh_logs.train import MODEL

if TYPE_CHECKING:
    import pandas as pd

KEY = [column.name for column in WINDOW_KEY]
FOUND = ("score", "is_anomaly", "allowed", "is_attack", "explanation")
SCORED = ", ".join(f"{column.name} {column.type}" for column in SCORES.columns if column.name in (*KEY, *FOUND))
REASONS = 3  # features that an explanation names at most

EXPORTS = ()

_loaded: dict[str, Any] = {}


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """What scores hang on beside the windows."""
    return {"champion": tracking.champion_version(task.lake, MODEL), "feedback": feedback.fingerprint(task.lake)}


def run(task: TaskContext) -> Counts:
    """Writes a score for every window, and reports how many are flagged, day by day, and how far data have moved."""
    champion = tracking.champion(task.lake, MODEL)
    rows = task.table(WINDOWS)
    by = {"model_name": fn.lit(task.lake.models + MODEL), "model_version": fn.lit(champion.version)}
    task.replace(SCORES, task.marked(scores(rows, champion, feedback.read(task.lake)).withColumns(by)))
    written = task.table(SCORES)
    counted = written.agg(
        fn.count("*").alias("rows"),
        fn.avg(fn.col("is_anomaly").cast("int")).alias("rate"),
        fn.count_if(fn.col("allowed").isNotNull() & (fn.col("score") > threshold(champion.estimator))).alias("allowed"),
    )
    (row,) = counted.collect()
    task.report("medallion_model_prediction_count", row["rows"])
    task.report("medallion_model_anomaly_rate", row["rate"] or 0.0)
    task.report("medallion_model_allowed_count", row["allowed"])
    _report_alerts(task, written)
    _report_drift(task, drift.measure(rows, champion.profile))
    return Counts(records_in=rows.count(), records_out=row["rows"])


def scores(rows: DataFrame, champion: Champion, said: Feedback) -> DataFrame:
    """Of every row: source address, window, score, verdict, what analysts said, and what explains a flag.

    The model goes to the workers as bytes, within the function, and each loads it once.
    """
    import skops.io

    content = skops.io.dumps(champion.estimator)
    sha256 = hashlib.sha256(content).hexdigest()
    names = list(champion.estimator.feature_names_in_)
    if missing := [name for name in names if name not in rows.columns]:
        raise TaskError(
            f"the champion, version {champion.version}, needs {missing[0]!r}, which is no feature: train anew"
        )
    usual = {name: champion.profile["features"][name]["median"] for name in names}

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = _model(sha256, content)
        for batch in batches:
            yield _scored(batch, model, names, usual, said)

    return rows.select(*KEY, *names).mapInPandas(score, SCORED)


def threshold(estimator: Any) -> float:
    """The score above which the model flags."""
    return float(-estimator["forest"].offset_)


def explanations(
    rows: pd.DataFrame, scored: pd.Series, model: Any, usual: Mapping[str, float]
) -> list[list[dict[str, Any]]]:
    """Of each row, the features that lower its score most when they take their usual value alone, the first first.

    This is occlusion: `weight` is by how much the score falls. Features that do not lower it are not named.
    """
    falls = {name: scored + model.score_samples(rows.assign(**{name: value})) for name, value in usual.items()}
    found = []
    for at in range(len(rows)):
        weighed = sorted(
            ((float(fall.iloc[at]), name) for name, fall in falls.items()), key=lambda one: (-one[0], one[1])
        )
        found.append(
            [
                {"feature": name, "value": float(rows[name].iloc[at]), "usual": usual[name], "weight": weight}
                for weight, name in weighed[:REASONS]
                if weight > 0
            ]
        )
    return found


def _scored(
    batch: pd.DataFrame, model: Any, names: list[str], usual: Mapping[str, float], said: Feedback
) -> pd.DataFrame:
    import pandas as pd

    features = batch[names].reset_index(drop=True)
    scored = pd.Series(-model.score_samples(features))
    allowed = [said.allowed(address) for address in batch["source_address"]]
    flagged = (scored > threshold(model)) & pd.Series([reason is None for reason in allowed], dtype=bool)
    explained: list[list | None] = [None] * len(batch)
    if flagged.any():
        found = explanations(features[flagged], scored[flagged], model, usual)
        for at, explanation in zip(features.index[flagged], found, strict=True):
            explained[at] = explanation
    # Objects, so that what is not said stays null.
    told = {"allowed": allowed, "is_attack": said.labels(batch), "explanation": explained}
    columns = {name: pd.Series(values, dtype=object) for name, values in told.items()}
    return batch[KEY].reset_index(drop=True).assign(score=scored, is_anomaly=flagged, **columns)


def _model(sha256: str, content: bytes) -> Any:
    """The model of that hash, loaded once per worker."""
    import skops.io

    if sha256 not in _loaded:
        _loaded.clear()
        _loaded[sha256] = skops.io.loads(content, trusted=tracking.TRUSTED_TYPES)
    return _loaded[sha256]


def flags_per_day(scored: DataFrame) -> DataFrame:
    """Flagged addresses by day (UTC), in order; an address is flagged on a day if any of its windows is."""
    day = fn.to_date("window_start").alias("day")
    return (
        scored.where("is_anomaly")
        .groupBy(day)
        .agg(fn.countDistinct("source_address").alias("addresses"))
        .orderBy("day")
    )


def _report_alerts(task: TaskContext, scored: DataFrame) -> None:
    budget = task.parameters["alert_budget"]
    if budget < 0:
        raise TaskError(f"parameter 'alert_budget' takes a number of addresses, not {budget}")
    days = [{"day": row["day"].isoformat(), "addresses": row["addresses"]} for row in flags_per_day(scored).collect()]
    over = [day for day in days if day["addresses"] > budget]
    task.report("medallion_model_flags_per_day", max((day["addresses"] for day in days), default=0))
    task.report("medallion_model_alert_budget", budget)
    task.report("medallion_model_days_over_budget", len(over))
    task.tell("alerts", {"budget": budget, "days": days, "over_budget": over})


def _report_drift(task: TaskContext, found: Mapping[str, float]) -> None:
    task.report("medallion_model_drift_max", max(found.values(), default=0.0))
    task.report("medallion_model_drifted_features", sum(index > drift.MUCH for index in found.values()))
    task.tell("drift", {"much": drift.MUCH, "index": dict(found)})
