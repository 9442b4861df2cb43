"""The only starter of streams: micro-batches of what is new at a source, each handled by one function.

The checkpoint holds which micro-batch has what; a micro-batch that was not handled to its end comes again, the same,
with the same number, so that whoever handles it can write each thing once (`tables.append`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.lakehouse.errors import TaskError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# https://spark.apache.org/docs/4.0.0/sql-data-sources-binaryFile.html
OF_FILES = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"

Handle = Callable[["DataFrame", int], None]


class StoppedError(Exception):
    """The stream is being stopped."""


def new_files(spark: SparkSession, folder: Path, pattern: str, **limits: int) -> DataFrame:
    """A stream of the files that appear in `folder` and below it: path and length, without their content.

    `limits` are those of a micro-batch: `maxFilesPerTrigger` or `maxBytesPerTrigger`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = {"pathGlobFilter": pattern, "recursiveFileLookup": "true", **{k: str(v) for k, v in limits.items()}}
    found = spark.readStream.format("binaryFile").schema(OF_FILES).options(**options).load(str(folder))
    return found.select("path", "length")


def messages(spark: SparkSession, servers: str, topic: str, most: int) -> DataFrame:
    """A stream of the messages of a topic of Kafka, from its begin: topic, partition, offset, timestamp and value.

    Where the broker has deleted messages before they were read, the stream fails: a loss is no silent one.
    """
    options = {
        "kafka.bootstrap.servers": servers,
        "subscribe": topic,
        "startingOffsets": "earliest",
        "maxOffsetsPerTrigger": str(most),
        "failOnDataLoss": "true",
    }
    stream = spark.readStream.format("kafka").options(**options).load()
    return stream.select("topic", "partition", "offset", "timestamp", "value")


def identity(checkpoint: Path) -> str:
    """What tells a stream's checkpoint from every other, once the stream has begun."""
    return json.loads((checkpoint / "metadata").read_text())["id"]


def run(source: DataFrame, checkpoint: Path, handle: Handle, every: int | None = None, lasting: float = 0) -> None:
    """Hands each micro-batch and its number to `handle`: all that there is now, then ends.

    With `every`, looks for new ones so often (in seconds), for as long as `lasting` says (0: for ever), and ends after
    the micro-batch that is being handled then. Raises what `handle` raises, and TaskError where the source fails.
    """
    failed: list[Exception] = []
    stop, busy = threading.Event(), threading.Lock()

    def each(frame: DataFrame, number: int) -> None:
        with busy:
            if stop.is_set():
                raise StoppedError  # not handled, so not to be committed
            try:
                handle(frame, number)
            except Exception as error:
                failed.append(error)
                raise

    writer = source.writeStream.option("checkpointLocation", str(checkpoint)).foreachBatch(each)
    trigger = {"availableNow": True} if every is None else {"processingTime": f"{every} seconds"}
    query = writer.trigger(**trigger).start()
    try:
        query.awaitTermination(*([lasting] if lasting else []))
    except Exception as error:
        raise (failed[0] if failed else TaskError(f"the stream failed: {str(error).splitlines()[0]}")) from error
    finally:
        with busy:  # what is being handled comes to its end
            stop.set()
        query.stop()
