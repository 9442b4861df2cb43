"""Which creates are killed."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.kill_up import spread


def test_points_are_spread_from_the_first_create_to_the_last() -> None:
    assert spread(138, 5) == [1, 35, 69, 104, 138]
    assert spread(3, 20) == [1, 2, 3]
    assert spread(9, 1) == [1]


@given(st.integers(1, 500), st.integers(2, 50))
def test_there_are_as_many_points_as_asked_for_with_even_gaps(creates: int, points: int) -> None:
    numbers = spread(creates, points)
    assert len(numbers) == min(creates, points)
    gaps = {after - before for before, after in itertools.pairwise(numbers)}
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert (numbers[0], numbers[-1]) == (1, creates)
