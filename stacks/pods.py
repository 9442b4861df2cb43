"""The wiring inside the Kubernetes cluster: what runs there, and what each pod takes from the others."""

from __future__ import annotations

from pulumi import Output, ResourceOptions

from components.aks_cluster import provider
from components.databricks_job import environment
from components.kubernetes.grafana import Grafana
from components.kubernetes.namespace import Namespace
from components.kubernetes.prometheus import Prometheus
from components.kubernetes.validation import Validation, ValidationArgs
from dashboards import alerts, grafana, panels
from stacks.foundation import Platform
from stacks.settings import PROJECT, Settings
from workloads.spec import Workload


def declare(
    settings: Settings,
    stack: str,
    of: Platform,
    workloads: tuple[Workload, ...],
    *,
    catalog: str,
) -> dict[str, str]:
    """Declares the pods and what they need. Returns the stack's outputs that are about them."""
    cluster = provider("kubernetes", of.cluster)
    # What stands in a cluster of ours goes with it. Pulumi 3.250 cannot delete it one by one where the cluster is
    # replaced: it has closed the provider by then (https://github.com/pulumi/pulumi/issues/14650).
    goes_with = None if settings.existing.aks_cluster else cluster
    inside = ResourceOptions(provider=cluster, deleted_with=goes_with)
    namespace = Namespace("namespace", namespace=f"{PROJECT}-{stack}", opts=inside)
    inside = ResourceOptions(provider=cluster, deleted_with=goes_with, depends_on=[namespace])
    prometheus = Prometheus("prometheus", namespace=namespace.name, rules=alerts.rules(workloads), opts=inside)
    dashboards = Grafana(
        "grafana",
        namespace=namespace.name,
        prometheus_url=prometheus.url,
        datasource=panels.DATASOURCE,
        dashboards=grafana.files(workloads),
        opts=inside,
    )
    args = ValidationArgs(
        image=Output.concat(of.registry.login_server, "/", settings.validation.image),
        schedule=settings.validation.schedule,
        service_principal=settings.validation.service_principal,
        databricks_host=of.workspace.host,
        identity=of.pods,
        environment=environment(catalog, None),
    )
    Validation("validation", namespace=namespace.name, args=args, opts=inside)
    return {"namespace": namespace.name, "grafana_url": dashboards.url, "prometheus_url": prometheus.url}
