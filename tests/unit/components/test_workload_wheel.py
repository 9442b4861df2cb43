"""The wheel: the same sources, the same bytes; and Python finds in it what it should."""

import base64
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from components.workload_wheel import build


@pytest.fixture
def sources(project_root, tmp_path):
    """A copy of the workloads."""
    return shutil.copytree(project_root / "workloads", tmp_path / "copy" / "workloads")


def save(wheel, folder):
    path = folder / wheel.filename
    path.write_bytes(wheel.data)
    return path


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(project_root, sources):
    (sources / "__pycache__").mkdir(exist_ok=True)
    (sources / "__pycache__" / "spec.cpython-311.pyc").write_bytes(b"cache")
    os.utime(sources / "spec.py", (1, 1))
    assert build(sources, "0.1.0") == build(project_root / "workloads", "0.1.0")


def test_a_changed_source_gives_another_version(sources):
    before = build(sources, "0.1.0")
    (sources / "ssh_logs" / "README.txt").write_text("new", encoding="utf-8")
    after = build(sources, "0.1.0")
    assert re.fullmatch(r"medallion_workloads-0\.1\.0\+[0-9a-f]{12}-py3-none-any\.whl", after.filename)
    assert after.filename != before.filename


def test_every_file_is_recorded_with_its_hash(sources, tmp_path):
    path = save(build(sources, "0.1.0"), tmp_path)
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (record,) = [name for name in names if name.endswith("/RECORD")]
        rows = [line.rsplit(",", 2) for line in wheel.read(record).decode().splitlines()]
        assert [row[0] for row in rows] == names
        for name, digest, size in rows[:-1]:
            content = wheel.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={expected}", str(len(content)))
    assert {"workloads/spec.py", "workloads/ssh_logs/spec.py", "workloads/lakehouse/metrics.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_python_finds_package_version_and_entry_point(sources, tmp_path):
    wheel = build(sources, "0.1.0")
    with zipfile.ZipFile(save(wheel, tmp_path)) as archive:
        archive.extractall(tmp_path / "site")
    (found,) = importlib.metadata.distributions(path=[str(tmp_path / "site")])
    assert found.metadata["Name"] == "medallion_workloads"
    assert found.version == wheel.filename.split("-")[1]
    (entry,) = found.entry_points.select(group="console_scripts")
    assert (entry.name, entry.value) == ("task", "workloads.lakehouse.task:main")


def test_it_can_be_installed(sources, tmp_path):
    path = save(build(sources, "0.1.0"), tmp_path)
    target = tmp_path / "site"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-cache", "--no-deps"]
    subprocess.run([*install, "--target", target, path], check=True)
    assert (target / "workloads" / "spec.py").read_bytes() == (sources / "spec.py").read_bytes()


def test_upload_names_the_version_and_needs_no_file_of_this_machine(project_root, stacks):
    local = stacks["local"]
    wheel = build(project_root / "workloads", "0.1.0")
    file = local.inputs("wheel-file")
    assert file["path"] == f"/Volumes/medallion_local/models/files/wheels/{wheel.filename}"
    assert base64.b64decode(file["contentBase64"]) == wheel.data
    assert "source" not in file
    assert local.outputs["wheel"] == file["path"]
    assert local.inputs("job-ssh-logs")["tasks"][0]["libraries"][0] == {"whl": file["path"]}
