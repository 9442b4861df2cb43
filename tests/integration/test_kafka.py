"""A real Kafka, written and read through Spark as the stream does; what it holds outlasts its process."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import jars, kafka
from toolchain.errors import UserError

pytestmark = pytest.mark.spark


def silent(_: str) -> None:
    """Takes what would be shown."""


@pytest.fixture(scope="module", autouse=True)
def connector() -> None:
    """Spark's way to Kafka; fetched before the session starts."""
    try:
        jars.install(silent, jars.KAFKA_CONNECTOR)
    except UserError as reason:
        pytest.skip(f"Spark cannot read Kafka here: {reason}")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The state folder; its path holds a space."""
    return tmp_path_factory.mktemp("kafka") / "my home"


def produce(spark, broker: kafka.Kafka, topic: str, lines: list[str]) -> None:
    """Sends messages, in order of the lines within each partition."""
    frame = spark.createDataFrame([(line,) for line in lines], "value STRING").coalesce(1)
    frame.write.format("kafka").option("kafka.bootstrap.servers", broker.address).option("topic", topic).save()


def options(broker: kafka.Kafka, topic: str) -> dict[str, str]:
    return {"kafka.bootstrap.servers": broker.address, "subscribe": topic, "startingOffsets": "earliest"}


def drain(spark, broker: kafka.Kafka, topic: str, folder: Path) -> list[list[str]]:
    """The messages that a stream finds beyond its checkpoint, by micro-batch."""
    batches: list[list[str]] = []

    def keep(frame, number: int) -> None:
        batches.append(sorted(row["text"] for row in frame.selectExpr("CAST(value AS STRING) AS text").collect()))

    stream = spark.readStream.format("kafka").options(**options(broker, topic)).load()
    writer = stream.writeStream.foreachBatch(keep).option("checkpointLocation", str(folder))
    writer.trigger(availableNow=True).start().awaitTermination()
    return batches


def test_every_message_is_read_once_across_restarts_of_broker_and_stream(spark, home, tmp_path):
    try:
        with kafka.running(home, silent) as first:
            produce(spark, first, "events", ["a", "b", "c"])
            assert drain(spark, first, "events", tmp_path / "checkpoint") == [["a", "b", "c"]]
            produce(spark, first, "events", ["d"])
    except UserError as reason:
        pytest.skip(f"there is no Kafka here: {reason}")
    with kafka.running(home, silent) as again:
        assert again == first
        assert drain(spark, again, "events", tmp_path / "checkpoint") == [["d"]]
        rows = spark.read.format("kafka").options(**options(again, "events")).load()
        assert rows.count() == 4
        assert {row["partition"] for row in rows.select("partition").distinct().collect()} <= set(
            range(kafka.PARTITIONS)
        )
