"""Where the stream of usage events is: the variables of the cluster say so."""

from __future__ import annotations

import os

from workloads.lakehouse.errors import TaskError


def servers() -> str:
    """The bootstrap servers of Kafka. Raises TaskError where the cluster names none."""
    found = os.environ.get("MEDALLION_EVENT_STREAM")
    if not found:
        raise TaskError("parameter 'source' is stream, but the cluster does not set MEDALLION_EVENT_STREAM")
    return found
