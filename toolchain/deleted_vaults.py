"""Key vaults that a stack deleted and that still hold their name: the next `up` takes them back instead of new ones.

A deleted vault stays for as long as its retention says, and nobody can shorten that (purge protection). The provider
does not look for one (https://github.com/pulumi/pulumi-azure-native/issues/1077), and refuses to create its namesake:
so the program is told (`RECOVER_VAULT`) before it runs.
"""

import json
import subprocess
import sys
from dataclasses import replace

from toolchain import paths
from toolchain.engine import PROJECT, Engine, state_file
from toolchain.errors import UserError

VARIABLE = "RECOVER_VAULT"
CLOUD = "cloud.sqlite"  # the simulated one, in the home
VAULT, DELETED = "azure-native:keyvault:Vault", "azure-native:keyvault:DeletedVault"


def told(target: Engine) -> Engine:
    """The engine whose program knows whether to take a deleted vault back. Raises UserError where Azure cannot say."""
    found = _simulated(target) if target.is_simulated else _azure(target)
    return replace(target, environment={**target.environment, VARIABLE: str(found).lower()})


def _simulated(target: Engine) -> bool:
    state = state_file(target)
    stands = state.is_file() and VAULT in state.read_text(encoding="utf-8")
    if stands or not (target.home / CLOUD).is_file():
        return False  # the usual cases, in which nobody need be asked
    command = [sys.executable, "-m", "simulator.drift", "list"]
    listed = subprocess.run(
        command, cwd=paths.ROOT, env=target.environment, capture_output=True, text=True, check=True
    ).stdout
    rows = (row["inputs"] for row in json.loads(listed) if row["type"] == DELETED)
    return any(row["tags"].get("managed-by") == owner(target.stack) for row in rows)


def _azure(target: Engine) -> bool:
    query = f"[?properties.tags.\"managed-by\"=='{owner(target.stack)}'].name"
    command = ["az", "keyvault", "list-deleted", "--resource-type", "vault", "--query", query, "--output", "json"]
    try:
        done = subprocess.run(command, env=target.environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            "az is not installed: it tells whether a deleted key vault holds its name (docs/azure.md)"
        ) from None
    if done.returncode != 0:
        raise UserError(f"az keyvault list-deleted: {' '.join(done.stderr.split()).removeprefix('ERROR: ')}")
    return bool(json.loads(done.stdout))


def owner(stack: str) -> str:
    """The value of the tag `managed-by` of a stack's resources (components/site.py)."""
    return f"pulumi-{PROJECT}-{stack}"
