"""The simulated Kubernetes API of the simulated AKS clusters.

Objects are held to Kubernetes' own schemas (of the package kubernetes-validate) in the version of their cluster.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulator import properties
from simulator.azure_rules import guid
from simulator.kinds import Kind, Package
from simulator.state import Cloud, CloudError, Resource

CLUSTER = "azure-native:containerservice:ManagedCluster"
NAMESPACE = "kubernetes:core/v1:Namespace"
BUILT_IN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
CONFIG_MAP_BYTES = 1 << 20
SERVER = re.compile(r"https://([^\s:\"/]+)")
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*"


def _metadata(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return inputs.get("metadata") or {}


def _id(inputs: Mapping[str, Any]) -> str:
    """`namespace/name`, as the real provider has it."""
    name = _metadata(inputs).get("name")
    if not isinstance(name, str):
        raise CloudError("metadata.name: the simulated cloud needs it named explicitly")
    return f"{_metadata(inputs).get('namespace') or 'default'}/{name}"


def _name(inputs: Mapping[str, Any]) -> str:
    return _id(inputs).partition("/")[2]


# what the API server refuses beyond its schemas


def _selects_itself(cloud: Cloud, resource: Resource) -> None:
    spec = resource.inputs["spec"]
    wanted = (spec["selector"].get("matchLabels")) or {}
    labels = _metadata(spec["template"]).get("labels") or {}
    if not wanted or any(labels.get(name) != value for name, value in wanted.items()):
        raise _invalid(
            resource, f"spec.template.metadata.labels: {labels}: `selector` does not match template `labels`"
        )
    _pods(resource, spec["template"].get("spec") or {})


def _cron_job(cloud: Cloud, resource: Resource) -> None:
    spec = resource.inputs["spec"]
    if not re.fullmatch(r"@\w+|\S+( \S+){4}", spec["schedule"].strip()):
        raise _invalid(resource, f"spec.schedule: '{spec['schedule']}': expected exactly 5 fields")
    pod = spec["jobTemplate"]["spec"]["template"].get("spec") or {}
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        raise _invalid(resource, "spec.jobTemplate.spec.template.spec.restartPolicy: must be OnFailure or Never")
    _pods(resource, pod)


def _pods(resource: Resource, pod: Mapping[str, Any]) -> None:
    volumes = {volume["name"] for volume in pod.get("volumes") or ()}
    for container in (*(pod.get("initContainers") or ()), *pod["containers"]):
        for mount in container.get("volumeMounts") or ():
            if mount["name"] not in volumes:
                raise _invalid(
                    resource, f"container {container['name']}: volumeMounts.name: '{mount['name']}' not found"
                )


def _small_enough(cloud: Cloud, resource: Resource) -> None:
    size = sum(
        len(value.encode()) for part in ("data", "binaryData") for value in (resource.inputs.get(part) or {}).values()
    )
    if size > CONFIG_MAP_BYTES:
        raise _invalid(resource, f"must have at most {CONFIG_MAP_BYTES} bytes, has {size}")


def _invalid(resource: Resource, message: str) -> CloudError:
    return CloudError(f'{resource.type.rpartition(":")[2]} "{_name(resource.inputs)}" is invalid: {message}')


# what the cluster adds


def _object(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    old = cloud.get(resource.key)
    version = int(old.computed["metadata"]["resourceVersion"]) + 1 if old else 1
    added = {"uid": guid(resource.key), "resourceVersion": str(version)}
    namespace, _, name = resource.id.rpartition("/")
    named = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"metadata": {**_metadata(resource.inputs), **named, **added}}


def _namespace(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_object(cloud, resource), "status": {"phase": "Active"}}


def _deployment(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    replicas = resource.inputs["spec"].get("replicas", 1)
    counts = dict.fromkeys(("availableReplicas", "readyReplicas", "replicas", "updatedReplicas"), replicas)
    return {**_object(cloud, resource), "status": counts}


def _service(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    spec = resource.inputs.get("spec") or {}
    number = int(guid(resource.key)[:4], 16)
    address = spec.get("clusterIP") or f"10.0.{number >> 8}.{number & 255}"
    return {
        **_object(cloud, resource),
        "spec": {**spec, "clusterIP": address, "clusterIPs": [address], "type": spec.get("type") or "ClusterIP"},
        "status": {"loadBalancer": {}},
    }


NAMED = ("metadata.name", "metadata.namespace")
KINDS = (
    Kind(NAMESPACE, _name, replace=("metadata.name",), outputs=_namespace, computed=("status",)),
    Kind(
        "kubernetes:core/v1:ConfigMap",
        _id,
        replace=(*NAMED, "data", "binaryData"),
        rules=_small_enough,
        outputs=_object,
    ),
    Kind("kubernetes:core/v1:Service", _id, replace=(*NAMED, "spec.clusterIP"), outputs=_service, computed=("status",)),
    Kind("kubernetes:core/v1:ServiceAccount", _id, replace=NAMED, outputs=_object),
    Kind(
        "kubernetes:apps/v1:Deployment",
        _id,
        replace=(*NAMED, "spec.selector"),
        rules=_selects_itself,
        outputs=_deployment,
        computed=("status",),
    ),
    Kind("kubernetes:batch/v1:CronJob", _id, replace=NAMED, rules=_cron_job, outputs=_object),
    Kind("kubernetes:networking.k8s.io/v1:NetworkPolicy", _id, replace=NAMED, outputs=_object),
)


def check_object(inputs: Mapping[str, Any], version: str) -> Iterator[properties.Problem]:
    """What Kubernetes' schema of that minor version finds wrong with an object, each with its path."""
    validator = _validator(inputs["apiVersion"], inputs["kind"], version)
    for error in sorted(validator.iter_errors(inputs), key=lambda error: list(map(str, error.absolute_path))):
        # what is not known yet cannot be wrong; a choice (oneOf) that holds it cannot be judged
        if error.instance != properties.UNKNOWN and not (error.context and properties.has_unknown(error.instance)):
            path = ""
            for part in error.absolute_path:
                path = f"{path}[{part}]" if isinstance(part, int) else properties.join(path, part)
            yield path, error.message[:300]


