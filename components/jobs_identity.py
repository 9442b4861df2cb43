"""Who jobs run as: a service principal of the workspace that is an identity of ours, so that nobody holds a password.

Owns the identity, the service principal, the secret scope over the key vault and the right to read it. Not what the
principal may do with data (unity_catalog.py).
"""

from __future__ import annotations

import pulumi
import pulumi_databricks as databricks
from pulumi import Output, ResourceOptions

from components.identity import Identity
from components.key_vault import Vault
from components.site import Ground


class JobsIdentity(pulumi.ComponentResource):
    """The service principal of jobs. `application_id` is what Databricks calls it, `scope` the name of its secrets."""

    application_id: Output[str]
    scope: Output[str]

    def __init__(self, name: str, site: Ground, vault: Vault, scope: str, opts: ResourceOptions) -> None:
        super().__init__("medallion:components:JobsIdentity", name, None, opts)
        identity = Identity(name, site, "jobs_identity", opts=ResourceOptions(parent=self))
        principal = databricks.ServicePrincipal(
            f"{name}-principal",
            application_id=identity.client_id,
            display_name=site.names.of("jobs_identity"),
            workspace_access=True,
            opts=ResourceOptions(parent=self),
        )
        secrets = databricks.SecretScope(
            f"{name}-secrets",
            name=scope,
            keyvault_metadata={"resource_id": vault.id, "dns_name": vault.uri},
            opts=ResourceOptions(parent=self),
        )
        databricks.SecretAcl(
            f"{name}-reads-secrets",
            scope=secrets.name,
            principal=principal.application_id,
            permission="READ",
            opts=ResourceOptions(parent=self),
        )
        self.application_id, self.scope = principal.application_id, secrets.name
        self.register_outputs({"application_id": self.application_id, "scope": self.scope})
