"""What all tests share."""

import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from toolchain import jars, paths
from toolchain.errors import UserError

# Fixtures of what takes long, and the groups of tests that share it.
SHARED = {
    "spark": "spark",
    "standing": "standing",
    "record": "program",
    "engine": "program",
    "sdk": "databricks-sdk",
    "resource_manager": "azure-sdk",
    "pd": "learning",
    "mlflow": "learning",
}

gc.disable()  # until all tests are collected: what is loaded by then stays
set_hypothesis_home_dir(paths.tools() / "caches" / "hypothesis")
hypothesis.settings.register_profile("untimed", deadline=None)  # others may load the machine
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("MEDALLION_REAL_DATA")
    if not folder:
        pytest.skip("MEDALLION_REAL_DATA names no folder of real data (tests/README.md)")
    return Path(folder)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One session for all tests, with the settings of the simulated cluster; it reads Kafka where it has the jars."""
    from benchmarks.spark import JARS

    if not JARS:
        pytest.skip("Delta's jars are not in .tools/jars: run `make up` once")
    from benchmarks.spark import SHORT, session

    # Fetched before the session starts, whichever test is its first; test_kafka.py says where it cannot be had.
    with suppress(UserError):
        jars.install(lambda _: None, jars.KAFKA_CONNECTOR)
    kafka = [] if jars.missing(jars.KAFKA_CONNECTOR) else jars.find(jars.KAFKA_CONNECTOR)
    made = session(tmp_path_factory.mktemp("spark"), memory="2g", options=SHORT, more_jars=kafka)
    yield made
    made.stop()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what takes long to start or to load stay in one worker: a stack that is up, Spark, SDKs.

    What remains goes to the workers file by file; xdist hands out the groups of most tests first.
    """
    for item in items:
        if "spark" in item.fixturenames:
            # Two sessions share the work about evenly.
            of_cloud_usage = "cloud" in item.module.__name__ or "serving" in item.module.__name__
            group = "spark for cloud-usage" if of_cloud_usage else "spark"
        elif "standing" in item.fixturenames:
            group = "standing"
        elif "record" in item.fixturenames:
            group = "programs"
        else:
            group = item.module.__name__
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """The collector of garbage looks at what is new, and seldom at what has stayed: that is SDKs, which stay."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
    gc.enable()
