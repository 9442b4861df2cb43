"""Dashboards and alerts: over metrics of the catalogue, and in the form that Grafana and Prometheus take."""

import json
import re

import pytest

from dashboards import alerts, grafana, queries
from workloads.lakehouse.metrics import BY_NAME
from workloads.spec import Job, Task, Workload, discover


def workload(name, *layers, schedule=None):
    tasks = tuple(Task(key=f"{layer}_{n}", layer=layer) for n, layer in enumerate(layers))
    return Workload(
        name=name,
        title=name.title(),
        description="For the test.",
        input_path="landing/x",
        jobs=(Job(tasks=tasks, schedule=schedule),),
    )


@pytest.fixture(scope="module", params=["pipeline-processing-time", "model-quality"])
def any_board(request):
    return json.loads(grafana.files(discover())[f"{request.param}.json"])


@pytest.fixture(scope="module")
def board():
    return json.loads(grafana.files(discover())["pipeline-processing-time.json"])


def expressions(board):
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def test_a_dashboard_is_what_grafana_takes(any_board):
    assert any_board["uid"] == any_board["title"].lower().replace(" ", "-")
    assert any_board["schemaVersion"] == 41
    ids = [panel["id"] for panel in any_board["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    for panel in any_board["panels"]:
        refs = [target["refId"] for target in panel.get("targets", [])]
        assert len(refs) == len(set(refs))


def test_ssh_logs_has_a_row_with_the_four_durations_that_the_original_shows(board):
    titles = [(panel["type"], panel["title"]) for panel in board["panels"]]
    start = titles.index(("row", "SSH logs"))
    assert titles[start + 1 : start + 9] == [
        ("stat", "Whole run"),
        ("stat", "Since last success"),
        ("timeseries", "Bronze layer"),
        ("timeseries", "Silver layer"),
        ("timeseries", "Gold layer"),
        ("timeseries", "ML training"),
        ("timeseries", "Validation"),
        ("timeseries", "Upkeep of tables"),
    ]
    assert 'medallion_task_duration_seconds{layer="ml",workload="ssh-logs"}' in expressions(board)


def test_panels_do_not_overlap(any_board):
    taken = set()
    for panel in any_board["panels"]:
        position = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_every_query_is_over_the_catalogue(any_board):
    rules = alerts.rules(discover())["groups"][0]["rules"]
    for expression in (*expressions(any_board), *(rule["expr"] for rule in rules)):
        metrics = re.findall(r"medallion_\w+", expression)
        assert metrics
        assert set(metrics) <= set(BY_NAME)


def test_the_same_declarations_give_the_same_text_in_any_order():
    one, other = workload("one", "bronze"), workload("two", "gold")
    assert grafana.files([one, other]) == grafana.files([other, one])


def test_only_layers_that_a_workload_has_get_a_panel():
    board = json.loads(grafana.files([workload("one", "gold", "bronze")])["pipeline-processing-time.json"])
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "timeseries"] == [
        "Bronze layer",
        "Gold layer",
    ]


def test_every_figure_of_a_model_is_shown_where_a_workload_has_one():
    modelled = workload("with", "ml").model_copy(update={"models": ("m",)})
    board = json.loads(grafana.files([workload("without", "gold"), modelled])["model-quality.json"])
    shown = set(expressions(board))
    assert shown == {f'{name}{{workload="with"}}' for name, metric in BY_NAME.items() if metric.kind == "model"}
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "row"] == ["With"]
    (share,) = (panel for panel in board["panels"] if panel["title"] == "Share of rows flagged")
    assert share["fieldConfig"]["defaults"]["unit"] == "percentunit"


def test_models_drift_where_the_workload_says_so():
    from workloads.ssh_logs import drift

    assert alerts.DRIFT == drift.MUCH


def test_a_metric_of_tasks_is_no_figure_of_a_model():
    with pytest.raises(ValueError, match="is a metric of tasks, not of models or streams"):
        queries.figure("x", queries.DURATION)


def test_streams_are_watched_where_a_workload_has_one():
    streaming = workload("with", "gold")
    continuous = streaming.jobs[0].model_copy(update={"key": "stream", "continuous": True})
    streaming = streaming.model_copy(update={"jobs": (*streaming.jobs, continuous)})
    board = json.loads(grafana.files([workload("without", "gold"), streaming])["pipeline-processing-time.json"])
    shown = {one for one in expressions(board) if "medallion_stream" in one}
    assert shown == {f'{name}{{workload="with"}}' for name, metric in BY_NAME.items() if metric.kind == "stream"}
    (lag,) = (panel for panel in board["panels"] if panel["title"] == "Stream lag")
    assert lag["fieldConfig"]["defaults"]["unit"] == "s"


def test_a_label_that_a_metric_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"^medallion_task_duration_seconds has no label 'pod'; it has workload"):
        queries.select(queries.DURATION, pod="x")


def test_a_metric_without_labels_is_its_name():
    assert queries.select(queries.DURATION) == "medallion_task_duration_seconds"


def test_workloads_with_a_schedule_can_be_late():
    rules = alerts.rules([workload("daily", "bronze", schedule="0 0 2 * * ?"), workload("asked", "bronze")])
    by_alert = {rule["alert"]: rule for rule in rules["groups"][0]["rules"]}
    assert {name: rule["expr"] for name, rule in by_alert.items()} == {
        "TaskChecksFailed": "medallion_task_checks_failed > 0",
        "TaskWithoutRecords": "medallion_task_records_in == 0",
        "ModelDrifted": "medallion_model_drift_max > 0.25",
        "AlertBudgetExceeded": "medallion_model_days_over_budget > 0",
        "TaskLate": 'time() - medallion_task_success_timestamp_seconds{layer!="speed",workload="daily"} > 93600',
    }
    assert {rule["labels"]["severity"] for rule in by_alert.values()} == {"critical", "warning"}
    assert all("$labels.workload" in rule["annotations"]["summary"] for rule in by_alert.values())


def test_every_alert_leads_to_its_runbook(project_root):
    for group in alerts.rules(discover())["groups"]:
        for rule in group["rules"]:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            headings = [line.lower() for line in (project_root / page).read_text().splitlines()]
            assert f"## {anchor}" in headings
