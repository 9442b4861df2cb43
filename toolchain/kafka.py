"""A real Apache Kafka for the simulated cloud, one node without ZooKeeper (KRaft); its data lie in `<home>/kafka`.

Set as Kafka's own `config/server.properties` (https://github.com/apache/kafka/tree/4.1/config), for one node with one
copy of everything. Topics are made when they are first written to. Used by tests and benchmarks.
"""

import shutil
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolchain import jars, java, server
from toolchain.errors import UserError

MEMORY = "256m"
SPACE_NEEDED = 1 << 30  # bytes: its segments are allocated whole
PARTITIONS = 4  # of a topic
FORMAT_TIMEOUT = 120  # seconds
# ApiVersions (18) in version 0, correlation id 1, no client id: https://kafka.apache.org/protocol
REQUEST = struct.pack(">hhih", 18, 0, 1, -1)


@dataclass(frozen=True)
class Kafka:
    """A Kafka that answers."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """As clients take it (`bootstrap.servers`)."""
        return f"{self.host}:{self.port}"


@contextmanager
def running(home: Path, progress: Callable[[str], None]) -> Iterator[Kafka]:
    """A Kafka whose data lie in `home`, running at least for the length of the block; see `toolchain.server`.

    `progress` is told what takes time. Raises UserError, in one line, where it cannot be had.
    """
    folder = home / "kafka"
    with server.running(server.Server("Kafka", folder, lambda: prepare(folder, progress), answers)) as port:
        yield Kafka(server.LOOPBACK, port)


def prepare(folder: Path, progress: Callable[[str], None]) -> server.Plan:
    """Fetch what it needs, write its configuration, format its disk once, and say how it is started."""
    found = jars.install(progress, jars.KAFKA)
    executable = java.install(progress) / "bin" / "java"
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise UserError(
            f"Kafka needs {SPACE_NEEDED >> 20} MB of disk at {folder}, and {free >> 20} MB are free: make room"
        )
    progress("Kafka: start")
    port, controller = server.free_ports(2, folder / "ports.json")
    properties = folder / "server.properties"
    lines = [f"{name}={value}" for name, value in configuration(folder, port, controller).items()]
    properties.write_text("\n".join(lines) + "\n", encoding="utf-8")
    own = [str(executable), f"-Xmx{MEMORY}", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, found))]
    if not (folder / "data" / "meta.properties").is_file():
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        _format([*own, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)])
    # The folder's name on the command line is how a stale process is known.
    return server.Plan([*own, "kafka.Kafka", str(properties)], port)


def _format(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise UserError(f"Kafka could not format its disk: {lines[-1]}")


def configuration(folder: Path, port: int, controller: int) -> dict[str, object]:
    """The settings of a single node, as `server.properties` has them."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{server.LOOPBACK}:{port},CONTROLLER://{server.LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{server.LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{server.LOOPBACK}:{controller}",
        "log.dirs": folder / "data",
        "num.partitions": PARTITIONS,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }


def answers(port: int) -> bool:
    """Whether a Kafka answers on a loopback port, asked which requests it takes."""
    try:
        with socket.create_connection((server.LOOPBACK, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(REQUEST)) + REQUEST)
            answer = connection.recv(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)  # its id, and no error
