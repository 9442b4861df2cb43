"""What all our pods have in common: they may do nothing that they need not.

Not root, nothing written but to named volumes, no capabilities, no token of the cluster, limited processor and memory
(Kubernetes' Pod Security Standard `restricted`: https://kubernetes.io/docs/concepts/security/pod-security-standards/).
Manifests are plain mappings with Kubernetes' own keys. Pure, but for the two functions that declare.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi_kubernetes as kubernetes
from pulumi import Input, ResourceOptions

Manifest = dict[str, Any]
APP = "app.kubernetes.io/name"


def container(
    name: str,
    image: Input[str],
    *,
    cpu: str,
    memory: str,
    mounts: Mapping[str, str],
    port: int | None = None,
    probe: str | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, Any] | None = None,
) -> Manifest:
    """A container: `mounts` maps volumes to paths; `probe` is a path that answers on `port` once it is ready.

    It is given what it asks for: memory as a limit, processor time as a share, of which it may use twice as much.
    """
    spec: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(args),
        "env": [{"name": key, "value": value} for key, value in sorted((env or {}).items())],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": _twice(cpu), "memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, path in sorted(mounts.items())],
    }
    if port is not None:
        spec["ports"] = [{"containerPort": port, "name": "http", "protocol": "TCP"}]
    if probe is not None:
        answers = {"httpGet": {"path": probe, "port": "http"}, "timeoutSeconds": 5}
        spec["readinessProbe"] = answers | {"periodSeconds": 10}
        spec["livenessProbe"] = answers | {"periodSeconds": 30, "initialDelaySeconds": 30}
    return spec


def pod(containers: Sequence[Manifest], *, user: int, volumes: Mapping[str, Manifest], **more: Any) -> Manifest:
    """The spec of a pod that runs as `user`; `volumes` maps names to their sources, `more` are further keys."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": list(containers),
        "volumes": [{"name": name, **source} for name, source in sorted(volumes.items())],
        **more,
    }


def scratch(size: str) -> Manifest:
    """A volume that lives and dies with its pod."""
    return {"emptyDir": {"sizeLimit": size}}


def config_map(name: str) -> Manifest:
    """A volume with the files of a ConfigMap."""
    return {"configMap": {"name": name}}


def metadata(name: str, namespace: str) -> Manifest:
    """Name, namespace and label of an object of ours."""
    return {"name": name, "namespace": namespace, "labels": {APP: name}}


def fingerprint(data: Mapping[str, str]) -> str:
    """A hash of configuration: a pod template that carries it is rolled out again when the configuration changes."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def deployment(
    name: str, namespace: str, spec: Manifest, *, config: Mapping[str, str], opts: ResourceOptions
) -> kubernetes.apps.v1.Deployment:
    """Declares one pod that is replaced, not doubled, on a change; `config` is what it is configured with."""
    labels = {APP: name}
    annotations = {"medallion/config": fingerprint(config)}
    return kubernetes.apps.v1.Deployment(
        f"{name}-deployment",
        metadata=metadata(name, namespace),
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec},
        },
        opts=opts,
    )


def service(name: str, namespace: str, port: int, *, opts: ResourceOptions) -> kubernetes.core.v1.Service:
    """Declares the service `<name>-service`, which is reached from inside the cluster only."""
    return kubernetes.core.v1.Service(
        f"{name}-service",
        metadata=metadata(f"{name}-service", namespace),
        spec={
            "type": "ClusterIP",
            "selector": {APP: name},
            "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": "http"}],
        },
        opts=opts,
    )


def address(name: str, namespace: str, port: int) -> str:
    """The address of a service inside the cluster."""
    return f"http://{name}-service.{namespace}.svc.cluster.local:{port}"


def _twice(cpu: str) -> str:
    """Twice an amount of processor time, given in thousandths (`100m`)."""
    return f"{2 * int(cpu.removesuffix('m'))}m"
