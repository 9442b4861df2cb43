"""OpenLineage events of a task: which tables it read and wrote, in which run, how it ended."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workloads.lakehouse.tables import Table

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/main/client/python"
NAMESPACE = "medallion"
SPACE_OF_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "medallion/runs")


def event(
    state: str,
    *,
    job: str,
    run_id: str,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    catalog: str,
    schemas: Mapping[str, Table],
    error: str | None = None,
) -> RunEvent:
    """The event that `job` (`<workload>.<task>`) reached `state` (START, COMPLETE or FAIL) just now.

    `reads` and `writes` name tables; those in `schemas` carry their columns.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, schema_dataset

    def facets(name: str) -> dict:
        if name not in schemas:
            return {}
        fields = [
            schema_dataset.SchemaDatasetFacetFields(column.name, column.type.lower(), column.meaning)
            for column in schemas[name].columns
        ]
        return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}

    failed = {"errorMessage": error_message_run.ErrorMessageRunFacet(error, "python")} if error else {}
    return RunEvent(
        eventType=RunState[state],
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(str(uuid.uuid5(SPACE_OF_RUNS, f"{job}/{run_id}")), facets=failed),
        job=Job(NAMESPACE, job),
        inputs=[InputDataset(NAMESPACE, f"{catalog}.{name}", facets=facets(name)) for name in reads],
        outputs=[OutputDataset(NAMESPACE, f"{catalog}.{name}", facets=facets(name)) for name in writes],
        producer=PRODUCER,
    )


def as_lines(events: list[RunEvent]) -> str:
    """The events as JSON lines."""
    from openlineage.client.serde import Serde

    return "".join(Serde.to_json(one) + "\n" for one in events)
