"""A real Apache Cassandra for the simulated cloud, from its jars on Java 17; its data lie in `<home>/cassandra`.

How it is started follows Cassandra's own `bin/cassandra` and `conf/jvm17-server.options`
(https://github.com/apache/cassandra/tree/cassandra-5.0/conf); what differs is for one node on a laptop: little memory,
and every write on disk before it is acknowledged, since there is no other copy.
"""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolchain import jars, java, server
from toolchain.errors import UserError

JAVA = (17,)  # Cassandra 5.0 runs on 11 and 17; the rest of the platform on 17 and 21
MEMORY = "256m"
SPACE_NEEDED = 1 << 30  # bytes: commit log, data, and compaction's copies
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
)
OPENS = (
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/jdk.internal.ref",
    "java.base/java.lang",
    "java.base/java.util",
)
PROPERTIES = {
    # One node has nobody to wait for.
    "cassandra.ring_delay_ms": "1",
    "cassandra.skip_wait_for_gossip_to_settle": "0",
    "cassandra.superuser_setup_delay_ms": "0",
    "jdk.attach.allowAttachSelf": "true",
}
LOGBACK = """<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{ISO8601} %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"""
# A frame of the native protocol: version 4, no flags, stream 0, OPTIONS, no body; the answer is SUPPORTED.
# https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec
OPTIONS, SUPPORTED = bytes([4, 0, 0, 0, 5, 0, 0, 0, 0]), 6


@dataclass(frozen=True)
class Cassandra:
    """A Cassandra that answers."""

    host: str
    port: int


@contextmanager
def running(home: Path, progress: Callable[[str], None]) -> Iterator[Cassandra]:
    """A Cassandra whose data lie in `home`, running at least for the length of the block; see `toolchain.server`.

    `progress` is told what takes time. Raises UserError, in one line, where it cannot be had: no jars, no Java 17, no
    space, or it does not start.
    """
    with server.running(declared(home, progress)) as port:
        yield Cassandra(server.LOOPBACK, port)


def declared(home: Path, progress: Callable[[str], None]) -> server.Server:
    """The server, as `toolchain.server` takes it."""
    folder = home / "cassandra"
    return server.Server("Cassandra", folder, lambda: prepare(folder, progress), answers)


def prepare(folder: Path, progress: Callable[[str], None]) -> server.Plan:
    """Fetch what it needs, write its configuration, and say how it is started."""
    found = jars.install(progress, jars.CASSANDRA)
    executable = java.install(progress, JAVA) / "bin" / "java"
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise UserError(
            f"Cassandra needs {SPACE_NEEDED >> 20} MB of disk at {folder}, and {free >> 20} MB are free: make room"
        )
    progress("Cassandra: start")
    native, storage, ssl_storage = server.free_ports(3, folder / "ports.json")
    conf = folder / "conf"
    conf.mkdir(exist_ok=True)
    settings = configuration(folder, native, storage, ssl_storage)
    (conf / "cassandra.yaml").write_text(json.dumps(settings, indent=1), encoding="utf-8")  # JSON is YAML
    (conf / "logback.xml").write_text(LOGBACK, encoding="utf-8")
    return server.Plan(command(executable, folder, found), native)


def configuration(folder: Path, native: int, storage: int, ssl_storage: int) -> dict:
    """The settings of a single node, as `cassandra.yaml` has them."""
    return {
        "cluster_name": "medallion",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "listen_address": server.LOOPBACK,
        "rpc_address": server.LOOPBACK,
        "native_transport_port": native,
        "storage_port": storage,
        "ssl_storage_port": ssl_storage,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{server.LOOPBACK}:{storage}"}],
            }
        ],
        "auto_bootstrap": False,
        # `periodic`, the default, acknowledges writes up to ten seconds before they are on disk.
        "commitlog_sync": "batch",
        "commitlog_segment_size": "8MiB",
        "commitlog_total_space": "128MiB",
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
        "data_file_directories": [str(folder / "data")],
        "commitlog_directory": str(folder / "commitlog"),
        "saved_caches_directory": str(folder / "saved_caches"),
        "hints_directory": str(folder / "hints"),
        "cdc_raw_directory": str(folder / "cdc_raw"),
    }


def command(executable: Path, folder: Path, found: list[Path]) -> list[str]:
    """The command line of a node whose configuration lies in `<folder>/conf`."""
    (agent,) = [jar for jar in found if jar.name.startswith("jamm-")]
    properties = PROPERTIES | {"cassandra.storagedir": str(folder), "java.io.tmpdir": str(folder)}
    return [
        str(executable),
        f"-javaagent:{agent}",
        f"-Xms{MEMORY}",
        f"-Xmx{MEMORY}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # thorough compilation costs a third more at the start, and pays for long runs only
        *(f"-D{name}={value}" for name, value in properties.items()),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
        "-cp",
        ":".join(map(str, [folder / "conf", *found])),
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def answers(port: int) -> bool:
    """Whether a Cassandra answers on a loopback port, asked what it supports."""
    try:
        with socket.create_connection((server.LOOPBACK, port), timeout=2) as connection:
            connection.sendall(OPTIONS)
            header = connection.recv(9)
    except OSError:
        return False
    return len(header) == 9 and header[4] == SUPPORTED
