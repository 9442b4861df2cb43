"""`medallion model`: the versions of a workload's model, what was decided about each, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import options, registry
from medallion.connection import connect
from medallion.console import emit
from toolchain.errors import UserError
from workloads import spec
from workloads.lakehouse import champions
from workloads.lakehouse.errors import TaskError

if TYPE_CHECKING:
    from mlflow import MlflowClient

FIGURES = ("training_rows", "threshold", "rule_precision", "rule_recall", "labelled_precision", "labelled_recall")
NOTHING = "–"


def model(
    workload: options.WorkloadName,
    rollback: Annotated[bool, typer.Option("--rollback", help="Give the alias back to the champion before.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; kept on the version that is left.")] = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """List the versions of a workload's model with figures and reasons, or go back to the champion before."""
    if rollback != bool(reason and reason.strip()):
        raise UserError("--rollback and --reason go together: say why")
    declared = spec.find(workload)
    with connect(stack, cloud) as connection:
        client, name = registry.client(connection), registry.model_name(connection, declared)
        if rollback:
            try:
                left, taken = champions.roll_back(client, name, reason.strip())
            except TaskError as error:
                raise UserError(str(error)) from None
            document = {"model": name, "left": left, "champion": taken, "reason": reason.strip()}
            text = f"{name}: version {taken} is champion again, in place of {left}: {reason.strip()}"
            emit(document, json, lambda console: console.print(escape(text)))
            return
        rows = listing(client, name)
    emit({"model": name, "versions": rows}, json, lambda console: show(console, name, rows))


def listing(client: MlflowClient, name: str) -> list[dict[str, Any]]:
    """All versions, the newest first, with alias, figures and what was decided. Empty where there is no such model."""
    champion = champions.champion_version(client, name)
    found = []
    for version in champions.versions(client, name):
        number, tags = int(version.version), version.tags
        measured = client.get_run(version.run_id).data.metrics
        holdout = tags.get(champions.PRECISION, champions.NONE)
        found.append(
            {
                "version": number,
                "alias": champions.CHAMPION if number == champion else "",
                "created": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
                "average_precision": None if holdout == champions.NONE else float(holdout),
                "figures": {key: measured[key] for key in FIGURES if key in measured},
                "decision": tags.get(champions.DECISION, ""),
                "reason": tags.get(champions.REASON, ""),
                "rolled_back": tags.get(champions.ROLLED_BACK),
            }
        )
    return found


def show(console: Console, name: str, rows: list[dict[str, Any]]) -> None:
    """Print the versions."""
    if not rows:
        console.print(f"there is no model {escape(name)} yet: medallion run")
        return
    table = Table(box=box.SIMPLE_HEAD, title=escape(name))
    for column in ("version", "alias", "created", "average precision", "rule precision / recall", "why"):
        table.add_column(column, justify="left" if column in ("alias", "created", "why") else "right")
    for row in rows:
        holdout, figures = row["average_precision"], row["figures"]
        rule = " / ".join(_share(figures.get(key)) for key in ("rule_precision", "rule_recall"))
        gone = f" · rolled back: {row['rolled_back']}" if row["rolled_back"] else ""
        why = escape(f"{row['reason']}{gone}")
        table.add_row(str(row["version"]), row["alias"], row["created"], _share(holdout), rule, why)
    console.print(table)


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