@functools.cache
def _validator(api_version: str, kind: str, version: str) -> Any:
    import jsonschema
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = folder / f"{kind.lower()}-{group}.json"
    if not file.is_file():
        raise CloudError(f'no matches for kind "{kind}" in version "{api_version}" in Kubernetes {version}')
    definitions = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    registry = Registry().with_resource("/api/_definitions.json", DRAFT7.create_resource(definitions))
    return jsonschema.Draft7Validator(json.loads(file.read_text(encoding="utf-8")), registry=registry)


class Kubernetes(Package):
    """The simulated kubernetes provider, for the cluster that its `kubeconfig` names."""

    name = "kubernetes"
    kinds = {kind.type: kind for kind in KINDS}  # noqa: RUF012 - a constant table
    # https://github.com/kubernetes/client-go/blob/master/rest/request.go (`maxRetries`), and the words of apimachinery
    retries = 10
    throttled = "the server has received too many requests and has asked us to try again later"

    def unknown_before_create(self, kind: Kind) -> frozenset[str]:
        return frozenset(kind.computed)

    def moved(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
        servers = [SERVER.search(config.get("kubeconfig") or "") for config in (old, new)]
        return () if servers[0] and servers[1] and servers[0][1] == servers[1][1] else ("kubeconfig",)

    def _cluster(self, cloud: Cloud) -> Resource:
        server = SERVER.search(self.config.get("kubeconfig") or "")
        if not server:
            raise CloudError("the simulated kubernetes provider needs `kubeconfig`: that of a simulated AKS cluster")
        for cluster in cloud.find(CLUSTER):
            if server[1] in (cluster.computed["fqdn"], cluster.computed.get("privateFQDN")):
                return cluster
        raise CloudError(f"there is no simulated AKS cluster at https://{server[1]}")

    def scope(self, cloud: Cloud, kind: Kind) -> str:
        return self._cluster(cloud).key

    def parent(self, cloud: Cloud, kind: Kind, resource: Resource) -> str:
        namespace, _, _ = resource.id.rpartition("/")
        if not namespace or namespace in BUILT_IN_NAMESPACES:
            return resource.scope
        key = self.key(resource.scope, self.kind(NAMESPACE), namespace)
        if not cloud.get(key):
            raise CloudError(f'namespaces "{namespace}" not found')
        return key

    def problems(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> list[properties.Problem]:
        group, _, name = kind.type.removeprefix("kubernetes:").rpartition(":")
        wanted = {"apiVersion": group.removeprefix("core/"), "kind": name}
        wrong = [
            (key, f"{inputs.get(key)!r} is not {value!r}") for key, value in wanted.items() if inputs.get(key) != value
        ]
        if wrong:
            return wrong
        cluster = self._cluster(cloud)
        version = ".".join(cluster.computed["kubernetesVersion"].split(".")[:2])
        found = list(check_object(inputs, version))
        name = _metadata(inputs).get("name")
        if name is None:
            found.append(("metadata.name", "the simulated cloud needs it named explicitly"))
        elif isinstance(name, str) and name != properties.UNKNOWN:
            allowed = LABEL if kind.type in (NAMESPACE, "kubernetes:core/v1:Service") else SUBDOMAIN
            if not re.fullmatch(allowed, name):
                found.append(
                    ("metadata.name", f"'{name}' is not a name that Kubernetes allows: lower case, digits, '-'")
                )
        return found
