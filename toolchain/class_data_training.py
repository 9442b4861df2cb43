"""`python class_data_training.py FOLDER ARCHIVE JAR…`: a session of Spark, at whose end Java archives its classes.

It does a little of what tasks do, so that their classes are among them.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as fn


def session(folder: Path, archive: Path, jars: list[str]) -> SparkSession:
    """A session as a simulated cluster has it, with its class path, on which the archive hangs."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.master": "local[2]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": os.pathsep.join(jars),
        "spark.driver.extraJavaOptions": f'-XX:ArchiveClassesAtExit="{archive}" -Xlog:disable',
        "spark.local.dir": str(folder / "tmp"),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def same(batches: Iterator) -> Iterator:
    """What a worker is given."""
    yield from batches


def use(spark: SparkSession, folder: Path) -> None:
    """Tables written, replaced, merged, read, joined and described; files of every kind."""
    rows = spark.range(100).selectExpr(
        "id", "id % 3 AS part", "cast(id AS STRING) AS text", "timestamp_seconds(id) AS at"
    )
    passed = rows.mapInArrow(same, rows.schema).repartition(2, "part").sortWithinPartitions("part", "id")
    passed.write.format("delta").partitionBy("part").saveAsTable("one")
    rows.where("part = 1").write.format("delta").mode("overwrite").option("replaceWhere", "part = 1").saveAsTable("one")
    table = spark.table("one")
    last = fn.max("at").over(Window.partitionBy("part").orderBy("at"))
    joined = table.join(fn.broadcast(rows.groupBy("part").agg(fn.count("*").alias("n"), fn.max("text"))), "part")
    joined.withColumn("last", last).orderBy("at").toPandas()
    table.orderBy("id").select(fn.to_json(fn.struct("id", "text")).alias("value")).write.text(str(folder / "text"))
    table.coalesce(1).write.parquet(str(folder / "parquet"))
    spark.sql("DESCRIBE HISTORY one").orderBy("version").collect()
    spark.sql("DESCRIBE DETAIL one").collect()
    spark.createDataFrame([(1, "a")], "id BIGINT, text STRING").join(table, "id", "left").distinct().count()


def main() -> None:
    """Train, end the session, and wait until Java has written the archive."""
    folder, archive, *jars = sys.argv[1:]
    spark = session(Path(folder), Path(archive), jars)
    use(spark, Path(folder))
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main()
