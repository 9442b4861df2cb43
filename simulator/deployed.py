"""What the simulated workspace reads of the simulated cloud: jobs, and where a catalog keeps its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.job_rules import settings_of
from simulator.state import cloud


class MissingCatalogError(Exception):
    """A cluster names a catalog that the cloud does not hold."""


def jobs(home: Path) -> dict[int, dict[str, Any]]:
    """Every deployed job by id, its settings as the Jobs API writes them."""
    with cloud(home) as now:
        found = now.find("databricks:index/job:Job")
    return {int(job.id): settings_of(job.inputs) for job in found}


def catalog(home: Path, name: str) -> tuple[Path, list[str]]:
    """The folder of a catalog's managed tables and the names of its schemas. Raises MissingCatalogError."""
    with cloud(home) as now:
        found = now.find("databricks:index/catalog:Catalog", name=name)
        if not found:
            raise MissingCatalogError(f"The cluster's MEDALLION_CATALOG is {name!r}, and there is no such catalog.")
        schemas = now.find("databricks:index/schema:Schema", catalogName=name)
        return now.folder(found[0].inputs["storageRoot"]), sorted(schema.inputs["name"] for schema in schemas)
