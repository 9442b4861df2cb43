"""The program of Arrow's kernels that Spark is measured beside."""

import pyarrow as pa

DAY = 86_400


def test_windows_of_many_addresses_over_a_month_are_told_apart(pd) -> None:
    from benchmarks import ssh_arrow

    names = [f"10.0.{number // 256}.{number % 256}" for number in range(3_000)]
    address, told = ssh_arrow._codes(pa.array(names * 2))
    counts = dict.fromkeys(("events", "attempts", "failures", "successes"), 1)
    times = [day * DAY * 1_000_000 for day in (0, 30) for _ in names]
    events = pd.DataFrame(
        {"time": times, "address": address, "user": 0, "host": 0, "is_try": True, "invalid": False} | counts
    )
    found = ssh_arrow.windows(events, told)
    assert sorted(found["source_address"]) == sorted(names * 2)
    assert set(found["events"]) == {1.0}
    assert set(found["window_start"].dt.day) == {1, 31}
