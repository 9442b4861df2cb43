"""`medallion generate`: each workload's generator has its own options, and a mistake is one line."""

import json
import sys

import pytest

from medallion import __main__ as command
from medallion.generate import parse, sample, sample_folder, write
from medallion.upload import collect
from toolchain.errors import UserError
from workloads import spec

CLOUD, SSH = spec.find("cloud-usage"), spec.find("ssh-logs")
CLOUD_DEFAULTS = {"events": 10_000, "seed": 7, "late_share": 0.02, "dup_share": 0.01, "bad_share": 0.01}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_each_workload_has_its_options_and_defaults():
    assert parse(SSH, []) == {"lines": 10_000, "seed": 7}
    assert parse(CLOUD, []) == CLOUD_DEFAULTS


def test_options_are_written_with_a_blank_or_a_sign():
    words = ["--events", "500", "--late-share=0.1", "--seed", "-3"]
    assert parse(CLOUD, words) == CLOUD_DEFAULTS | {"events": 500, "late_share": 0.1, "seed": -3}


@pytest.mark.parametrize(
    ("workload", "words", "message"),
    [
        (SSH, ["--events", "5"], "the generator of ssh-logs does not take '--events'; it takes --lines, --seed"),
        (CLOUD, ["--lines", "5"], "'--lines'; it takes --events, --seed, --late-share, --dup-share, --bad-share"),
        (CLOUD, ["12"], "does not take '12'"),
        (CLOUD, ["--events"], "--events wants a value: Lines of events"),
    ],
)
def test_what_a_generator_does_not_take_is_answered_with_what_it_takes(workload, words, message):
    with pytest.raises(UserError, match=message):
        parse(workload, words)


def test_a_value_of_another_type_is_refused():
    with pytest.raises(spec.SpecError, match="parameter 'late_share' takes a number, not 'few'"):
        parse(CLOUD, ["--late-share", "few"])


@pytest.mark.parametrize(
    ("workload", "values", "message"),
    [
        (SSH, {"lines": 0, "seed": 7}, "lines is at least 1, not 0"),
        (CLOUD, {"events": 0}, "events is at least 1, not 0"),
        (CLOUD, {"bad_share": 1.5}, "bad_share is from 0 to 1, not 1.5"),
        (CLOUD, {"bad_share": 0.6, "dup_share": 0.6}, "together they are at most 1"),
    ],
)
def test_a_value_that_cannot_be_is_refused(tmp_path, workload, values, message):
    with pytest.raises(UserError, match=message):
        write(workload, tmp_path / "out", values)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.*: Not a directory"):
        write(SSH, tmp_path / "file", {"lines": 1, "seed": 1})


def test_a_workload_without_a_generator_says_so():
    with pytest.raises(UserError, match="workload 'lakehouse' has no generator: give a PATH"):
        parse(SSH.model_copy(update={"name": "lakehouse"}), [])


def test_the_default_sample_is_what_a_folder_upload_takes(home):
    data = sample(CLOUD)
    assert data == sample_folder(CLOUD, CLOUD_DEFAULTS) / "data"
    assert data == home / "samples" / "cloud-usage-10000-7-0.02-0.01-0.01" / "data"
    names = [source.name for source in collect(data)]
    assert names[:2] == ["billing_monthly.csv", "customers_orgs.csv"]
    assert [name for name in names if "/" in name] == [
        f"usage_events_stream/events_part_{number:04}.jsonl" for number in range(28)
    ]


def test_the_command_writes_where_it_is_told(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["generate", "ssh-logs", "--lines", "5", "--output", str(out), "--json"]
    monkeypatch.setattr(sys, "argv", ["medallion", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert {name: said[name] for name in ("workload", "lines", "seed")} == {
        "workload": "ssh-logs",
        "lines": 5,
        "seed": 7,
    }
    assert said["files"][0] == str(out / "data" / "auth.log")
    assert len((out / "data" / "auth.log").read_bytes().splitlines()) == 5


def test_the_command_names_what_it_does_not_take(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["medallion", "generate", "ssh-logs", "--events", "5"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    assert "ssh-logs does not take '--events'; it takes --lines, --seed" in " ".join(capsys.readouterr().err.split())
