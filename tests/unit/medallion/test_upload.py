"""What `medallion upload` reads, refuses, uploads and removes."""

import io
from types import SimpleNamespace

import pytest

from medallion.upload import SPACE_AT_LEAST, Source, collect, require_space, transfer
from toolchain.errors import UserError

TARGET = "/Volumes/medallion_local/bronze/files/raw_logs"


class Files:
    """The Files API over a dictionary of contents by path; `calls` are those that change something."""

    def __init__(self, contents, not_found):
        self.contents, self.calls, self.folders, self.not_found = dict(contents), [], set(), not_found

    def list_directory_contents(self, folder):
        below = {
            path.removeprefix(f"{folder}/"): data for path, data in self.contents.items() if path.startswith(folder)
        }
        if not below:
            raise self.not_found("no such directory")
        seen = set()
        for path, data in below.items():
            name, _, rest = path.partition("/")
            if name not in seen:
                seen.add(name)
                yield SimpleNamespace(name=name, is_directory=bool(rest), file_size=None if rest else len(data))

    def download(self, path):
        return SimpleNamespace(contents=io.BytesIO(self.contents[path]))

    def create_directory(self, folder):
        self.folders.add(folder)

    def upload(self, path, stream, overwrite):
        if path.rpartition("/")[0] not in self.folders:
            raise self.not_found(f"the directory of {path} is not found")
        self.calls.append(("upload", path))
        self.contents[path] = stream.read()

    def delete(self, path):
        self.calls.append(("delete", path))
        del self.contents[path]


def sources(folder, **contents):
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return collect(folder)


@pytest.fixture
def client(sdk):
    """Makes a client of a workspace whose folder holds these files."""

    def make(**contents):
        named = {f"{TARGET}/{name}": data for name, data in contents.items()}
        return SimpleNamespace(files=Files(named, sdk.errors.NotFound))

    return make


def test_a_folder_is_read_with_its_subfolders_and_without_hidden_files(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/two words.log", "a.log", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    assert [(source.name, source.size) for source in collect(tmp_path)] == [("a.log", 1), ("b/two words.log", 1)]


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"missing\.log: no such file or folder"):
        collect(tmp_path / "missing.log")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: the folder holds no files"):
        collect(tmp_path / "empty")
    (tmp_path / "secret.log").write_bytes(b"x")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"secret\.log: no right to read it"):
        collect(tmp_path / "secret.log")


def test_a_full_disk_is_said_before_anything_is_uploaded(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=SPACE_AT_LEAST - 1))
    with pytest.raises(UserError, match=r"1\.1 GB free, the run needs about 1.1 GB"):
        require_space(10)


def test_equal_files_are_left_alone_and_new_ones_added(tmp_path, client):
    target = client(**{"a.log": b"one"})
    result = transfer(target, sources(tmp_path, **{"a.log": b"one", "b.log": b"two"}), TARGET, replace=False)
    assert result == {"uploaded": ["b.log"], "unchanged": ["a.log"], "removed": []}
    assert target.files.calls == [("upload", f"{TARGET}/b.log")]


def test_another_content_under_the_same_name_is_refused_before_anything_changes(tmp_path, client):
    target = client(**{"b.log": b"old"})
    with pytest.raises(UserError, match=r"raw_logs/b\.log is there with other content"):
        transfer(target, sources(tmp_path, **{"a.log": b"one", "b.log": b"new"}), TARGET, replace=False)
    assert target.files.calls == []


def test_replacing_removes_what_is_not_uploaded_now_after_the_new_files_are_there(tmp_path, client):
    target = client(**{"old.log": b"old", "sub/older.log": b"older", "b.log": b"bad"})
    result = transfer(target, sources(tmp_path, **{"b.log": b"new"}), TARGET, replace=True)
    assert result == {"uploaded": ["b.log"], "unchanged": [], "removed": ["old.log", "sub/older.log"]}
    assert [call for call, _ in target.files.calls] == ["upload", "delete", "delete"]
    assert target.files.contents == {f"{TARGET}/b.log": b"new"}


def test_a_folder_keeps_its_structure_and_replaces_another_of_other_structure(tmp_path, client):
    target = client(**{"events/a.jsonl": b"old", "events/z.jsonl": b"older", "users.csv": b"u"})
    (tmp_path / "events").mkdir()
    for name, data in {"events/a.jsonl": b"new", "events/b.jsonl": b"b", "users.csv": b"u"}.items():
        (tmp_path / name).write_bytes(data)
    result = transfer(target, collect(tmp_path), TARGET, replace=True)
    assert result == {
        "uploaded": ["events/a.jsonl", "events/b.jsonl"],
        "unchanged": ["users.csv"],
        "removed": ["events/z.jsonl"],
    }
    assert target.files.folders == {f"{TARGET}/events"}
    assert {path.removeprefix(f"{TARGET}/"): data for path, data in target.files.contents.items()} == {
        "events/a.jsonl": b"new",
        "events/b.jsonl": b"b",
        "users.csv": b"u",
    }


def test_the_first_upload_finds_no_folder(tmp_path, client):
    source = Source(tmp_path / "a.log", "a.log", 3)
    source.path.write_bytes(b"one")
    assert transfer(client(), [source], TARGET, replace=True)["uploaded"] == ["a.log"]
