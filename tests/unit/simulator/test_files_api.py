"""Files of volumes through the SDK: small and large, whole or not at all, and never outside their volume."""

from __future__ import annotations

import hashlib
import io
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

LANDING = "/Volumes/cat/landing/files"


@pytest.fixture
def landing(home) -> Path:
    """Where the volume's files lie."""
    return home.path / "lake" / "landing"


def read(client: WorkspaceClient, path: str) -> bytes:
    with client.files.download(path).contents as stream:
        return stream.read()


def test_a_file_goes_up_and_comes_down(client, landing):
    client.files.upload(f"{LANDING}/a b+ü.csv", io.BytesIO(b"1,2\n"))
    assert (landing / "a b+ü.csv").read_bytes() == b"1,2\n"
    assert read(client, f"{LANDING}/a b+ü.csv") == b"1,2\n"
    found = client.files.get_metadata(f"{LANDING}/a b+ü.csv")
    assert (found.content_length, found.content_type) == (4, "text/csv")
    assert found.last_modified.endswith(" GMT")


def test_an_empty_file(client, landing):
    client.files.upload(f"{LANDING}/empty", io.BytesIO(b""))
    assert (landing / "empty").read_bytes() == b""
    assert read(client, f"{LANDING}/empty") == b""


def test_a_stream_of_unknown_length(client, landing):
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out:
        out.write(b"x" * 1000)
    with os.fdopen(reading, "rb") as source:
        client.files.upload(f"{LANDING}/piped", source, use_parallel=False)
    assert (landing / "piped").read_bytes() == b"x" * 1000


def test_a_large_file_goes_up_in_parts_and_comes_down_in_ranges(home, landing, tmp_path, sdk):
    client = home.session()
    client.files._config.files_ext_multipart_upload_min_stream_size = 1 << 20
    client.files._config.files_ext_parallel_download_min_file_size = 1 << 20
    client.files._config.files_ext_parallel_download_default_part_size = 1 << 20
    content = hashlib.shake_256(b"seed").digest((3 << 20) + 5)
    client.files.upload(f"{LANDING}/large", io.BytesIO(content), part_size=1 << 20)
    assert (landing / "large").read_bytes() == content
    source = tmp_path / "source"
    source.write_bytes(content[::-1])
    client.files.upload_from(f"{LANDING}/other", str(source), part_size=1 << 20, use_parallel=False)
    assert (landing / "other").read_bytes() == content[::-1]
    client.files.download_to(f"{LANDING}/large", str(tmp_path / "down"), use_parallel=True)
    assert (tmp_path / "down").read_bytes() == content
    with pytest.raises(sdk.errors.AlreadyExists):
        client.files.upload(f"{LANDING}/large", io.BytesIO(content), overwrite=False, part_size=1 << 20)
    assert list((home.path / "uploads").iterdir()) == []


def test_a_file_that_is_there(client, sdk):
    client.files.upload(f"{LANDING}/a", io.BytesIO(b"1"))
    client.files.upload(f"{LANDING}/a", io.BytesIO(b"2"))
    assert read(client, f"{LANDING}/a") == b"2"
    with pytest.raises(sdk.errors.AlreadyExists, match=f"The file {LANDING}/a being created already exists"):
        client.files.upload(f"{LANDING}/a", io.BytesIO(b"3"), overwrite=False)
    assert read(client, f"{LANDING}/a") == b"2"


def test_what_is_not_there(client, sdk):
    with pytest.raises(sdk.errors.NotFound, match=f"The file {LANDING}/a being accessed is not found"):
        client.files.download(f"{LANDING}/a")
    with pytest.raises(sdk.errors.NotFound):
        client.files.get_metadata(f"{LANDING}/a")
    with pytest.raises(sdk.errors.NotFound, match=f"The file {LANDING}/a being accessed is not found"):
        client.files.delete(f"{LANDING}/a")
    with pytest.raises(sdk.errors.NotFound, match=f"The directory {LANDING}/d being accessed is not found"):
        list(client.files.list_directory_contents(f"{LANDING}/d"))
    with pytest.raises(sdk.errors.NotFound):
        client.files.get_directory_metadata(f"{LANDING}/d")
    with pytest.raises(sdk.errors.NotFound, match=f"The directory {LANDING}/d of the file being created is not found"):
        client.files.upload(f"{LANDING}/d/a", io.BytesIO(b"1"))
    with pytest.raises(sdk.errors.NotFound, match=r"Volume 'cat\.gold\.files' does not exist"):
        client.files.upload("/Volumes/cat/gold/files/a", io.BytesIO(b"1"))


