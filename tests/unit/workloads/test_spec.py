"""The declaration of a workload: what it refuses, how it is found, and what it does not load."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workloads import spec
from workloads.spec import Job, Parameter, ServingColumn, ServingTable, SpecError, StoredTable, Task, Workload


def task(key, *depends_on):
    return Task(key=key, layer="bronze", depends_on=depends_on)


def workload(**fields):
    values = {
        "name": "w",
        "title": "W",
        "description": "",
        "input_path": "landing/w",
        "jobs": (Job(tasks=(task("a"),)),),
    }
    return Workload(**(values | fields))


def test_every_workload_is_found_by_its_folder():
    assert "ssh-logs" in [found.name for found in spec.discover()]
    assert spec.find("ssh-logs").folder == "ssh_logs"


def test_an_unknown_workload_is_answered_with_those_that_there_are():
    with pytest.raises(SpecError, match=r"unknown workload 'ssh_logs'; there are: .*ssh-logs"):
        spec.find("ssh_logs")


def test_two_workloads_share_no_name_of_a_stream():
    mine, other = (spec.EventStream(name=name, meaning="") for name in ("events", "others"))
    spec.check_streams([workload(name="a", streams=(mine,)), workload(name="b", streams=(other,))])
    with pytest.raises(SpecError, match="workloads 'a' and 'b' both name a stream 'events': rename one"):
        spec.check_streams([workload(name="a", streams=(mine,)), workload(name="b", streams=(other, mine))])


def test_declarations_load_neither_spark_nor_pulumi():
    code = (
        "import sys; from workloads import spec; spec.discover(); "
        "print([name for name in ('pyspark', 'pulumi', 'mlflow', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tasks_come_after_those_they_depend_on_else_by_key():
    job = Job(tasks=(task("d", "b", "c"), task("c", "a"), task("b", "a"), task("a")))
    assert [item.key for item in job.in_order()] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": (task("a", "b"), task("b", "a"))}, "depend on each other"),
        ({"tasks": (task("a", "x"),)}, "task 'a' depends on 'x', which is no task of job 'batch'"),
        ({"tasks": (task("a"), task("a"))}, "two tasks have the same key"),
        ({"tasks": (task("a"),), "schedule": "0 0 2 * * ?", "continuous": True}, "continuous and has a schedule"),
        ({"tasks": (task("a"), task("b", "a")), "continuous": True}, "continuous: its tasks cannot depend on each"),
        ({"tasks": ()}, "at least 1 item"),
        ({"tasks": (task("a"),), "cron": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_job_that_cannot_run_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        Job(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "SSH_logs"}, "String should match pattern"),
        ({"input_path": "gold/x"}, "String should match pattern"),
        ({"jobs": (Job(tasks=(task("a"),)), Job(tasks=(task("b"),)))}, "two jobs have the same name"),
        ({"jobs": (Job(tasks=(task("a"),)), Job(key="s", tasks=(task("a"),)))}, "two tasks have the same name"),
    ],
)
def test_a_workload_that_cannot_be_declared_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        workload(**fields)


def test_jobs_are_named_after_their_workload():
    assert workload(name="cloud-usage").job_name() == "cloud-usage"
    assert workload(name="cloud-usage").job_name("speed") == "cloud-usage-speed"
    with pytest.raises(SpecError, match="workload 'w' has no job 'speed'; it has batch"):
        workload().job("speed")


@pytest.mark.parametrize(
    ("type_", "default", "text", "value"),
    [
        ("integer", 0, "2024", 2024),
        ("number", 0.5, "1e-3", 0.001),
        ("boolean", False, "true", True),
        ("string", "", "a b", "a b"),
    ],
)
def test_parameters_get_their_type_back(type_, default, text, value):
    takes = workload(parameters=(Parameter(name="p", type=type_, default=default, meaning=""),))
    assert takes.parse_parameters({"p": text}) == {"p": value}
    assert takes.parse_parameters({}) == {"p": default}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"year": "two"}, "parameter 'year' takes an integer, not 'two'"),
        ({"year": ""}, "parameter 'year' takes an integer, not ''"),
        ({"share": "nan"}, "parameter 'share' takes a number, not 'nan'"),
        ({"yaer": "2024"}, "workload 'w' has no parameter 'yaer'; it takes share, year"),
    ],
)
def test_a_wrong_parameter_is_named(texts, message):
    year = Parameter(name="year", type="integer", default=0, meaning="")
    share = Parameter(name="share", type="number", default=0.5, meaning="")
    takes = workload(parameters=(year, share))
    with pytest.raises(SpecError, match=message):
        takes.parse_parameters(texts)


def test_a_default_of_another_type_is_refused():
    with pytest.raises(SpecError, match="parameter 'year' takes an integer, not 'x'"):
        Parameter(name="year", type="integer", default="x", meaning="")


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_what_a_parameter_writes_it_reads(value):
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[type(value)]
    parameter = Parameter(name="p", type=kind, default=value, meaning="")
    assert parameter.parse(parameter.text(value)) == value


def serving(name="usage", **fields):
    columns = tuple(
        ServingColumn(name=name, type=type_, meaning="")
        for name, type_ in (("org_id", "text"), ("date", "date"), ("cost", "decimal"))
    )
    return ServingTable(name=name, meaning="", columns=columns, partition_key=("org_id",), order=("date",), **fields)


def columns_of(stored: StoredTable) -> dict[str, str]:
    return {column.name: column.type for column in stored.columns}


def test_a_served_table_is_stored_with_the_version_of_its_rows():
    stored = serving().batch_schema()
    assert columns_of(stored) == {"org_id": "text", "date": "date", "cost": "decimal", "version": "bigint"}
    assert (stored.name, stored.partition_key, stored.clustering) == ("usage", ("org_id",), ("date",))
    assert stored.time_to_live_seconds is None


def test_its_twin_is_in_order_of_versions_and_its_rows_go():
    table = serving(speed="adds", speed_time_to_live_seconds=3600)
    twin = table.speed_schema()
    assert columns_of(twin) == columns_of(table.batch_schema())
    assert (twin.name, twin.partition_key, twin.clustering) == ("usage_speed", ("org_id",), ("version", "date"))
    assert twin.time_to_live_seconds == 3600
    assert serving().speed_schema() is None


def test_a_keyspace_has_all_tables_by_name_and_which_version_is_shown():
    both = workload(serving=(serving("usage", speed="replaces"), serving("bills")))
    assert [table.name for table in both.stored] == ["bills", "serving_versions", "usage", "usage_speed"]
    assert columns_of(both.stored[1]) == {"view": "text", "version": "bigint", "published_at": "timestamp"}
    assert both.stored[1].partition_key == ("view",)
    assert workload().stored == ()


@pytest.mark.parametrize("name", ["usage_speed", "serving_versions"])
def test_a_table_that_is_served_takes_no_name_of_those_beside_it(name):
    with pytest.raises(ValidationError, match="two tables to serve have the same name"):
        workload(serving=(serving("usage", speed="adds"), serving(name)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"partition_key": ("nobody",)}, "'nobody' is no column of it"),
        ({"shown_if": "nobody"}, "'nobody' is no column of it"),
        ({"columns": (ServingColumn(name="version", type="int", meaning=""),)}, "one is called 'version'"),
        ({"speed_time_to_live_seconds": 1}, "greater than or equal to 60"),
    ],
)
def test_a_table_that_cannot_be_served_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ServingTable(**(serving().model_dump() | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"table": "sales"}, "there is no table 'sales' to serve"),
        ({"equals": ("date",)}, "must ask along the key of 'usage': org_id, date"),
        ({"equals": ("org_id", "cost")}, "must ask along the key of 'usage': org_id, date"),
        ({"equals": ("org_id",), "at_least": "cost"}, "must ask along the key of 'usage': org_id, date"),
    ],
)
def test_a_question_that_the_keys_do_not_answer_is_refused(fields, message):
    question = {"name": "daily", "meaning": "", "table": "usage", "equals": ("org_id",), **fields}
    with pytest.raises(ValidationError, match=message):
        workload(serving=(serving(),), queries=(question,))


def test_what_a_workload_serves_and_reads_says_what_it_needs():
    stream = {"name": "events", "meaning": ""}
    assert workload().needs == frozenset()
    assert workload(serving=(serving(),)).needs == {"serving-store"}
    assert workload(streams=(stream,)).needs == {"event-stream"}
