"""Lines of other forms, written anew in one that `header` reads, a batch at a time: `time host process[pid]: message`.

Patterns are RE2's, over whole lines.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from workloads.ssh_logs import json_forms
from workloads.ssh_logs.months import ENGLISH
from workloads.ssh_logs.usual import BEGINS, CLOCK, YEAR

BLANK = r" \t\n\x0b\f\r"  # all of ASCII: RE2's own \s lacks \x0b
TOKEN = rf"[^{BLANK}]"

_BEFORE = rf"(?:[ \t]+|[^{BLANK}:]+:|\d+[:\t-]|[\w.-]+ +\| |{YEAR}-\d\d-\d\d[T_]{TOKEN}+ \w+\.[a-z]{{3,7}}: ){{1,4}}"
# Structured data may hold brackets in quotes, and quotes after a backslash (RFC 5424, 6.3.3).
_DATA = r"\[[^\]\"]*(?:\"(?:[^\"\\]|\\.)*\"[^\]\"]*){0,32}\]"
_JUNOS = rf" {YEAR} +[^{BLANK}:\[]+ +[^{BLANK}:]+:"
_MACOS = rf"\d{{4}}-\d\d-\d\d {CLOCK}\.\d{{3,6}}(?:[+-]\d{{4}})?"


class Form(NamedTuple):
    """A form of lines: what they begin with, at a glance; the whole of them; and how they are written instead."""

    begins: str
    pattern: str
    written: str


FORMS = (
    # Whatever collected or copied lines put before them: blanks, a file (`grep -H`), the number of the line (`grep -n`,
    # `cat -n`), a host (`pdsh`), a container (`docker compose logs`), or its own time and level (socklog).
    Form(rf"{_BEFORE}{BEGINS}", rf"{_BEFORE}({BEGINS}.*)", r"\1"),
    # RFC 5424.
    Form(
        "<",
        rf"<\d{{1,3}}>\d{{1,2}} ({TOKEN}+) ({TOKEN}+) ({TOKEN}+) ({TOKEN}+) {TOKEN}+ "
        rf"(?:-|(?:{_DATA}){{1,16}}) ?\x{{feff}}?(.*)",
        r"\1 \2 \3[\4]: \5",
    ),
    # The log files of OpenSSH for Windows, which are sshd's own.
    Form(r"\d{1,10} \d{4}-", rf"(\d{{1,10}}) (\d{{4}}-\d\d-\d\d {CLOCK}\.\d{{3}}) +(.*)", r"\2 sshd[\1]: \3"),
    # Clusters that put seconds, day and node before each line (Thunderbird, Spirit, Liberty).
    Form(
        rf"{TOKEN}+ \d{{9,10}} \d{{4}}\.",
        rf"{TOKEN}+ \d{{9,10}} (\d{{4}})\.\d\d\.\d\d ({TOKEN}+) ({ENGLISH}) {{1,2}}(\d{{1,2}}) ({CLOCK}) {TOKEN}+ (.*)",
        r"\3 \4 \1 \5 \2 \6",
    ),
    # The full date of syslog-ng.
    Form(rf"{YEAR} [A-Z]", rf"({YEAR}) ({ENGLISH}) {{1,2}}(\d{{1,2}}) (\d\d:.*)", r"\2 \3 \1 \4"),
    # Junos: the year stands between time and host.
    Form(
        rf"{ENGLISH} {{1,2}}\d{{1,2}} {CLOCK}(?:\.\d+)?{_JUNOS}",
        rf"({ENGLISH} {{1,2}}\d{{1,2}}) ({CLOCK}(?:\.\d+)?) ({YEAR}) +([^{BLANK}:\[]+ +[^{BLANK}:]+:.*)",
        r"\1 \3 \2 \4",
    ),
    # AIX names the host that a line was forwarded from.
    Form(
        rf"{ENGLISH} {{1,2}}\d{{1,2}} {CLOCK} Message forwarded from ",
        rf"({TOKEN}+ +{TOKEN}+ {TOKEN}+) Message forwarded from ([^{BLANK}:]+): (.*)",
        r"\1 \2 \3",
    ),
    # macOS, `log show`, as it is by default and `--style compact`.
    Form(
        rf"{_MACOS} 0x",
        rf"({_MACOS}) 0x[0-9a-f]+ +[A-Z][a-z]+ +0x[0-9a-f]+ +(\d+) +\d+ +([\w.-]+): (.*)",
        r"\1 \3[\2]: \4",
    ),
    Form(
        rf"{_MACOS} [A-Z][a-z]? ",
        rf"({_MACOS}) [A-Z][a-z]? +([\w.-]+)\[(\d+):[0-9a-f]+\] (.*)",
        r"\1 \2[\3]: \4",
    ),
)
_JSON = "{"
_AT_A_GLANCE = rf"\A(?:\{_JSON}|{'|'.join(form.begins for form in FORMS)})"


def written_anew(lines: pa.Array) -> pa.Array:
    """The same lines, those of other forms written anew; what is none stays as it is."""
    others = pc.match_substring_regex(lines, _AT_A_GLANCE).fill_null(False)
    if not others.true_count:
        return lines
    written = lines.filter(others)
    if pc.any(pc.starts_with(written, _JSON)).as_py():
        written = pa.array(map(json_forms.line_of, written.to_pylist()), pa.string())
    for form in FORMS:
        written = pc.replace_substring_regex(written, rf"(?s)\A{form.pattern}\z", form.written)
    return pc.replace_with_mask(lines, others, written)
