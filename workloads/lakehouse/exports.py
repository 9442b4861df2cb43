"""The only writer of files: each is published whole, under its name or not at all.

A file is written from first byte to last under a hidden name beside its own, then renamed over it. Volumes of Unity
Catalog allow just that: they take sequential writes and renames of files, but neither random writes, nor appends,
nor an atomic rename of a folder, which is why every export is one file. What a killed task leaves behind is hidden,
and the next writing of the same file removes it.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from workloads.lakehouse.effects import effect
from workloads.lakehouse.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"


def data(lake: Lake, place: str, content: bytes) -> Path:
    """Publishes bytes."""
    return _publish(lake, place, lambda stream: stream.write(content))


def text(lake: Lake, place: str, content: str) -> Path:
    """Publishes text as UTF-8."""
    return data(lake, place, content.encode())


def as_json(lake: Lake, place: str, content: Any) -> Path:
    """Publishes one JSON document."""
    return text(lake, place, json.dumps(content, indent=2, sort_keys=True) + "\n")


def pickled(lake: Lake, place: str, content: object) -> Path:
    """Publishes a Python object as a pickle, for those who expect one; we ourselves never load it."""
    return data(lake, place, pickle.dumps(content))


def remove(lake: Lake, place: str) -> None:
    """Takes a file away."""
    with effect("file", place):
        lake.path(place).unlink()


def csv(lake: Lake, place: str, frame: DataFrame) -> Path:
    """Publishes the rows of `frame`, in its order, as one CSV file after RFC 4180 with one header; null is empty."""
    from pyspark.sql import functions as fn

    fields = frame.select(*(_csv_field(name, kind).alias(name) for name, kind in frame.dtypes))
    names, texts = fields.columns, [name for name, kind in frame.dtypes if kind == "string"]
    # Most rows need no quotes: they are looked at once, not field by field.
    quoted = fn.concat_ws(",", fn.transform(fn.array(*names), _csv_quoted))
    line = fn.when(_csv_special(fn.concat_ws("", *texts)), quoted).otherwise(fn.concat_ws(",", *names))
    return _publish_lines(lake, place, fields.select(line.alias("value")), ",".join(frame.columns))


def json_lines(lake: Lake, place: str, frame: DataFrame) -> Path:
    """Publishes the rows of `frame`, in its order, as one JSON object a line, nulls included."""
    from pyspark.sql import functions as fn

    options = {"ignoreNullFields": "false", "timestampFormat": TIME_FORMAT}
    line = fn.to_json(fn.struct(*(f"`{name}`" for name in frame.columns)), options)
    return _publish_lines(lake, place, frame.select(line.alias("value")))


def parquet(lake: Lake, place: str, frame: DataFrame) -> Path:
    """Publishes the rows of `frame`, in its order, as one Parquet file."""

    def write(parts: Path) -> None:
        frame.coalesce(1).write.mode("overwrite").parquet(str(parts))

    with _spark_parts(lake.path(place), write) as (part,), part.open("rb") as source:
        return _publish(lake, place, lambda stream: shutil.copyfileobj(source, stream, 2**20))


def _csv_field(name: str, kind: str) -> Column:
    from pyspark.sql import functions as fn

    column = fn.col(f"`{name}`")
    value = fn.date_format(column, TIME_FORMAT) if kind == "timestamp" else column.cast("string")
    # concat_ws leaves nulls out, separator and all
    return fn.coalesce(value, fn.lit(""))


def _csv_quoted(value: Column) -> Column:
    from pyspark.sql import functions as fn

    quoted = fn.concat(fn.lit('"'), fn.replace(value, fn.lit('"'), fn.lit('""')), fn.lit('"'))
    return fn.when(_csv_special(value), quoted).otherwise(value)


def _csv_special(value: Column) -> Column:
    """Whether a text holds what a field must be quoted for."""
    return reduce(or_, (value.contains(character) for character in '",\r\n'))


def _publish_lines(lake: Lake, place: str, lines: DataFrame, header: str | None = None) -> Path:
    """Spark writes the lines in as many ordered parts as it likes; they are joined here."""

    def write(parts: Path) -> None:
        lines.write.mode("overwrite").text(str(parts))

    def join(stream: BinaryIO, parts: list[Path]) -> None:
        if header is not None:
            stream.write(header.encode() + b"\n")
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, stream, 2**20)
            part.unlink()  # what is gone before it was written to disk never is

    with _spark_parts(lake.path(place), write) as parts:
        return _publish(lake, place, lambda stream: join(stream, parts))


@contextmanager
def _spark_parts(path: Path, write: Callable[[Path], None]) -> Iterator[list[Path]]:
    """The files, in order, that Spark writes into a hidden folder beside `path`, which is removed in the end."""
    folder = path.with_name(f"_{path.name}.parts")
    try:
        write(folder)
        yield sorted(part for part in folder.iterdir() if part.name.startswith("part-"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(lake: Lake, place: str, write: Callable[[BinaryIO], object]) -> Path:
    path = lake.path(place)
    with effect("file", place):
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f"_{path.name}.tmp")
        with hidden.open("wb") as stream:
            write(stream)
        hidden.replace(path)
    return path
