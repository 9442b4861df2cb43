"""The validation pod: checks every day, from outside Databricks, what the workloads left behind.

Owns the cron job and its service account. Not the checks (workloads/*/checks.py) nor the image (services/validation/).
It signs in to Databricks as a service principal that trusts tokens of this service account (workload identity
federation): the token is made for Databricks alone and lives an hour; there is no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, ResourceOptions

from components.aks_node_pools import SPOT_TOLERATION
from components.kubernetes import pod

USER = 10001
AUDIENCE = "databricks"
WORKLOAD_IDENTITY = "azure.workload.identity"
TOKENS = "/var/run/secrets/databricks"


@dataclass(frozen=True)
class ValidationArgs:
    """Image, hours (cron, UTC), service principal (None: the cron job is suspended), and where the data is.

    `environment` is that of a job cluster, so that workloads find their outputs in the same way. `identity` is the
    application id of the identity in Azure that the pod can be, where there is one.
    """

    image: Input[str]
    schedule: str
    service_principal: str | None
    databricks_host: Input[str]
    environment: Mapping[str, str]
    identity: Input[str] | None = None


class Validation(pulumi.ComponentResource):
    """The cron job of the validation pod."""

    cron_job: kubernetes.batch.v1.CronJob

    def __init__(self, name: str, *, namespace: str, args: ValidationArgs, opts: ResourceOptions) -> None:
        super().__init__("medallion:kubernetes:Validation", name, None, opts)
        child = ResourceOptions(parent=self)
        annotations = (
            {} if args.identity is None else {"annotations": {f"{WORKLOAD_IDENTITY}/client-id": args.identity}}
        )
        account = kubernetes.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={**pod.metadata("validation", namespace), **annotations},
            automount_service_account_token=False,
            opts=child,
        )
        labels = {pod.APP: "validation", f"{WORKLOAD_IDENTITY}/use": str(args.identity is not None).lower()}
        template = {"metadata": {"labels": labels}, "spec": self._pod(args)}
        self.cron_job = kubernetes.batch.v1.CronJob(
            f"{name}-cron-job",
            metadata=pod.metadata("validation", namespace),
            spec={
                "schedule": args.schedule,
                "timeZone": "Etc/UTC",
                "suspend": args.service_principal is None,
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {
                    "spec": {
                        "backoffLimit": 1,
                        "activeDeadlineSeconds": 3600,
                        "ttlSecondsAfterFinished": 7 * 24 * 3600,
                        "template": template,
                    }
                },
            },
            opts=ResourceOptions(parent=self, depends_on=[account]),
        )
        self.register_outputs({})

    @staticmethod
    def _pod(args: ValidationArgs) -> pod.Manifest:
        identity = {"DATABRICKS_CLIENT_ID": args.service_principal} if args.service_principal else {}
        container = pod.container(
            "validation",
            args.image,
            cpu="250m",
            memory="512Mi",
            env={
                "DATABRICKS_AUTH_TYPE": "file-oidc",
                "DATABRICKS_HOST": args.databricks_host,
                "DATABRICKS_OIDC_TOKEN_FILEPATH": f"{TOKENS}/token",
                "DATABRICKS_SERVERLESS_COMPUTE_ID": "auto",
                **args.environment,
                **identity,
            },
            mounts={"tmp": "/tmp", "token": TOKENS},  # noqa: S108 - a volume of the pod, not this machine's folder
        )
        token = {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}
        volumes = {
            "tmp": pod.scratch("500Mi"),
            "token": {"projected": {"sources": [{"serviceAccountToken": token}]}},
        }
        # a batch pod: it may run where it may be stopped
        more = {"serviceAccountName": "validation", "restartPolicy": "Never", "tolerations": [SPOT_TOLERATION]}
        return pod.pod([container], user=USER, volumes=volumes, **more)
