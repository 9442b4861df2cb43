"""VM sizes of Kubernetes' nodes: pure."""

from __future__ import annotations

from collections.abc import Mapping

OS_DISK_GB: Mapping[str, int] = {"Standard_D2s_v3": 48, "Standard_D4s_v3": 96, "Standard_D8s_v3": 192}
"""Size of the ephemeral system disk by VM size: what fits into its cache.
Source: https://learn.microsoft.com/azure/virtual-machines/dsv3-series"""


class AksError(ValueError):
    """A VM size without a known cache; the text names those that are known."""


def require_known(vm_size: str, setting: str) -> None:
    """Raises AksError, naming the setting, for a VM size of which it is not known what its cache holds."""
    if vm_size not in OS_DISK_GB:
        raise AksError(f"{setting}: {vm_size!r} is not in the table of sizes: {', '.join(OS_DISK_GB)}")
