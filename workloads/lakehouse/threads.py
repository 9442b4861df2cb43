"""What need not wait for one another is done side by side: most of a small query's time is planning, on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 4

Asked, Answer = TypeVar("Asked"), TypeVar("Answer")


def side_by_side(spark: SparkSession | None, ask: Callable[[Asked], Answer], asked: Iterable[Asked]) -> list[Answer]:
    """The answers to questions (or steps, which answer nothing), in order, several asked at once.

    What they ask of `spark` is of the job group of this thread, so that it is cancelled with it. All are waited for;
    then the first error, if any, is raised.
    """
    if spark is not None:
        from pyspark import inheritable_thread_target

        ask = inheritable_thread_target(spark)(ask)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, asked))
