"""What must hold of the outputs of `ssh-logs`."""

from __future__ import annotations

import csv
import json
from functools import reduce

from workloads.lakehouse.checks import Check, Outputs
from workloads.ssh_logs import report_checks
from workloads.ssh_logs.figures import figures
from workloads.ssh_logs.schemas import EVENTS, FILES, QUARANTINE, RECORDS, REPORTS, SCORES, WINDOW_KEY, WINDOWS

PARQUET = "bronze/processed/raw_logs.parquet"
JSON = "silver/structured_logs/structured_logs.json"
CSV = "gold/final_data/openssh_logs_final.csv"
PICKLE = "models/anomaly_model.pkl"
ENCODERS = "models/label_encoders.pkl"
MLFLOW_ARTIFACTS = "models/mlflow_artifacts"
OF_MODEL = (PICKLE, ENCODERS, f"{MLFLOW_ARTIFACTS}/MLmodel")
CHECKED = (PARQUET, JSON, CSV, *OF_MODEL, *map(report_checks.place, REPORTS))

LOGHUB_COLUMNS = ["LineId", "Date", "Day", "Time", "Component", "Pid", "Content", "EventId", "EventTemplate"]
WINDOW = [column.name for column in WINDOW_KEY]


def _files_accounted(outputs: Outputs) -> int:
    counted = outputs.table(RECORDS).select("file").unionAll(outputs.table(QUARANTINE).select("file"))
    found = counted.groupBy("file").count()
    expected = "lines + CASE WHEN damage IS NULL THEN 0 ELSE 1 END - duplicates"
    both = outputs.table(FILES).selectExpr("*", "true AS listed").join(found, "file", "full")
    wrong = f"listed IS NULL OR {expected} <> coalesce(`count`, 0) OR {expected} <> records + quarantined"
    return both.where(wrong).count()


def _records_go_through(outputs: Outputs) -> int:
    """Records that are not exactly once in each of bronze and silver, or are in quarantine, too."""
    from pyspark.sql import functions as fn

    stages = (RECORDS, EVENTS, QUARANTINE)
    ids = [outputs.table(table).select("record_id", fn.lit(n).alias("stage")) for n, table in enumerate(stages)]
    together = reduce(lambda one, other: one.unionAll(other), ids).groupBy("record_id")
    counted = together.agg(*(fn.count_if(fn.col("stage") == n).alias(f"n{n}") for n in range(len(stages))))
    passed_on, held = "n0 = 1 AND n1 = 1 AND n2 = 0", "n0 = 0 AND n1 = 0 AND n2 = 1"
    return counted.where(f"NOT ({passed_on} OR {held})").count()


def _scores_complete(outputs: Outputs) -> int:
    """Windows and scores that do not stand for one another one to one."""
    from pyspark.sql import functions as fn

    plus = outputs.table(WINDOWS).select(*WINDOW, fn.lit(1).alias("windows"), fn.lit(0).alias("scores"))
    minus = outputs.table(SCORES).select(*WINDOW, fn.lit(0).alias("windows"), fn.lit(1).alias("scores"))
    counted = plus.unionAll(minus).groupBy(*WINDOW).agg(fn.sum("windows").alias("w"), fn.sum("scores").alias("s"))
    return counted.where("w <> 1 OR s <> 1").count()


def _templates_identify(outputs: Outputs) -> int:
    pairs = outputs.table(EVENTS).select("event_id", "event_template").distinct().collect()
    return 2 * len(pairs) - len({row["event_id"] for row in pairs}) - len({row["event_template"] for row in pairs})


def _windows_complete(outputs: Outputs) -> int:
    return abs(figures(outputs, EVENTS)["named"] - figures(outputs, WINDOWS)["events"])


def _scores_in_range(outputs: Outputs) -> int:
    return figures(outputs, SCORES)["out_of_range"]


def _allowed_is_not_flagged(outputs: Outputs) -> int:
    return figures(outputs, SCORES)["allowed_flagged"]


def _csv_has_every_event(outputs: Outputs) -> int:
    with outputs.file(CSV).open(newline="", encoding="utf-8") as stream:
        rows = sum(1 for _ in csv.reader(stream)) - 1
    return abs(rows - figures(outputs, EVENTS)["rows"])


def _csv_well_formed(outputs: Outputs) -> int:
    with outputs.file(CSV).open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream, strict=True)
        header = next(rows, [])
        if header[: len(LOGHUB_COLUMNS)] != LOGHUB_COLUMNS:
            return 1
        return sum(len(row) != len(header) or row[0] != str(number) for number, row in enumerate(rows, 1))


def _json_well_formed(outputs: Outputs) -> int:
    def wrong(line: str) -> bool:
        try:
            return not json.loads(line)["record_id"]
        except (ValueError, KeyError, TypeError):
            return True

    with outputs.file(JSON).open(encoding="utf-8", newline="\n") as stream:
        return sum(map(wrong, stream))


def _exports_agree(outputs: Outputs) -> int:
    import pyarrow.parquet as pq

    records = pq.ParquetFile(outputs.file(PARQUET)).metadata.num_rows
    with outputs.file(JSON).open("rb") as stream:
        return abs(records - sum(1 for _ in stream))


def _model_exported(outputs: Outputs) -> int:
    return sum(outputs.file(place).stat().st_size == 0 for place in OF_MODEL)


CHECKS = (
    Check(
        "files-accounted",
        "every line of every file is a record, in quarantine or a duplicate",
        "tables",
        _files_accounted,
    ),
    Check(
        "records-go-through",
        "every record stands once in bronze and silver, or once in quarantine",
        "tables",
        _records_go_through,
    ),
    Check(
        "templates-identify", "an event id stands for one template, and it for one id", "tables", _templates_identify
    ),
    Check("windows-complete", "every event that names a source counts in one window", "tables", _windows_complete),
    Check("scores-complete", "every window has one score", "tables", _scores_complete),
    Check("scores-in-range", "scores lie between 0 and 1", "tables", _scores_in_range),
    Check("allowed-not-flagged", "no window of an allowed address is flagged", "tables", _allowed_is_not_flagged),
    Check("csv-complete", "the CSV file has a row for every event", "tables", _csv_has_every_event),
    Check(
        "csv-well-formed",
        "the CSV file has one header, with LogHub's columns first, and numbered rows of its width",
        "files",
        _csv_well_formed,
    ),
    Check(
        "json-well-formed", "every line of the JSON file is an object with its record's id", "files", _json_well_formed
    ),
    Check("exports-agree", "the exports of bronze and silver have as many rows", "files", _exports_agree),
    Check("model-exported", "the model's files are there and hold something", "files", _model_exported),
    *report_checks.CHECKS,
)
