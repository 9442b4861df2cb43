"""Raw files: nothing that a file holds is missed, wherever it is cut, packed or damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.lakehouse import raw_files, raw_source
from workloads.lakehouse.errors import TaskError

BLOCKS = st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"\r\n", b"a\nb", b"\n\n"]), max_size=12)


@given(BLOCKS)
def test_blocks_of_whole_lines_are_the_same_bytes(blocks: list[bytes]) -> None:
    found = list(raw_files.whole_lines(blocks, size=9))

    assert b"".join(found) == b"".join(blocks)
    assert all(block.endswith(b"\n") for block in found[:-1])


@given(BLOCKS)
def test_ranges_cover_a_plain_file_in_whole_lines(blocks: list[bytes]) -> None:
    content = b"".join(blocks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_files, "RANGE_BYTES", 7)
        sha256, size, lines, damage, ranges = raw_files._survey_plain(io.BytesIO(content))

    assert (sha256, size, damage) == (hashlib.sha256(content).hexdigest(), len(content), None)
    assert b"".join(content[part.start : part.end] for part in ranges) == content
    assert [part.line for part in ranges] == [content[: part.start].count(b"\n") + 1 for part in ranges]
    assert all(content[: part.start].endswith(b"\n") for part in ranges[1:])
    assert lines == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(0, 9))
def test_members_and_padding_of_a_gzip_file_are_read(members: list[bytes], padding: int) -> None:
    stored = b"".join(map(gzip.compress, members)) + b"\0" * padding
    assert b"".join(raw_files.gunzip(io.BytesIO(stored))) == b"".join(members)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda stored: stored[:-9], "ends early"),
        (lambda stored: stored + b"garbage", "incorrect header check"),
        (lambda stored: stored[:-6] + bytes([stored[-6] ^ 1]) + stored[-5:], "incorrect data check"),
    ],
)
def test_what_a_damaged_gzip_file_still_holds_is_read(damage, reason: str) -> None:
    content = b"".join(b"line %d\n" % number for number in range(5_000))
    blocks = []
    with pytest.raises(raw_files.DamagedGzipError, match=reason):
        for block in raw_files.gunzip(io.BytesIO(damage(gzip.compress(content, mtime=0)))):
            blocks.append(block)

    found = b"".join(blocks)
    assert content.startswith(found)
    assert len(found) > 0.99 * len(content)


def test_a_survey_names_files_by_their_place_and_tells_gzip_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.log").write_bytes(gzip.compress(b"one\ntwo"))
    (tmp_path / "a.gz").write_bytes(b"not packed\n")
    (tmp_path / "empty").touch()

    found = raw_files.survey(tmp_path)

    assert [(file.name, file.lines, file.compressed, file.damage) for file in found] == [
        ("a.gz", 1, False, None),
        ("empty", 0, False, None),
        ("sub/b.log", 2, True, None),
    ]


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_folder_without_files_is_one_clear_error(tmp_path: Path, folder: str) -> None:
    with pytest.raises(TaskError, match=f"there are no files in {tmp_path}.*upload some first"):
        raw_files.survey(tmp_path / folder)


LINE = st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")) | st.sampled_from([b"a", b"caf\xc3\xa9"])


@given(st.lists(LINE, min_size=4), st.integers(0, 3))
def test_lines_that_are_no_text_keep_their_bytes(lines: list[bytes], first: int) -> None:
    found, starts = raw_source._lines(b"".join(line + b"\n" for line in lines))
    rows = raw_source._batch("a.log", found[first:], starts[first:], first + 1).to_pylist()
    texts = [line.decode("utf-8", "backslashreplace") for line in lines[first:]]
    assert [row["text"] for row in rows] == texts
    damaged = [line if text.encode() != line else None for line, text in zip(lines[first:], texts, strict=True)]
    assert [row["raw"] for row in rows] == damaged
    assert [row["damaged_text"] for row in rows] == [raw is not None for raw in damaged]


@given(st.lists(st.sampled_from([b"", b"a", b"bcd", b"caf\xe9"]), min_size=1, max_size=12), st.integers(0, 20))
def test_the_lines_before_each_range_are_those_that_end_there(lines: list[bytes], reach: int) -> None:
    content = b"\n".join(lines)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_files, "RANGE_BYTES", 7)
        patch.setattr(raw_source, "LOOK_BACK_BYTES", reach)
        Path(folder, "a.log").write_bytes(content)
        pieces = [piece for file in raw_files.survey(Path(folder)) for piece, _ in raw_source._pieces(file)]
        found = [[row for batch in raw_source._before(piece) for row in batch.to_pylist()] for piece in pieces]

    for piece, rows in zip(pieces, found, strict=True):
        end = piece["start"]
        ends = [place for place in range(end) if content[place : place + 1] == b"\n"]
        starts = [0, *(place + 1 for place in ends)][: len(ends)]
        whole = [place for place in starts if place > end - reach or end <= reach]
        assert [row["position"] for row in rows] == whole
        assert [row["line"] for row in rows] == [content[:place].count(b"\n") + 1 for place in whole]
        assert [row["text"] for row in rows] == [
            content[place : content.index(b"\n", place)].decode("utf-8", "backslashreplace") for place in whole
        ]


def test_nothing_is_before_a_gzip_file(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\n"))
    (piece,) = [piece for file in raw_files.survey(tmp_path) for piece, _ in raw_source._pieces(file)]

    assert list(raw_source._before(piece)) == []
