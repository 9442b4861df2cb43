"""Grafana: shows the dashboards, and nothing can be changed in it.

Owns the pod, its service and its provisioning. Not the dashboards (dashboards/). There is no account at all, so there
is no password: whoever reaches it looks on as a viewer, and what it shows comes from the stack.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi import ResourceOptions

from components.kubernetes import pod

IMAGE = "grafana/grafana:11.6.0"
PORT = 3000
USER = 472

ENVIRONMENT = {
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_AUTH_BASIC_ENABLED": "false",
    "GF_AUTH_DISABLE_LOGIN_FORM": "true",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
}


def provisioning(prometheus_url: str, datasource: str) -> dict[str, str]:
    """Grafana's provisioning files: the data source, and the folder of dashboards."""
    source = {
        "name": "Prometheus",
        "uid": datasource,
        "type": "prometheus",
        "url": prometheus_url,
        "access": "proxy",
        "isDefault": True,
        "editable": False,
    }
    folder = {
        "name": "medallion",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": "/etc/medallion/dashboards"},
    }
    return {
        "datasources.yml": yaml.safe_dump({"apiVersion": 1, "datasources": [source]}, sort_keys=True),
        "dashboards.yml": yaml.safe_dump({"apiVersion": 1, "providers": [folder]}, sort_keys=True),
    }


class Grafana(pulumi.ComponentResource):
    """Grafana with provisioned dashboards. `url` is its address inside the cluster."""

    url: str

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        prometheus_url: str,
        datasource: str,
        dashboards: Mapping[str, str],
        opts: ResourceOptions,
    ) -> None:
        """`dashboards` maps file names to JSON; `datasource` is the uid by which they name their data source."""
        super().__init__("medallion:kubernetes:Grafana", name, None, opts)
        child = ResourceOptions(parent=self)
        files = provisioning(prometheus_url, datasource)
        for suffix, data in (("provisioning", files), ("dashboards", dashboards)):
            kubernetes.core.v1.ConfigMap(
                f"{name}-{suffix}",
                metadata=pod.metadata(f"grafana-{suffix}", namespace),
                data=dict(data),
                opts=child,
            )
        pod.deployment("grafana", namespace, self._pod(), config=files | dict(dashboards), opts=child)
        pod.service("grafana", namespace, PORT, opts=child)
        self.url = pod.address("grafana", namespace, PORT)
        self.register_outputs({"url": self.url})

    @staticmethod
    def _pod() -> pod.Manifest:
        container = pod.container(
            "grafana",
            IMAGE,
            env=ENVIRONMENT,
            port=PORT,
            probe="/api/health",
            cpu="100m",
            memory="256Mi",
            mounts={
                "dashboards": "/etc/medallion/dashboards",
                "data": "/var/lib/grafana",
                "logs": "/var/log/grafana",
                "provisioning": "/etc/medallion/provisioning",
                "tmp": "/tmp",  # noqa: S108 - a volume of the pod, not this machine's folder
            },
        )
        container["env"].append({"name": "GF_PATHS_PROVISIONING", "value": "/etc/medallion/provisioning"})
        files = [
            {"key": "datasources.yml", "path": "datasources/medallion.yml"},
            {"key": "dashboards.yml", "path": "dashboards/medallion.yml"},
        ]
        volumes = {
            "dashboards": pod.config_map("grafana-dashboards"),
            "data": pod.scratch("1Gi"),
            "logs": pod.scratch("100Mi"),
            "provisioning": {"configMap": {"name": "grafana-provisioning", "items": files}},
            "tmp": pod.scratch("100Mi"),
        }
        return pod.pod([container], user=USER, volumes=volumes)
