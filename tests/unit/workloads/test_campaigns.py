"""Campaigns out of tries written by hand: each kind is recognised, legitimate use is not, reports say the same."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

pytestmark = pytest.mark.spark

START = datetime(2026, 3, 2, 8, 0, 20)
COLUMNS = (
    "event_time TIMESTAMP, host STRING, is_sshd BOOLEAN, user STRING, user_valid BOOLEAN, source_address STRING, "
    "outcome STRING, method STRING, event_template STRING, repeat_count INT"
)


def event(seconds: float, address: str, user: str | None = None, **said) -> tuple:
    """A failed password, unless told otherwise."""
    usual = {"host": "web-1", "valid": True, "outcome": "failure", "method": "password", "template": "", "times": 1}
    row = usual | said
    moment = START + timedelta(seconds=seconds)
    identity = (moment, row["host"], True, user, row["valid"], address)
    return (*identity, row["outcome"], row["method"], row["template"], row["times"])


def scan(seconds: float, address: str, template: str) -> tuple:
    return event(seconds, address, valid=None, outcome=None, method=None, template=template)


def found(spark, events: list[tuple]) -> list[dict]:
    """The campaigns, earliest first, by their simple columns."""
    from workloads.ssh_logs.campaigns import campaigns
    from workloads.ssh_logs.reports import activity

    frame = campaigns(activity(spark.createDataFrame(events, COLUMNS)))
    return [row.asDict() for row in frame.orderBy("start", "campaign_id").collect()]


def kinds(spark, events: list[tuple]) -> list[tuple[str, list[str]]]:
    return [(row["kind"], row["addresses"]) for row in found(spark, events)]


FAST = [event(3 * n, "198.51.100.1", "root", times=2 if n == 4 else 1) for n in range(20)]
SLOW = [event(3_600 * n + 997 * (n % 3), "198.51.100.2", "root") for n in range(8)]
ENUMERATION = [event(30 * n, "198.51.100.3", f"nobody{n}", valid=False) for n in range(8)]
SPRAYING = [event(60 * n, "198.51.100.4", f"staff{n % 6}") for n in range(12)]
STUFFING = [
    *(event(20 * n, "198.51.100.5", f"customer{n}") for n in range(9)),
    event(200, "198.51.100.5", "customer9", outcome="success"),
]
SCANNING = [scan(0, "198.51.100.6", "Did not receive identification string from <*> port <*>")]
BY_KIND = {
    "fast-brute-force": FAST,
    "slow-brute-force": SLOW,
    "enumeration": ENUMERATION,
    "spraying": SPRAYING,
    "stuffing": STUFFING,
    "scanning": SCANNING,
}


def test_each_kind_is_recognised_beside_all_others(spark) -> None:
    together = [one for events in BY_KIND.values() for one in events]

    assert sorted(kinds(spark, together)) == sorted((kind, [events[0][5]]) for kind, events in BY_KIND.items())


def test_a_campaign_says_what_happened(spark) -> None:
    (stuffing,) = found(spark, STUFFING)
    (fast,) = found(spark, FAST)

    assert (stuffing["start"], stuffing["end"]) == (START, START + timedelta(seconds=160))
    wanted = {"tries": 10, "failures": 9, "successes": 1, "users": 9, "unknown_users": 0, "contacts": 0}
    assert {name: stuffing[name] for name in wanted} == wanted
    assert stuffing["hosts"] == ["web-1"]
    assert (fast["tries"], fast["failures"], fast["users"]) == (21, 21, 1)


def test_a_long_pause_ends_a_campaign_and_a_short_one_does_not(spark) -> None:
    def twice(hours: float) -> list[tuple]:
        return FAST + [event(57 + 3_600 * hours + 3 * n, "198.51.100.1", "root") for n in range(20)]

    assert [row["tries"] for row in found(spark, twice(5.9))] == [41]
    assert [row["tries"] for row in found(spark, twice(6.1))] == [21, 20]


def test_who_asks_for_strangers_and_leaves_is_enumerating(spark) -> None:
    asked = [event(5 * n, "198.51.100.3", f"no{n}", valid=False, outcome=None, method=None) for n in range(6)]
    (campaign,) = found(spark, asked)

    assert (campaign["kind"], campaign["tries"], campaign["users"]) == ("enumeration", 0, 6)


def test_several_addresses_that_each_try_little_are_one_campaign(spark) -> None:
    spread = [
        event(600 * n + 60 * m, f"198.51.100.{10 + m}", f"staff{n}") for n in range(4) for m in range(4) if m != n
    ]
    one_account = [event(7_200 * n, f"198.51.100.{20 + n}", "root") for n in range(4)]

    assert kinds(spark, spread) == [("spraying", [f"198.51.100.{10 + m}" for m in range(4)])]
    assert kinds(spark, one_account) == [("slow-brute-force", [f"198.51.100.{20 + n}" for n in range(4)])]


LEGITIMATE = {
    "mistyped, then in": [
        *(event(8 * n, "10.20.1.7", "anna") for n in range(4)),
        event(40, "10.20.1.7", "anna", outcome="success"),
    ],
    "colleagues behind one address": [
        one
        for n in range(6)
        for one in (
            event(300 * n, "10.20.0.1", f"staff{n}"),
            event(300 * n + 9, "10.20.0.1", f"staff{n}", outcome="success"),
        )
    ],
    "keys": [
        event(60 * n, "10.20.1.8", "deploy", outcome="success", method="publickey", host=f"h{n}") for n in range(9)
    ],
    "a failing job": [event(3_600 * n + n % 3, "10.20.1.9", "backup", method="publickey") for n in range(24)],
    "gave up": [event(9 * n, "10.20.1.10", "bilal") for n in range(4)],
    "left before the login": [
        scan(0, "10.20.1.11", "Connection closed by <*> port <*> [preauth]"),
        event(9, "10.20.1.11", "chen", outcome="success"),
    ],
    "a failing job that tries twice each time": [
        event(3_599 * n + 1.5 * m, "10.20.1.13", "backup") for n in range(24) for m in range(2)
    ],
    "a health check": [scan(60 * n, "10.20.1.14", "Connection closed by <*> port <*> [preauth]") for n in range(30)],
    "forgot, and got in the day before": [
        event(0, "10.20.1.15", "dagny", outcome="success"),
        *(event(90_000 + 9 * n, "10.20.1.15", "dagny") for n in range(5)),
    ],
    "says good-bye a day later": [scan(86_400, "10.20.1.12", "Received disconnect from <*> port <*>:11: <*>")],
}


def test_legitimate_use_is_no_campaign(spark) -> None:
    assert kinds(spark, [one for events in LEGITIMATE.values() for one in events]) == []


def test_a_job_that_fails_on_two_accounts_or_hosts_is_not_excused(spark) -> None:
    hosts = [event(3_600 * n, "10.20.1.9", "backup", host=f"web-{n % 2}") for n in range(8)]
    users = [event(3_600 * n, "10.20.1.9", f"backup{n % 2}") for n in range(8)]

    assert [kind for kind, _ in kinds(spark, hosts)] == ["slow-brute-force"]
    assert [kind for kind, _ in kinds(spark, users)] == ["slow-brute-force"]


def test_rules_name_thresholds_that_exist_and_are_used() -> None:
    from workloads.ssh_logs import campaigns

    conditions = [rule.condition for rule in (*campaigns.RULES, *campaigns.TOGETHER)] + [campaigns.CLOCKWORK]
    direct = {"pause_hours", "mistyped", "same_visit"}
    named = {name for name in campaigns.THRESHOLDS if any(f"{{{name}}}" in text for text in conditions)}

    assert named | direct == set(campaigns.THRESHOLDS)
    assert all(threshold.reason for threshold in campaigns.THRESHOLDS.values())


def test_reports_agree_with_what_they_are_made_of(spark) -> None:
    from workloads.ssh_logs import reports
    from workloads.ssh_logs.campaigns import campaigns

    events = [*FAST, *STUFFING, *LEGITIMATE["mistyped, then in"], *LEGITIMATE["keys"]]
    minutes = reports.activity(spark.createDataFrame(events, COLUMNS))
    scores = spark.createDataFrame(
        [
            ("198.51.100.1", START, 0.9, True),
            ("198.51.100.1", START + timedelta(hours=1), 0.1, False),
            ("10.20.1.8", START, 0.6, True),
            ("10.20.1.7", START, 0.2, False),
        ],
        "source_address STRING, window_start TIMESTAMP, score DOUBLE, is_anomaly BOOLEAN",
    )
    suspects = reports.attackers(minutes, campaigns(minutes), scores)
    rows = {row["source_address"]: row.asDict() for row in suspects.collect()}
    accounts = {row["user"]: row.asDict() for row in reports.targeted_accounts(minutes, suspects).collect()}

    flags = {address: (r["is_flagged"], r["flagged_windows"], r["windows"], r["kinds"]) for address, r in rows.items()}
    assert flags == {
        "198.51.100.1": (True, 1, 2, ["fast-brute-force"]),
        "198.51.100.5": (False, 0, 0, ["stuffing"]),
        "10.20.1.8": (True, 1, 1, []),
    }
    assert (rows["198.51.100.1"]["tries"], rows["198.51.100.1"]["failures"]) == (21, 21)
    assert set(accounts) == {"root", "anna", *(f"customer{n}" for n in range(9))}
    assert (accounts["anna"]["tries"], accounts["anna"]["attacker_tries"]) == (5, 0)
    assert (accounts["root"]["attacker_tries"], accounts["root"]["attacker_successes"]) == (21, 0)
    (hour,) = reports.hourly(minutes, scores).collect()
    (day,) = reports.daily(minutes, scores).collect()
    for row in (hour, day):
        assert (row["events"], row["tries"], row["failures"], row["successes"]) == (45, 45, 34, 11)
        assert (row["addresses"], row["users"], row["flagged_addresses"]) == (4, 13, 2)
    assert (hour["hour"], str(day["day"])) == (datetime(2026, 3, 2, 8), "2026-03-02")
