"""The holdout: generated logs with their truth, on which versions of the model are compared.

Its seeds are never trained on. It is kept as events, so that every version takes its own features from them, and is
made anew only where the generator, the catalogue of messages or this declaration have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn

from workloads.lakehouse import tables, tracking
from workloads.lakehouse.champions import Judge, UnfitError
from workloads.lakehouse.task import TaskContext
from workloads.ssh_logs import attackers, features, generate, header, messages, silver
from workloads.ssh_logs.schemas import HOLDOUT

if TYPE_CHECKING:
    import pandas as pd

SEEDS = (900_001, 900_002)
LINES = 12_000
SHARE = 0.05
YEAR = generate.START.year
KEY = ["source_address", "window_start"]


@dataclass(frozen=True)
class Holdout:
    """What determines a holdout."""

    seeds: tuple[int, ...] = SEEDS
    lines: int = LINES
    share: float = SHARE

    @property
    def id(self) -> str:
        """A hash of all that determines its events, by which it is found again."""
        sample = f"generator {generate.VERSION}, seeds {self.seeds}, {self.lines} lines, {self.share}"
        told = f"{sample}, reader {silver.READER}, catalogue {messages.fingerprint()}"
        return tracking.fingerprint(told)[:16]

    def mix(self) -> generate.Mix:
        """Strengths of campaigns that samples for training do not have."""
        return generate.Mix(attack_share=self.share, strengths=attackers.OTHER_STRENGTHS)


DECLARED = Holdout()


def judge(task: TaskContext) -> Judge:
    """How versions of the model are measured; nothing is read or made until one is."""

    @cache
    def rows() -> pd.DataFrame:
        return windows(events(task, DECLARED))

    return Judge(DECLARED.id, lambda estimator: measure(estimator, rows()))


def measure(estimator: Any, rows: pd.DataFrame) -> float:
    """Average precision of a model over labelled windows. Raises UnfitError where it needs a feature that is gone."""
    from sklearn.metrics import average_precision_score

    wanted = list(estimator.feature_names_in_)
    if missing := [name for name in wanted if name not in rows.columns]:
        raise UnfitError(f"there is no feature {missing[0]!r} any more")
    return float(average_precision_score(rows["is_attack"], -estimator.score_samples(rows[wanted])))


def events(task: TaskContext, holdout: Holdout) -> DataFrame:
    """The events of the holdout, from its table, which is written first where it holds another."""
    if not _is_there(task, holdout):
        task.replace(HOLDOUT, made(task.spark, holdout))
    return task.table(HOLDOUT)


def made(spark: SparkSession, holdout: Holdout) -> DataFrame:
    """The events of the holdout, made."""
    samples = [_sample(spark, seed, holdout) for seed in holdout.seeds]
    together = reduce(lambda one, other: one.unionByName(other), samples)
    return together.withColumn("holdout", fn.lit(holdout.id))


def windows(found: DataFrame) -> pd.DataFrame:
    """Features of the holdout's windows with `is_attack` and `kind`; an attack is what holds a line of one."""
    # Samples do not know one another: what one address does in two of them is not one story.
    apart = found.withColumn("source_address", fn.concat_ws(" ", "sample", "source_address")).where(
        "source_address <> sample"
    )
    seconds = fn.floor(fn.unix_micros("event_time") / (1_000_000 * features.WINDOW_SECONDS))
    labels = apart.groupBy(
        "source_address", fn.timestamp_seconds(seconds * features.WINDOW_SECONDS).alias("window_start")
    ).agg(fn.max("is_attack").alias("is_attack"), fn.max(fn.struct("is_attack", "kind")).alias("last"))
    labelled = features.windows(apart).join(labels.withColumn("kind", fn.col("last.kind")).drop("last"), KEY)
    return labelled.toPandas().sort_values(KEY, ignore_index=True)


def _is_there(task: TaskContext, holdout: Holdout) -> bool:
    if not tables.exists(task.spark, task.lake, HOLDOUT):
        return False
    return [row["holdout"] for row in task.table(HOLDOUT).select("holdout").distinct().collect()] == [holdout.id]


def _sample(spark: SparkSession, seed: int, holdout: Holdout) -> DataFrame:
    """The events of one sample, by the way that all logs go: head, message, session."""
    import pyarrow as pa

    generated = list(generate.generate(holdout.lines, seed, holdout.mix()))
    raw = [line.encode("utf-8", generate.UNDECODABLE) for line, _ in generated]
    lines = pa.table(
        {
            "line": pa.array(range(1, len(raw) + 1), pa.int64()),
            "raw": pa.array(raw, pa.binary()),
            "text": pa.array([line.decode("utf-8", "backslashreplace") for line in raw]),
            "is_attack": pa.array([truth.is_attack for _, truth in generated]),
            "kind": pa.array([truth.kind for _, truth in generated]),
        }
    )
    frame = spark.createDataFrame(lines).withColumns(
        {
            "file": fn.lit(str(seed)),
            "position": fn.col("line"),
            "record_id": fn.concat_ws(":", fn.lit(str(seed)), "line"),
            "damaged_text": fn.lit(False),
            "not_after": fn.lit(None).cast("timestamp"),
            "ingested_at": fn.lit(None).cast("timestamp"),
            "run_id": fn.lit(None).cast("string"),
        }
    )
    truth = frame.select("line", "is_attack", "kind")
    records = header.parse(frame, "UTC", YEAR).where("rule IS NULL")
    found = silver.events(records).where("source_address IS NOT NULL").join(fn.broadcast(truth), "line")
    columns = [column.name for column in HOLDOUT.columns if column.name not in ("holdout", "sample")]
    return found.select(fn.lit(str(seed)).alias("sample"), *columns)
