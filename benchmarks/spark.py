"""A Spark session as a simulated cluster has it, on two cores, for measurements and tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from simulator.cluster import spark_conf
from toolchain import class_data, jars, java

# Java's options for sessions that end before thorough compilation would pay: that of Java, and that of queries to Java.
SHORT = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    " -Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
)
DIST_CLASSPATH = "SPARK_DIST_CLASSPATH"  # what Spark's launcher puts behind all other jars
JARS = [] if jars.missing() else jars.find()


def session(folder: Path, memory: str = "4g", options: str = "", more_jars: Sequence[Path] = ()) -> SparkSession:
    """A session whose tables and temporary files lie in `folder`, with a heap of at most `memory`.

    `options` are Java's, beside those of every driver. `more_jars` stand behind all others, where they do not cost the
    session its archive of classes.
    """
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    home = java.find()
    os.environ |= {"JAVA_HOME": str(home), DIST_CLASSPATH: os.pathsep.join(map(str, more_jars))}
    settings = {
        "warehouse": str(folder / "catalog"),
        "jars": list(map(str, JARS)),
        "memory": memory,
        "options": f"{class_data.options(home)} {options}".strip(),
        "conf": {},
        "name": "medallion",
    }
    builder = SparkSession.builder
    for name, value in {**spark_conf(settings, folder / "tmp"), "spark.master": "local[2]"}.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    del os.environ[DIST_CLASSPATH]  # Java has it; drivers that are started from here get jars of their own
    made.sparkContext.setLogLevel("ERROR")
    return made
