"""What `medallion model` lists, and what `medallion feedback` writes."""

import io
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console

from medallion import feedback, model
from toolchain.errors import UserError
from workloads.ssh_logs import feedback as reader

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def test_feedback_is_written_as_the_workload_reads_it() -> None:
    text = feedback._line(reader.COLUMNS, "attack", "192.0.2.1", "2026-03-02T10:07:00Z", 'said "no", twice')
    content = feedback.as_csv(reader.COLUMNS, reader.parse(text, "here"), NOW)
    (said,) = reader.parse(content.decode(), "file")
    assert said == reader.Said("192.0.2.1", datetime(2026, 3, 2, 10, 0, tzinfo=UTC), "attack", 'said "no", twice', NOW)


def test_a_line_that_states_its_time_keeps_it() -> None:
    text = "address,window_start,verdict,reason,given_at\n10.0.0.0/8,,allow,ours,2026-01-01\n"
    content = feedback.as_csv(reader.COLUMNS, reader.parse(text, "here"), NOW).decode()
    assert content.splitlines()[1] == "10.0.0.0/8,,allow,ours,2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "say a VERDICT and an ADDRESS, or --file"),
        ({"verdict": "attack"}, "say a VERDICT and an ADDRESS, or --file"),
        ({"verdict": "maybe", "address": "192.0.2.1"}, "a verdict is attack, benign"),
    ],
)
def test_feedback_refuses_what_it_cannot_use(arguments, problem) -> None:
    given = {"verdict": None, "address": None, "window": None, "reason": "", "file": None}
    with pytest.raises(UserError, match=problem):
        feedback.feedback("ssh-logs", **(given | arguments))


def test_a_rollback_takes_a_reason() -> None:
    for rollback, reason in ((True, None), (True, " "), (False, "why")):
        with pytest.raises(UserError, match="--rollback and --reason go together"):
            model.model("ssh-logs", rollback=rollback, reason=reason)


class Registry:
    """Two versions, of which the older is champion."""

    def search_model_versions(self, query):
        return [SimpleNamespace(version=str(number)) for number in (1, 2)]

    def get_model_version(self, name, version):
        tags = {"holdout_average_precision": "0.75", "reason": "the first version"} if version == "1" else {}
        return SimpleNamespace(version=version, tags=tags, run_id=version, creation_timestamp=0)

    def get_model_version_by_alias(self, name, alias):
        return SimpleNamespace(version="1")

    def get_run(self, run_id):
        return SimpleNamespace(data=SimpleNamespace(metrics={"rule_precision": 0.5, "rule_recall": 1.0, "other": 2.0}))


@pytest.mark.usefixtures("mlflow")
def test_versions_are_listed_with_figures_and_reasons() -> None:
    new, old = model.listing(Registry(), "m")
    assert (new["version"], new["alias"], new["average_precision"]) == (2, "", None)
    assert old == {
        "version": 1,
        "alias": "champion",
        "created": "1970-01-01T00:00:00+00:00",
        "average_precision": 0.75,
        "figures": {"rule_precision": 0.5, "rule_recall": 1.0},
        "decision": "",
        "reason": "the first version",
        "rolled_back": None,
    }
    stream = io.StringIO()
    model.show(Console(file=stream, width=140), "m", [new, old])
    assert "0.750" in stream.getvalue() and "the first version" in stream.getvalue()
