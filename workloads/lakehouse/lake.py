"""Where things are: the lake as a task's environment describes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.lakehouse.errors import TaskError

CONTAINERS = frozenset({"landing", "bronze", "silver", "gold", "quarantine", "models", "reports"})


@dataclass(frozen=True)
class Lake:
    """Folders, tables and registries of one stack.

    `volumes` holds a folder for each container; `catalog` is the catalogue of the tables; `experiments` and `models`
    stand before the names of MLflow experiments and registered models.
    """

    volumes: Path
    catalog: str
    experiments: str
    models: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Lake:
        """The lake that the cluster's variables name. Raises TaskError where one is missing."""

        def value(name: str) -> str:
            if name not in environ:
                raise TaskError(f"the cluster does not set {name}: the job must declare it")
            return environ[name]

        return cls(
            volumes=Path(value("MEDALLION_VOLUMES")),
            catalog=value("MEDALLION_CATALOG"),
            experiments=value("MEDALLION_EXPERIMENTS"),
            models=value("MEDALLION_MODELS"),
        )

    def path(self, place: str) -> Path:
        """The path of `<container>/<path>`, as a file system sees it. Raises ValueError for an unknown container."""
        container, _, rest = place.partition("/")
        if container not in CONTAINERS:
            raise ValueError(f"{place!r} lies in no container of the lake")
        return self.volumes / container / "files" / rest

    def table(self, name: str) -> str:
        """The full name of the table `<layer>.<table>`."""
        return f"{self.catalog}.{name}"
