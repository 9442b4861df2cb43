"""What stands in, on a laptop, for the cloud's services that a workload needs: real servers, for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from rich.markup import escape

from medallion.console import err
from toolchain import cassandra, jars, paths
from toolchain.errors import UserError
from workloads.lakehouse.serving_store import UNAVAILABLE, URL
from workloads.spec import Task, Workload

STREAM = "MEDALLION_EVENT_STREAM"
JARS = "MEDALLION_SPARK_JARS"
USES_THE_STORE = ("serving", "speed", "quality")  # layers


def uses_the_store(tasks: Iterable[Task]) -> bool:
    """Whether one of the tasks may write or read what is served."""
    return any(task.layer in USES_THE_STORE for task in tasks)


@contextmanager
def stand_ins(workload: Workload) -> Iterator[dict[str, str]]:
    """The variables by which a simulated cluster finds what the workload needs, running for the length of the block.

    A store or stream that the environment names already is taken. Where no Cassandra can be had, its variable says why
    and a line says so, too: the rest of the run goes on.
    """
    variables: dict[str, str] = {}
    with ExitStack() as running:
        if "serving-store" in workload.needs and URL not in os.environ:
            try:
                variables[URL] = running.enter_context(store(workload))
            except UserError as reason:
                variables[UNAVAILABLE] = str(reason)
                err.print(f"[yellow]nothing will be served[/]: {escape(str(reason))}")
        yield variables


@contextmanager
def store(workload: Workload) -> Iterator[str]:
    """The address of the workload's keyspace in the local Cassandra, running for the length of the block.

    Raises UserError where none can be had.
    """
    with cassandra.running(paths.home(), progress) as there:
        yield f"cassandra://{there.host}:{there.port}/{workload.folder}"


def spark_jars(workload: Workload | None) -> list[str]:
    """The jars that a simulated cluster's Spark needs for the workload: none where Delta's are missing.

    Those of Kafka only where the environment names a stream: they would cost each start of a session its archive of
    classes. Raises UserError where they cannot be had.
    """
    if jars.missing():
        return []
    streams = workload is not None and "event-stream" in workload.needs and STREAM in os.environ
    return [*map(str, jars.find()), *map(str, jars.install(progress, jars.KAFKA_CONNECTOR) if streams else [])]


def progress(message: str) -> None:
    """Says what takes time."""
    err.print(f"[dim]{escape(message)} …[/]")
