"""What is done side by side."""

from __future__ import annotations

import threading

import pytest

from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.threads import AT_ONCE, side_by_side

GROUP = "spark.jobGroup.id"


def test_answers_come_in_the_order_of_the_questions_though_several_are_asked_at_once() -> None:
    together = threading.Barrier(AT_ONCE)

    def ask(number: int) -> int:
        together.wait(timeout=60)  # broken, unless so many wait here at once
        return -number

    assert side_by_side(None, ask, range(2 * AT_ONCE)) == [-number for number in range(2 * AT_ONCE)]


def test_an_error_is_raised_once_all_have_come_to_their_end() -> None:
    failed, ended = threading.Event(), []

    def ask(text: str) -> None:
        if text == "bad":
            failed.set()
            raise TaskError("this one is bad")
        assert failed.wait(timeout=60)
        ended.append(text)

    with pytest.raises(TaskError, match="this one is bad"):
        side_by_side(None, ask, ["good", "bad"])
    assert ended == ["good"]


@pytest.mark.spark
def test_what_is_asked_of_spark_is_cancelled_with_the_task(spark) -> None:
    context = spark.sparkContext
    context.setLocalProperty(GROUP, "task 7")
    try:
        assert side_by_side(spark, lambda _: context.getLocalProperty(GROUP), range(2)) == ["task 7", "task 7"]
    finally:
        context.setLocalProperty(GROUP, None)
