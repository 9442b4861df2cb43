"""How a stack is used: what prices are multiplied by and no resource says. Every figure is an assumption, none was
measured; each can be set under `medallion:usage` in `Pulumi.<stack>.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
DEFAULT = "default"
"""The key of a mapping that stands for all keys that are not in it."""


def _over(defaults: Mapping[str, float]) -> Any:
    """A mapping of amounts by name: what is given stands beside the defaults or replaces them one by one."""
    merge = BeforeValidator(lambda given: {**defaults, **given} if isinstance(given, Mapping) else given)
    return Annotated[dict[str, Amount], merge, Field(default_factory=lambda: dict(defaults))]


def of(amounts: Mapping[str, float], name: str) -> float:
    """The amount for a name, or the default."""
    return amounts.get(name, amounts[DEFAULT])


class Section(BaseModel):
    """A frozen group of assumptions that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Jobs(Section):
    """Runs of Databricks jobs, and of the pipelines that start them."""

    minutes_a_run: _over({DEFAULT: 15}) = Field(description="minutes of a run, by job or workload")
    runs_by_hand: _over({DEFAULT: 4}) = Field(description="runs a month beside those of schedules, by job")
    start_minutes: Amount = Field(default=5, description="minutes that VMs of a job cluster are paid before DBU are")


class Interactive(Section):
    """Interactive clusters."""

    hours_a_month: Amount = Field(default=40, description="hours that people keep a cluster up, idle ones included")


class Lake(Section):
    """What lies in storage accounts, and how often it is touched."""

    gigabytes: _over(
        {"landing": 50, "bronze": 50, "silver": 25, "gold": 10, "catalog": 100, "models": 1, "reports": 1, DEFAULT: 1}
    ) = Field(description="GB stored, by container")
    deleted_share: Share = Field(default=0.05, description="share of it kept beside, by soft delete")
    cool_share: Share = Field(default=0.5, description="share that has become cool, where a lifecycle rule says so")
    write_operations: Amount = Field(default=1_000_000, description="writes a month (of 4 MB each)")
    read_operations: Amount = Field(default=5_000_000, description="reads a month (of 4 MB each)")


class Network(Section):
    """What goes through the network in a month."""

    nat_gigabytes: Amount = Field(default=50, description="GB through each NAT gateway")
    endpoint_gigabytes: _over({"dfs": 200, "blob": 20, DEFAULT: 1}) = Field(
        description="GB through a private endpoint in both directions, by what it leads to"
    )
    load_balancer_gigabytes: Amount = Field(default=10, description="GB through the cluster's load balancer")
    outbound_gigabytes: Amount = Field(default=20, description="GB from Azure to the internet")
    dns_queries: Amount = Field(default=1_000_000, description="queries to each private DNS zone")


class Kubernetes(Section):
    """What no declaration of the cluster says."""

    idle_pool_node_hours: Amount = Field(default=20, description="node hours a month of each pool that shrinks to none")


class KeyVault(Section):
    """Key Vault."""

    operations: Amount = Field(default=50_000, description="operations a month")


class Registry(Section):
    """The container registry."""

    gigabytes: Amount = Field(default=5, description="GB of images")
    build_vcpu_minutes: Amount = Field(default=120, description="vCPU minutes of image builds a month")


class Monitor(Section):
    """Logs."""

    gigabytes_a_day: Amount = Field(default=0.5, description="GB of logs a day into each Log Analytics workspace")


class Factory(Section):
    """Data Factory, and the events that start pipelines."""

    triggers_run: bool = Field(default=False, description="whether triggers run, which are created stopped")
    runs_by_hand: Amount = Field(default=0, description="runs a month of each pipeline beside those of triggers")
    runs_by_event: Amount = Field(default=10, description="runs a month that a storage event trigger starts")
    entities: Amount = Field(default=2_000, description="reads and writes of definitions a month")
    monitoring_records: Amount = Field(default=10_000, description="records of runs looked at in a month")


class ServingStore(Section):
    """The serving store, where there is one."""

    gigabytes: Amount = Field(default=5, description="GB of rows and their index")
    million_request_units: Amount = Field(
        default=20, description="million request units a month of a serverless account: writes, and people's questions"
    )
    autoscale_share: Share = Field(
        default=0.15, description="share of the most request units that autoscale bills on average (0.1 at least)"
    )


class EventStream(Section):
    """The event stream, where there is one."""

    million_events: Amount = Field(default=10, description="million events a month (of 64 kB each)")


class Usage(Section):
    """All assumptions."""

    jobs: Jobs = Jobs()
    interactive: Interactive = Interactive()
    lake: Lake = Lake()
    network: Network = Network()
    kubernetes: Kubernetes = Kubernetes()
    key_vault: KeyVault = KeyVault()
    registry: Registry = Registry()
    monitor: Monitor = Monitor()
    factory: Factory = Factory()
    serving_store: ServingStore = ServingStore()
    event_stream: EventStream = EventStream()


def assumptions(usage: Usage) -> Iterator[tuple[str, Any, Any, str]]:
    """Every assumption: its key (`lake.cool_share`), value, default, and what it means."""
    for name, field in Usage.model_fields.items():
        section, standard = getattr(usage, name), field.default
        for key, inner in type(section).model_fields.items():
            yield f"{name}.{key}", getattr(section, key), getattr(standard, key), inner.description or ""
