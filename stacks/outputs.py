"""What a stack tells the world: the one typed list of its outputs. Loads no Pulumi."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Outputs(BaseModel):
    """The outputs of a stack. None of them is secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cloud: Literal["simulated", "azure"] = Field(description="where the stack stands")
    environment: str = Field(description="the stack's name")
    resource_group: str = Field(description="the resource group that holds the platform")
    lake_account: str = Field(description="the storage account of the data lake")
    lake_endpoint: str = Field(description="address of the data lake (dfs)")
    databricks_host: str = Field(description="address of the Databricks workspace")
    catalog: str = Field(description="the Unity Catalog catalog that holds all tables")
    volumes: str = Field(description="path below which each container has a folder `<container>/files`")
    wheel: str = Field(description="path of the uploaded wheel that the jobs run")
    jobs: dict[str, str] = Field(description="name of each Databricks job → its id")
    job_urls: dict[str, str] = Field(description="name of each Databricks job → its address")
    data_factory: str = Field(description="the data factory")
    pipelines: dict[str, str] = Field(description="workload → its pipeline in the data factory")
    key_vault_uri: str = Field(description="address of the key vault")
    container_registry: str = Field(description="address of the container registry, as names of images begin")
    log_workspace: str = Field(description="the workspace of Azure Monitor that holds all logs")
    identities: dict[str, str] = Field(description="who jobs, pods and workflows are → application id in Entra")
    serving_store: str | None = Field(
        default=None, description="host and port of the serving store (Cassandra), where a workload needs it"
    )
    event_stream: str | None = Field(
        default=None, description="host and port of the event stream (Kafka), where a workload needs it"
    )
    aks_cluster: str = Field(description="the Kubernetes cluster")
    namespace: str = Field(description="the namespace of our pods in the cluster")
    grafana_url: str = Field(description="address of Grafana inside the cluster (kubectl port-forward leads to it)")
    prometheus_url: str = Field(description="address of Prometheus inside the cluster")

    @property
    def simulated(self) -> bool:
        """Whether the stack stands in the simulated cloud."""
        return self.cloud == "simulated"
