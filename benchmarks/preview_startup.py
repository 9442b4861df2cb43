"""How long a preview takes to start: `python -m benchmarks.preview_startup` prints a table.

The preview of the stack `local` beside that of a bare program with one resource, which imports the same SDKs and uses
the same simulated providers. Both start from an empty state; neither runs policies; median of five, taken in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from toolchain import paths
from toolchain.engine import Engine, engine, prepare

ROUNDS = 5
LIMIT = 2.0
BARE = """
import pulumi
import pulumi_azure_native as azure
import pulumi_databricks as databricks
import pulumi_kubernetes as kubernetes
# The SDK loads a module when it is first used: these are the ones that the platform uses.
used = (
    azure.authorization.RoleAssignment,
    azure.consumption.Budget,
    azure.containerregistry.Registry,
    azure.containerservice.ManagedCluster,
    azure.databricks.Workspace,
    azure.datafactory.Factory,
    azure.keyvault.Vault,
    azure.managedidentity.UserAssignedIdentity,
    azure.monitor.ActionGroup,
    azure.network.VirtualNetwork,
    azure.operationalinsights.Workspace,
    azure.privatedns.PrivateZone,
    azure.storage.StorageAccount,
    kubernetes.apps.v1.Deployment,
    kubernetes.batch.v1.CronJob,
    kubernetes.core.v1.Namespace,
    kubernetes.networking.v1.NetworkPolicy,
)
azure.resources.ResourceGroup("bare", resource_group_name="bare", location="westeurope")
databricks.Provider("databricks", host="https://adb-1.1.azuredatabricks.net", auth_type="azure-cli")
kubernetes.Provider("kubernetes", kubeconfig="")
"""


def bare_project(folder: Path) -> None:
    """Write the bare program into a folder."""
    (folder / "Pulumi.yaml").write_text("name: medallion\nruntime: python\n")
    (folder / "__main__.py").write_text(BARE)


def seconds(target: Engine, project: Path) -> float:
    """Wall-clock seconds of one preview of the project in a folder."""
    command = target.command("preview", "--config-file", str(target.settings), "--non-interactive")
    start = time.perf_counter()
    subprocess.run(command, cwd=project, env=target.environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as bare:
        os.environ["MEDALLION_HOME"] = home
        target = engine("local", "simulated")
        prepare(target)
        bare_project(Path(bare))
        for project in (Path(bare), paths.ROOT):
            seconds(target, project)
        timings: dict[str, list[float]] = {"bare": [], "medallion": []}
        for _ in range(ROUNDS):
            timings["bare"].append(seconds(target, Path(bare)))
            timings["medallion"].append(seconds(target, paths.ROOT))
    table = Table(box=box.SIMPLE_HEAD, title=f"Preview from an empty state, {ROUNDS} runs in turn, seconds")
    for column in ("program", "min", "median", "max"):
        table.add_column(column, justify="left" if column == "program" else "right")
    for name, values in timings.items():
        figures = (min(values), statistics.median(values), max(values))
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    ratio = statistics.median(timings["medallion"]) / statistics.median(timings["bare"])
    console = Console()
    console.print(table)
    console.print(f"ratio of medians {ratio:.2f} (at most {LIMIT:.1f})")


if __name__ == "__main__":
    main()
