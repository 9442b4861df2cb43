"""Lines that are objects of JSON, as journals, collectors and stores of logs write them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from workloads.ssh_logs.messages import compiled
from workloads.ssh_logs.usual import BEGINS

MICROS_DIGITS = 16  # of a moment of our days since 1970, in microseconds
EPOCH = range(10, 20)  # digits of one in seconds up to nanoseconds


class Names(NamedTuple):
    """Where objects have what a line says: the first of these that is there; dots lead into objects within."""

    message: tuple[str, ...]
    time: tuple[str, ...]
    host: tuple[str, ...] = ()
    process: tuple[str, ...] = ()
    pid: tuple[str, ...] = ()


FORMS = (
    # `journalctl -o json`: systemd.journal-fields(7).
    Names(
        ("MESSAGE",),
        ("__REALTIME_TIMESTAMP",),
        ("_HOSTNAME",),
        ("SYSLOG_IDENTIFIER", "_COMM"),
        ("_PID", "SYSLOG_PID"),
    ),
    # The table Syslog of Azure Monitor: learn.microsoft.com/azure/azure-monitor/reference/tables/syslog.
    Names(
        ("SyslogMessage",), ("EventTime", "TimeGenerated"), ("HostName", "Computer"), ("ProcessName",), ("ProcessID",)
    ),
    # syslog-ng's `$(format-json --scope rfc5424)` and rsyslog's `%jsonmesg%`: the properties of their manuals.
    Names(("MESSAGE",), ("ISODATE", "DATE"), ("HOST",), ("PROGRAM",), ("PID",)),
    Names(("msg",), ("timereported", "timegenerated"), ("hostname",), ("programname", "app-name"), ("procid",)),
    # Elastic Common Schema, fluentd's in_syslog, and what has lines of syslog whole: CloudWatch, Filebeat.
    Names(("message",), ("@timestamp",), ("host.hostname", "host.name"), ("process.name",), ("process.pid",)),
    Names(("message",), ("time", "timestamp"), ("host", "hostname"), ("ident",), ("pid",)),
    # Whole lines: Docker's log files, Loki, Google Cloud Logging, Wazuh, Splunk, Logstash.
    Names(("log", "line", "textPayload", "full_log", "result._raw", "event.original"), ()),
)


def line_of(text: str) -> str:
    """A JSON object as a line of syslog: the one that it holds, else its parts as one. Any other text as it is.

    A message that is no UTF-8 is a list of numbers in a journal, and no text here.
    """
    try:
        entry = json.loads(text)
        lines = (_line(entry.get("_source", entry), names) for names in FORMS)  # `_source`: as Elasticsearch has it
        line = next((line for line in lines if line is not None), text)
        line.encode()  # half a pair of surrogates is no text
    except (ValueError, AttributeError, RecursionError):
        return text
    return line


def _line(entry: dict, names: Names) -> str | None:
    message, time, host, process, pid = (_first(entry, found) for found in names)
    if not isinstance(message, str):
        return None
    # Where the object names the process, a message that looks like a line is what the process said: anyone's `logger`.
    if process is None and compiled(BEGINS).match(message):
        return message.rstrip("\n")
    if time is None:
        return None
    return f"{_time(str(time))}{f' {host}' if host else ''} {process or '-'}[{pid or '-'}]: {message}"


def _first(entry: dict, names: tuple[str, ...]) -> Any:
    """The first value that is there under one of these names; empty texts are not."""
    for name in names:
        value: Any = entry.get(name)
        if value is None and "." in name:
            outer, _, inner = name.partition(".")
            within = entry.get(outer)
            value = within.get(inner) if isinstance(within, dict) else None
        if value not in (None, "", "-"):
            return value
    return None


def _time(time: str) -> str:
    """A time as `header` reads it: numbers are seconds since 1970, or smaller parts of them."""
    if not (time.isascii() and time.isdecimal() and len(time) in EPOCH):
        return time
    digits = time.ljust(MICROS_DIGITS, "0")[:MICROS_DIGITS]
    return f"{digits[:-6]}.{digits[-6:]}"
