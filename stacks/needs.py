"""The wiring of what only some workloads need, the serving store and the event stream, and what their jobs are told.

Who needs none has none: no resource, and no word of it in the environment of its jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pulumi import Input, Output, ResourceOptions

from components.databricks_workspace import AccessConnector
from components.event_stream import EventStream, Stream, StreamCredential
from components.key_vault import Vault
from components.serving_store import ServingStore, Store, StoreArgs
from components.site import Site
from stacks.existing import Found
from stacks.settings import PROJECT, Astra, Settings, SettingsError
from workloads.spec import Part, Workload


@dataclass(frozen=True)
class Inside:
    """What parts take from a workspace of this stack: who jobs are, the connector, and its provider's options."""

    jobs: Output[str]
    connector: AccessConnector
    opts: ResourceOptions


@dataclass(frozen=True)
class Parts:
    """The parts that workloads need, created or found; AstraDB is neither.

    `key` is the secret (scope/key) of the serving store, `credential` the service credential of the event stream.
    """

    store: Store | Astra | None = None
    key: Input[str] | None = None
    stream: Stream | None = None
    credential: Input[str] | None = None
    ours: Mapping[str, Output[str]] = field(default_factory=dict)

    def environment(self, *workloads: Workload) -> dict[str, Input[str]]:
        """What clusters of these workloads are told.

        A cluster of several served workloads is not told one's keyspace: each has that of its folder.
        """
        variables: dict[str, Input[str]] = {}
        folders = [workload.folder for workload in workloads if "serving-store" in workload.needs]
        if folders and self.store is not None and self.key is not None:
            keyspace = folders[0] if len(folders) == 1 else ""
            variables["MEDALLION_SERVING_STORE"] = _url(self.store, keyspace)
            variables["MEDALLION_SERVING_KEY"] = Output.concat("{{secrets/", self.key, "}}")
        if _needed("event-stream", workloads) and self.stream is not None and self.credential is not None:
            variables["MEDALLION_EVENT_STREAM"] = self.stream.address
            variables["MEDALLION_EVENT_CREDENTIAL"] = self.credential
        return variables

    def outputs(self) -> dict[str, Input[str] | None]:
        """The stack's outputs that are about them."""
        return {
            "serving_store": self.store.address if isinstance(self.store, Store) else None,
            "event_stream": self.stream and self.stream.address,
        }


def check(settings: Settings, workloads: Iterable[Workload]) -> None:
    """Raises SettingsError where something is not this stack's and the settings do not say what it needs of it."""
    workloads, existing = list(workloads), settings.existing
    store, stream = settings.serving_store, settings.event_stream
    theirs = next((part for part in ("serving_store", "workspace") if getattr(existing, part)), None)
    if _needed("serving-store", workloads) and theirs and not (store.astra or store.key):
        raise SettingsError(
            f"{PROJECT}:serving_store.key: with existing.{theirs}, name the secret (scope/key) that holds the key"
            " of the serving store"
        )
    if _needed("event-stream", workloads) and existing.workspace and not stream.credential:
        raise SettingsError(
            f"{PROJECT}:event_stream.credential: with existing.workspace, name the service credential that may read"
            " the event stream"
        )


def declare(
    settings: Settings,
    site: Site,
    found: Found,
    vault: Vault,
    workloads: Iterable[Workload],
    *,
    scope: str,
    inside: Inside | None,
) -> Parts:
    """Declares what of the parts is needed and not there already. `scope` is that of the workspace's secrets."""
    workloads, ours = list(workloads), {}
    store, key = None, settings.serving_store.key
    if _needed("serving-store", workloads):
        astra = settings.serving_store.astra
        store, key = (astra, astra.token) if astra else (found.serving_store, key)
        if store is None:
            args = StoreArgs(settings.serving_store.request_units, settings.serving_store.zone_redundant)
            created = ServingStore("serving-store", site, args, workloads, None if key else vault)
            store, ours["serving-store"] = created.store, created.store.id
            key = Output.concat(scope, "/", created.key) if created.key else key
    stream, credential = None, settings.event_stream.credential
    if _needed("event-stream", workloads):
        stream = found.event_stream
        if stream is None:
            stream = EventStream("event-stream", site, settings.event_stream.throughput_units, workloads).stream
            ours["event-stream"] = stream.id
        if inside is not None and credential is None:
            args = ("event-credential", site, f"{scope}-events", stream, inside.connector, inside.jobs, inside.opts)
            credential = StreamCredential(*args).name
    return Parts(store, key, stream, credential, ours)


def _needed(part: Part, workloads: Iterable[Workload]) -> bool:
    return any(part in workload.needs for workload in workloads)


def _url(store: Store | Astra, keyspace: str) -> Input[str]:
    return store.url(keyspace) if isinstance(store, Store) else f"astra://{store.bundle}?keyspace={keyspace}"
