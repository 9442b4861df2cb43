"""The rules of the house: each is kept at its limit and broken one beyond."""

from pathlib import Path, PurePosixPath

import pytest

from toolchain import house_rules


def lines(number: int) -> str:
    return "pass\n" * number


def reasons(path: str, text: str) -> list[str]:
    return [str(violation) for violation in house_rules.check([], {PurePosixPath(path): text})]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("workloads/spec.py", 500),
        ("tests/unit/test_a.py", 500),
        ("components/data_lake.py", 250),
        ("components/kubernetes/grafana.py", 250),
        ("stacks/program.py", 100),
        ("stacks/settings.py", 500),
    ],
)
def test_budgets(path: str, most: int) -> None:
    assert reasons(path, lines(most)) == []
    assert reasons(path, lines(most + 1)) == [
        f"{path}:{most + 1}: {most + 1} lines, of {most} at most: split it by what it is about"
    ]


def test_the_generic_part_of_the_simulator_has_one_budget() -> None:
    names = ("kinds.py", "properties.py", "provider.py", "state.py")
    texts = {PurePosixPath("simulator", name): "pass\n" * 150 for name in names}
    assert house_rules.check([], texts) == []
    texts[PurePosixPath("simulator/state.py")] += "pass\n"
    assert [str(violation) for violation in house_rules.check([], texts)] == [
        "simulator/kinds.py:1: kinds.py, properties.py, provider.py, state.py have 601 lines of code together, "
        "of 600 at most"
    ]


def test_lines_of_code_are_those_that_say_something_to_python() -> None:
    text = '"""What\nit is for."""\n\n# why\ndef f(\n    a,\n):\n    """One."""\n\n    return "x"  # why\n'
    assert house_rules.lines_of_code(text) == 4
    assert house_rules.lines_of_code('x = """\n\n"""\n') == 3


@pytest.mark.parametrize(
    "statement",
    [
        "frame.write.parquet(path)",
        "frame.writeTo(table)",
        "frame.writeStream.start()",
        "spark._jvm.java",
        "frame.rdd.map(f)",
        "spark.sparkContext",
    ],
)
def test_workloads_stay_within_what_every_cluster_offers(statement: str) -> None:
    name = statement.partition(".")[2].partition(".")[0].partition("(")[0]
    text = f"def task(spark, frame):\n    {statement}\n"
    assert reasons("workloads/ssh_logs/gold.py", text) == [
        f"workloads/ssh_logs/gold.py:2: .{name}: only lake.py, tables.py, exports.py, streams.py of "
        "workloads/lakehouse may; "
        "read and write through them"
    ]
    assert reasons("workloads/lakehouse/tables.py", text) == []
    assert reasons("simulator/cluster.py", text) == []
    assert reasons("workloads/other/tables.py", text) != []


def test_files_and_words_are_no_spark() -> None:
    assert reasons("workloads/ssh_logs/gold.py", 'file.write("frame.write.parquet")  # not .rdd\n') == []


def test_a_call_over_several_lines_is_told_where_the_word_stands() -> None:
    text = "(\n    frame.select('a')\n    .write.parquet(path)\n)\n"
    assert [violation.line for violation in house_rules.check([], {PurePosixPath("workloads/a/b.py"): text})] == [3]


def test_a_new_top_level_folder_needs_a_decision() -> None:
    kept = ["workloads", ".github", ".venv", "medallion.egg-info"]
    assert house_rules.check(kept, {}) == []
    assert [str(violation) for violation in house_rules.check([*kept, "utils"], {})] == [
        "utils:1: a new top-level folder needs an ADR and a line in house_rules.py"
    ]


def test_the_command_lists_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "components" / "kubernetes").mkdir(parents=True)
    assert house_rules.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "rules of the house: kept\n"
    (tmp_path / "components" / "kubernetes" / "big.py").write_text(lines(251), encoding="utf-8")
    (tmp_path / "utils").mkdir()
    assert house_rules.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "components/kubernetes/big.py:251: 251 lines, of 250 at most: split it by what it is about",
        "utils:1: a new top-level folder needs an ADR and a line in house_rules.py",
        "rules of the house: 2 broken",
    ]
