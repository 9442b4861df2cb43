"""Who our pods are in Azure: one identity, which service accounts of our namespace can be without any secret."""

from __future__ import annotations

from pulumi import ResourceOptions

from components.aks_cluster import Cluster
from components.identity import Identity, grant
from components.key_vault import Vault
from components.site import Ground

SERVICE_ACCOUNTS = ("validation",)


def pods_identity(site: Ground, vault: Vault, cluster: Cluster, namespace: str) -> Identity:
    """The identity of pods, which may read the vault's secrets.

    Source: https://learn.microsoft.com/azure/aks/workload-identity-overview
    """
    identity = Identity("pods", site, "pods_identity")
    for account in SERVICE_ACCOUNTS:
        identity.trust(account, issuer=cluster.issuer, subject=f"system:serviceaccount:{namespace}:{account}")
    grant(
        site,
        who="pods-identity",
        role="Key Vault Secrets User",
        on="key-vault",
        principal_id=identity.principal_id,
        scope=vault.id,
        opts=ResourceOptions(parent=identity),
    )
    return identity
