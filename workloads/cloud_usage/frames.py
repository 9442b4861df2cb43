"""Tables as pandas frames, for notebooks: through Spark where there is a session, else from a laptop's lake itself.

In Databricks a notebook has a session, and its cluster names the catalogue. On a laptop the tables that `medallion run`
wrote lie in the state folder, and are read without Java.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake

if TYPE_CHECKING:
    import pandas as pd
    from deltalake import DeltaTable

    from workloads.lakehouse.tables import Table

CHECKOUT = Path(__file__).resolve().parents[2]


def frame(table: Table, *columns: str) -> pd.DataFrame:
    """Rows of a table, all of its columns or those named. Raises TaskError where it was never written."""
    from pyspark.sql import SparkSession

    names = list(columns) or [column.name for column in table.columns]
    if (spark := SparkSession.getActiveSession()) is not None:
        name = Lake.from_environment().table(table.name)
        if not spark.catalog.tableExists(name):
            raise TaskError(f"there is no table {name} yet: run the workload first")
        return spark.table(name).select(*names).toPandas()
    return _of_laptop(table).to_pandas(columns=names)


def _of_laptop(table: Table) -> DeltaTable:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    home = Path(os.environ.get("MEDALLION_HOME", CHECKOUT / ".medallion"))
    layer, _, name = table.name.partition(".")
    place = home / "lake" / "catalog" / f"{layer}.db" / name
    try:
        return DeltaTable(place)
    except TableNotFoundError:
        raise TaskError(f"there is no table in {place}: run `make up WORKLOAD=cloud-usage` first") from None
