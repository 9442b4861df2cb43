"""Parts of the cluster that need no driver process: errors for people, Java, tables in the warehouse, settings."""

from __future__ import annotations

import errno
import re
import subprocess
from pathlib import Path

import pytest

from simulator import cluster, deployed, drivers
from simulator.cluster import ClusterError
from toolchain.java import find as find_java

WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 1, in main
    parse(line)
ValueError: line 7 has no time
"""


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_an_error_is_one_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    caused = RuntimeError("write failed")
    caused.__cause__ = full()
    space = f"No space left on device: free some disk space below {tmp_path}, then repair the run."
    assert cluster.one_line(ValueError("no such column\nplan:\n  Relation")) == "ValueError: no such column"
    assert cluster.one_line(ValueError()) == "ValueError"
    assert cluster.one_line(RuntimeError(WORKER)) == "ValueError: line 7 has no time"
    assert cluster.one_line(full()) == space
    assert cluster.one_line(caused) == space
    assert cluster.one_line(RuntimeError("java.io.IOException: No space left on device")) == space


def java(folder: Path, says: str) -> None:
    (folder / "bin").mkdir()
    script = folder / "bin" / "java"
    script.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    script.chmod(0o755)


def test_java_that_is_missing_or_old_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ClusterError, match=f"JAVA_HOME={tmp_path} holds no Java: Spark needs Java 17 or 21"):
        cluster.require_java()
    java(tmp_path, 'openjdk version "1.8.0_292"')
    with pytest.raises(ClusterError, match=r"Spark needs Java 17 or 21, and .*/bin/java says"):
        cluster.require_java()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\"' >&2\n")
    cluster.require_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="no Java found on PATH or by JAVA_HOME"):
        cluster.require_java()


def test_delta_jars_that_are_missing_are_one_line(tmp_path):
    settings = {"warehouse": str(tmp_path), "jars": []}
    with pytest.raises(ClusterError, match="MEDALLION_SPARK_JARS names no Delta jars: run `make up`"):
        cluster.SparkSessionOfCluster(settings)
    with pytest.raises(ClusterError, match=r"Delta jar /none\.jar is missing"):
        cluster.SparkSessionOfCluster(settings | {"jars": ["/none.jar"]})


def test_a_table_that_was_never_committed_is_removed(tmp_path):
    def table(name: str, *commits: str) -> Path:
        log = tmp_path / name / "_delta_log"
        log.mkdir(parents=True)
        for commit in commits:
            (log / commit).touch()
        (tmp_path / name / "part-0.parquet").touch()
        return log.parent

    kept = table("bronze.db/events", "00000000000000000000.json")
    cleaned = table("gold.db/old", "00000000000000000010.checkpoint.parquet")
    killed = table("silver.db/half")
    (tmp_path / "silver.db" / "data-only").mkdir()
    assert cluster.committed_tables(tmp_path) == [("bronze", "events", kept), ("gold", "old", cleaned)]
    cluster.remove_unborn_tables(tmp_path)
    assert kept.exists()
    assert cleaned.exists()
    assert not killed.exists()
    assert list((tmp_path / "silver.db").iterdir()) == []
    assert cluster.committed_tables(tmp_path / "none") == []


def test_settings_that_only_mean_something_in_the_cloud_are_dropped(home):
    kept = {"spark.sql.shuffle.partitions": "8", "spark.databricks.delta.schema.autoMerge.enabled": "true"}
    dropped = {
        "spark.databricks.io.cache.enabled": "true",
        "spark.hadoop.fs.azure.account.auth.type": "OAuth",
        "spark.driver.memory": "64g",
        "spark.executor.cores": "8",
        "spark.master": "yarn",
    }
    home.deploy(home.task("a"), spark_conf=kept | dropped)
    base = {
        "MEDALLION_SPARK_JARS": "/a.jar:/b.jar",
        "MEDALLION_DRIVER_MEMORY": "1g",
        "MEDALLION_DRIVER_OPTIONS": "-Xint",
    }
    assert drivers.spark_settings(deployed.jobs(home.path)[7], home.path, base) == {
        "name": "acme",
        "conf": kept,
        "memory": "1g",
        "options": "-Xint",
        "jars": ["/a.jar", "/b.jar"],
        "warehouse": str(home.path / "lake" / "catalog"),
        "schemas": ["bronze"],
    }


def test_java_is_sparing_with_few_cores_unless_told_otherwise():
    archive, sparing = '-XX:SharedArchiveFile="/my home/spark.jsa"', cluster.SPARING
    assert cluster.java_options("", 2) == f"-Duser.timezone=UTC -XX:+UseSerialGC {sparing}"
    assert cluster.java_options(archive, 1) == f"-Duser.timezone=UTC -XX:+UseSerialGC {sparing} {archive}"
    assert cluster.java_options(archive, 4) == f"-Duser.timezone=UTC {archive}"
    assert cluster.java_options("-XX:+UseZGC", 2) == f"-Duser.timezone=UTC {sparing} -XX:+UseZGC"


def test_java_knows_the_options_by_which_it_is_sparing():
    shown = subprocess.run(
        [find_java() / "bin" / "java", *cluster.SPARING.split(), "-XX:+PrintFlagsFinal", "-version"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    set_to = dict(re.findall(r"(\w+) += (\d+) .*\{.*command line\}", shown))
    assert set_to == dict(option.removeprefix("-XX:").split("=") for option in cluster.SPARING.split())


def test_a_secret_is_a_variable_of_the_caller_that_the_driver_sees_under_its_declared_name_only():
    declared = {"MEDALLION_PSEUDONYM_KEY": "{{secrets/my-scope/the.key}}"}
    base = {"CLOUD_SECRET_MY_SCOPE_THE_KEY": "open sesame"}
    env = drivers.environment(base, declared, Path("/h"), Path("/s"))
    assert [name for name, value in env.items() if value == "open sesame"] == ["MEDALLION_PSEUDONYM_KEY"]
    with pytest.raises(drivers.SetupError, match=r"scope: my-scope and key: the\.key .*CLOUD_SECRET_MY_SCOPE_THE_KEY"):
        drivers.environment({}, declared, Path("/h"), Path("/s"))


def test_a_serving_store_and_an_event_stream_are_those_that_the_caller_names():
    declared = {
        "MEDALLION_SERVING_STORE": "cassandra://a@a.cassandra.cosmos.azure.com:10350/k?tls=true",
        "MEDALLION_SERVING_KEY": "{{secrets/scope/key}}",
        "MEDALLION_EVENT_STREAM": "a.servicebus.windows.net:9093",
    }
    named = {"MEDALLION_SERVING_STORE": "cassandra://127.0.0.1:1/k", "MEDALLION_EVENT_STREAM": "127.0.0.1:2"}

    def told(base):
        found = drivers.environment(base, declared, Path("/h"), Path("/s"))
        return {name: value for name, value in found.items() if drivers.STOOD_IN.fullmatch(name)}

    assert told(named) == named
    assert told({}) == {}


def test_the_path_of_the_caller_stands_behind_the_wheel():
    env = drivers.environment({"PYTHONPATH": "/x:/y", "PULUMI_HOME": "/p", "PATH": "/bin"}, {}, Path("/h"), Path("/s"))
    assert env["PYTHONPATH"] == "/s:/x:/y"
    assert env["PATH"] == "/bin"
    assert "PULUMI_HOME" not in env
    assert drivers.environment({}, {}, Path("/h"), Path("/s"))["PYTHONPATH"] == "/s"
