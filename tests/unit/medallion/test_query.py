"""What a query takes on the command line, and how its rows are shown."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from rich.console import Console
from typer.testing import CliRunner

from medallion import query, services
from medallion.__main__ import app
from toolchain.errors import UserError
from workloads import spec
from workloads.lakehouse import serving
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.serving_store import KEY, UNAVAILABLE, URL, Store

USAGE = spec.find("cloud-usage")
DAILY = query.find(USAGE, "org-daily")


def values(name: str, *arguments: str) -> dict:
    question = query.find(USAGE, name)
    return query.read(question, query.asked(USAGE, question), arguments)


def test_options_are_the_columns_of_the_query_and_have_their_types():
    assert values("org-daily", "--org", "o-1", "--date", "2025-06-01") == {"org_id": "o-1", "date": date(2025, 6, 1)}
    assert values("revenue", "--year=2025", "--month=6", "--org=a=b") == {"org_id": "a=b", "year": 2025, "month": 6}
    assert values("hourly", "--org", "o", "--window-start", "2025-06-01T02:00+02:00") == {
        "org_id": "o",
        "window_start": datetime(2025, 6, 1, tzinfo=UTC),
    }
    assert values("hourly", "--org", "o", "--window-start", "2025-06-01")["window_start"].tzinfo is UTC


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--org", "o"], "query 'org-daily' needs --date: it takes --org a text, --date a day (YYYY-MM-DD)"),
        (["--org", "o", "--day", "1"], "query 'org-daily' does not take '--day': it takes --org a text"),
        (["--org", "o", "stray", "--date", "2025-06-01"], "does not take 'stray'"),
        (["--org", "o", "--org", "p"], "--org is given twice"),
        (["--org", "o", "--date"], "--date needs a value"),
        (["--org", "o", "--date", "1 June"], "--date takes a day (YYYY-MM-DD), not '1 June'"),
    ],
)
def test_what_does_not_fit_the_query_is_named(arguments, said):
    with pytest.raises(UserError) as error:
        values("org-daily", *arguments)
    assert said in str(error.value)


def test_an_unknown_query_lists_those_that_there_are():
    with pytest.raises(
        UserError, match="workload 'cloud-usage' has no query 'daily'; it has org-daily, revenue, anomali"
    ):
        query.find(USAGE, "daily")
    with pytest.raises(UserError, match="workload 'ssh-logs' has no query 'daily'; it has none"):
        query.find(spec.find("ssh-logs"), "daily")


@pytest.mark.parametrize("kind", sorted(query.READ))
def test_every_type_of_a_column_can_be_asked_for(kind):
    assert kind in query.FORMS
    texts = {"boolean": "true", "date": "2025-06-01", "text": "x", "timestamp": "2025-06-01T00:00"}
    assert query.READ[kind](texts.get(kind, "1")) is not None


def test_every_declared_query_has_options_of_different_names():
    for question in USAGE.queries:
        options = [one.option for one in query.asked(USAGE, question)]
        assert len(set(options)) == len(options)
        assert not {"--stack", "--cloud", "--json", "--help"} & set(options)


ROWS = [
    {"org_id": "[o]", "events": 1200, "cost_usd": Decimal("1234.50000000"), "carbon_kg": None},
    {"org_id": "p", "events": 1, "cost_usd": Decimal("0E-8"), "carbon_kg": Decimal("100")},
]


def test_rows_are_a_table_for_people():
    console = Console(file=io.StringIO(), width=120)
    query.show(DAILY, ROWS, console)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["[o]", "1,200", "1,234.5", "–"] in lines
    assert ["p", "1", "0", "100"] in lines
    query.show(DAILY, [], console)
    assert "What a customer used on a day, by service: nothing" in console.file.getvalue()


@pytest.fixture
def answered(monkeypatch) -> list:
    """What the serving store was asked, which answers with rows; it is named by the environment."""
    monkeypatch.setenv(URL, "cassandra://u@h:1/k")
    monkeypatch.setenv(KEY, "secret")
    asked: list = []

    def answer(store, workload, question, given):
        asked.append((store, question.name, given))
        return ROWS

    monkeypatch.setattr(serving, "query", answer)
    return asked


def test_rows_are_exact_as_json(answered):
    line = ["query", "cloud-usage", "org-daily", "--org", "o", "--date", "2025-06-01", "--json"]
    done = CliRunner().invoke(app, line)
    assert json.loads(done.stdout)["rows"][0] == {
        "org_id": "[o]",
        "events": 1200,
        "cost_usd": "1234.50000000",
        "carbon_kg": None,
    }
    (asked,) = answered
    assert asked == (
        Store("k", "h", 1, "u", key="secret"),
        "org-daily",
        {"org_id": "o", "date": date(2025, 6, 1)},
    )


def test_without_a_query_those_that_there_are_are_shown():
    done = CliRunner().invoke(app, ["query", "cloud-usage"])
    assert done.exit_code == 0
    assert "org-daily  --org --date" in " ".join(done.stdout.split("\n")).replace("   ", "  ")


def test_the_account_of_cosmos_db_is_its_user():
    assert query.address("acct.cassandra.cosmos.azure.com:10350", USAGE) == (
        "cassandra://acct@acct.cassandra.cosmos.azure.com:10350/cloud_usage?tls=true"
    )
    with pytest.raises(UserError, match="the stack has no serving store: set MEDALLION_SERVING_STORE"):
        query.address(None, USAGE)


def test_where_no_cassandra_can_be_had_a_run_is_told_why(monkeypatch, capsys):
    monkeypatch.delenv(URL, raising=False)

    @contextmanager
    def none(home, progress):
        raise UserError("no [Java] 17")
        yield

    monkeypatch.setattr(services.cassandra, "running", none)
    with services.stand_ins(USAGE) as variables:
        assert variables == {UNAVAILABLE: "no [Java] 17"}
    assert "nothing will be served: no [Java] 17" in capsys.readouterr().err


def test_only_what_a_workload_needs_is_started(monkeypatch):
    def fail(home, progress):
        raise AssertionError("started")

    monkeypatch.setattr(services.cassandra, "running", fail)
    with services.stand_ins(spec.find("ssh-logs")) as variables:
        assert variables == {}
    monkeypatch.setenv(URL, "astra:///b.zip?keyspace=k")
    with services.stand_ins(USAGE) as variables:
        assert variables == {}
    jobs = {job.key: job for job in USAGE.jobs}
    tasks = {task.key: task for job in USAGE.jobs for task in job.tasks}
    assert services.uses_the_store(jobs["batch"].tasks)
    assert services.uses_the_store(jobs["stream"].tasks)
    assert not services.uses_the_store([tasks["bronze"], tasks["gold"]])


def test_the_stores_error_is_one_line(monkeypatch, answered):
    def refuse(*_):
        raise TaskError("it was not published yet")

    monkeypatch.setattr(serving, "query", refuse)
    done = CliRunner().invoke(app, ["query", "cloud-usage", "genai", "--org", "o", "--date", "2025-06-01"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "it was not published yet"
