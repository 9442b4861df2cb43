"""Score: the champion looks at every window of every source address, on Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse import tracking
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs.schemas import SCORES, WINDOW_KEY, WINDOWS
from workloads.ssh_logs.train import MODEL, NAMES

if TYPE_CHECKING:
    import pandas as pd

KEY = [column.name for column in WINDOW_KEY]
SCORED = "source_address STRING, window_start TIMESTAMP, score DOUBLE, is_anomaly BOOLEAN"

_loaded: dict[str, Any] = {}


def run(task: TaskContext) -> Counts:
    """Writes a score for every window."""
    version, estimator = tracking.champion(task.lake, MODEL)
    rows = task.table(WINDOWS)
    marks = {
        "model_name": fn.lit(task.lake.models + MODEL),
        "model_version": fn.lit(version),
        "ingested_at": fn.lit(task.ingest_time),
        "run_id": fn.lit(task.run_id),
    }
    task.replace(SCORES, scores(rows, estimator).withColumns(marks))
    found = task.table(SCORES).agg(fn.count("*").alias("rows"), fn.avg(fn.col("is_anomaly").cast("int")).alias("rate"))
    (row,) = found.collect()
    task.report("medallion_model_prediction_count", row["rows"])
    task.report("medallion_model_anomaly_rate", row["rate"] or 0.0)
    return Counts(records_in=rows.count(), records_out=row["rows"])


def scores(rows: DataFrame, estimator: Any) -> DataFrame:
    """Source address, window, score and verdict of every row.

    The model goes to the workers as bytes, within the function, and each loads it once.
    """
    import skops.io

    content = skops.io.dumps(estimator)
    sha256 = hashlib.sha256(content).hexdigest()

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = _model(sha256, content)
        for batch in batches:
            found = -model.score_samples(batch[NAMES])
            yield batch[KEY].assign(score=found, is_anomaly=found > -model["forest"].offset_)

    return rows.select(*KEY, *NAMES).mapInPandas(score, SCORED)


def _model(sha256: str, content: bytes) -> Any:
    """The model of that hash, loaded once per worker."""
    import skops.io

    if sha256 not in _loaded:
        _loaded.clear()
        _loaded[sha256] = skops.io.loads(content, trusted=tracking.TRUSTED_TYPES)
    return _loaded[sha256]
