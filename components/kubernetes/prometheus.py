"""Prometheus and the Pushgateway: where the figures of runs are kept, and alerts are decided.

Owns the two pods, their services and configuration. Not the rules (dashboards/alerts.py). Jobs end before they could be
scraped, so they push; `honor_labels` keeps the labels that they pushed. What is stored goes with the pod: every run
keeps its figures in a file as well, so that nothing is lost but history of the panels.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi import ResourceOptions

from components.kubernetes import pod

PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"
PUSHGATEWAY_IMAGE = "prom/pushgateway:v1.11.1"
PROMETHEUS_PORT = 9090
PUSHGATEWAY_PORT = 9091
NOBODY = 65534


def configuration() -> dict:
    """Prometheus' configuration: what it scrapes, and where its rules lie."""
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "scrape_configs": [
            {
                "job_name": "pushgateway",
                "honor_labels": True,
                "static_configs": [{"targets": [f"pushgateway-service:{PUSHGATEWAY_PORT}"]}],
            },
        ],
    }


class Prometheus(pulumi.ComponentResource):
    """Prometheus with a Pushgateway. `url` and `pushgateway_url` are addresses inside the cluster."""

    url: str
    pushgateway_url: str

    def __init__(self, name: str, *, namespace: str, rules: Mapping, opts: ResourceOptions) -> None:
        """`rules` is the content of a rules file."""
        super().__init__("medallion:kubernetes:Prometheus", name, None, opts)
        child = ResourceOptions(parent=self)
        config = {
            "prometheus.yml": yaml.safe_dump(configuration(), sort_keys=True),
            "rules.yml": yaml.safe_dump(dict(rules), sort_keys=True),
        }
        kubernetes.core.v1.ConfigMap(
            f"{name}-config", metadata=pod.metadata("prometheus", namespace), data=config, opts=child
        )
        pod.deployment("prometheus", namespace, self._prometheus(), config=config, opts=child)
        pod.service("prometheus", namespace, PROMETHEUS_PORT, opts=child)
        pod.deployment("pushgateway", namespace, self._pushgateway(), config={}, opts=child)
        pod.service("pushgateway", namespace, PUSHGATEWAY_PORT, opts=child)
        self.url = pod.address("prometheus", namespace, PROMETHEUS_PORT)
        self.pushgateway_url = pod.address("pushgateway", namespace, PUSHGATEWAY_PORT)
        self.register_outputs({"url": self.url, "pushgateway_url": self.pushgateway_url})

    @staticmethod
    def _prometheus() -> pod.Manifest:
        container = pod.container(
            "prometheus",
            PROMETHEUS_IMAGE,
            args=[
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                "--storage.tsdb.retention.time=15d",
                "--storage.tsdb.retention.size=4GB",
            ],
            port=PROMETHEUS_PORT,
            probe="/-/ready",
            cpu="100m",
            memory="512Mi",
            mounts={"config": "/etc/prometheus", "data": "/prometheus"},
        )
        return pod.pod(
            [container], user=NOBODY, volumes={"config": pod.config_map("prometheus"), "data": pod.scratch("5Gi")}
        )

    @staticmethod
    def _pushgateway() -> pod.Manifest:
        container = pod.container(
            "pushgateway",
            PUSHGATEWAY_IMAGE,
            args=["--persistence.file=/data/metrics", "--persistence.interval=1m"],
            port=PUSHGATEWAY_PORT,
            probe="/-/ready",
            cpu="50m",
            memory="128Mi",
            mounts={"data": "/data"},
        )
        return pod.pod([container], user=NOBODY, volumes={"data": pod.scratch("1Gi")})