@pytest.mark.parametrize(
    "path", [f"{LANDING}/../../../secret", f"{LANDING}/./a", f"{LANDING}//a", "/Volumes/cat/landing"]
)
def test_paths_that_are_none_are_refused(home, client, path):
    # requests would put such a path right before it sends it; a caller that means harm does not.
    address = urlsplit(client.config.host)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            f"GET /api/2.0/fs/files{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"INVALID_PARAMETER_VALUE" in answer


def test_an_encoded_way_out_and_a_link_out_are_refused(client, landing, tmp_path, sdk):
    (tmp_path / "secret").write_text("secret")
    (landing / "link").symlink_to(tmp_path)
    headers = {"Authorization": "Bearer t"}
    url = f"{client.config.host}/api/2.0/fs/files{LANDING}/%2e%2e/%2e%2e/secret"
    assert requests.get(url, headers=headers, timeout=10).status_code == 400
    with pytest.raises(sdk.errors.InvalidParameterValue, match="it leads out of the volume"):
        client.files.download(f"{LANDING}/link/secret")
    with pytest.raises(sdk.errors.InvalidParameterValue, match="it leads out of the volume"):
        client.files.upload(f"{LANDING}/link/new", io.BytesIO(b"1"))
    assert not (tmp_path / "new").exists()


def test_folders(client, landing, sdk):
    client.files.create_directory(f"{LANDING}/x/y")
    client.files.create_directory(f"{LANDING}/x/y")
    client.files.get_directory_metadata(f"{LANDING}/x/y")
    client.files.upload(f"{LANDING}/x/b.txt", io.BytesIO(b"22"))
    client.files.upload(f"{LANDING}/x/a.txt", io.BytesIO(b"1"))
    entries = list(client.files.list_directory_contents(f"{LANDING}/x"))
    assert [(e.name, e.is_directory, e.file_size) for e in entries] == [
        ("a.txt", False, 1),
        ("b.txt", False, 2),
        ("y", True, None),
    ]
    assert entries[0].path == f"{LANDING}/x/a.txt"
    assert [e.name for e in client.files.list_directory_contents(f"{LANDING}/x", page_size=1)] == [
        "a.txt",
        "b.txt",
        "y",
    ]
    with pytest.raises(sdk.errors.BadRequest, match=f"The directory {LANDING}/x is not empty"):
        client.files.delete_directory(f"{LANDING}/x")
    client.files.delete_directory(f"{LANDING}/x/y")
    client.files.delete(f"{LANDING}/x/a.txt")
    assert [path.name for path in (landing / "x").iterdir()] == ["b.txt"]
    with pytest.raises(sdk.errors.InvalidParameterValue, match="is a volume"):
        client.files.delete_directory(LANDING)
    with pytest.raises(sdk.errors.AlreadyExists):
        client.files.create_directory(f"{LANDING}/x/b.txt")
    with pytest.raises(sdk.errors.AlreadyExists, match="is a directory"):
        client.files.upload(f"{LANDING}/x", io.BytesIO(b"1"))


def test_an_upload_that_breaks_off_leaves_the_old_file(home, client, landing):
    client.files.upload(f"{LANDING}/a", io.BytesIO(b"old"))
    address = urlsplit(client.config.host)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"PUT /api/2.0/fs/files{LANDING}/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
        connection.sendall(f"{head}Content-Length: 10\r\n\r\nnew".encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            continue
    assert read(client, f"{LANDING}/a") == b"old"
    assert list((home.path / "uploads").iterdir()) == []


def test_a_part_that_never_came_is_no_file(client, landing):
    headers = {"Authorization": "Bearer t"}
    url = f"{client.config.host}/api/2.0/fs/files{LANDING}/a"
    token = requests.post(url, params={"action": "initiate-upload"}, headers=headers, timeout=10).json()
    query = {"action": "complete-upload", "session_token": token["multipart_upload"]["session_token"]}
    answer = requests.post(url, params=query, json={"parts": [{"part_number": 1}]}, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["message"]) == (400, f"Upload of {LANDING}/a: part 1 was not received.")
    assert not (landing / "a").exists()


def test_a_request_without_a_token_or_for_nothing_known(client):
    host = client.config.host
    answer = requests.get(f"{host}/api/2.2/jobs/list", timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    headers = {"Authorization": "Bearer t"}
    answer = requests.get(f"{host}/api/2.0/clusters/list", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert requests.get(f"{host}/storage/guess", timeout=10).status_code == 403
    answer = requests.post(f"{host}/api/2.2/jobs/run-now", data="{", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_REQUEST")
