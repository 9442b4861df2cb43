"""The namespace of our pods, and who may talk to them: each other, and nobody else."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions


class Namespace(pulumi.ComponentResource):
    """A namespace that admits only hardened pods (level `restricted`), closed to other namespaces."""

    name: str

    def __init__(self, name: str, *, namespace: str, opts: ResourceOptions) -> None:
        super().__init__("medallion:kubernetes:Namespace", name, None, opts)
        self.name = namespace
        created = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata={
                "name": namespace,
                "labels": {
                    "app.kubernetes.io/part-of": "medallion",
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
            opts=ResourceOptions(parent=self),
        )
        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-only-each-other",
            metadata={"name": "only-each-other", "namespace": namespace},
            spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]},
            opts=ResourceOptions(parent=self, depends_on=[created]),
        )
        self.register_outputs({"name": namespace})
