"""Helpers for Spark columns."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as fn

# What splits the raw files into lines is in none of them.
SEPARATOR = "\n"


def capture(line: Column, pattern: str, groups: int) -> Column:
    """The `groups` of `pattern`, which must match the whole of `line`, as an array; null where it does not match.

    A group that takes no part is the empty string. All groups come of one pass: the line is replaced by its groups,
    with a newline between them, which no line holds. Make it a column of its own and take the groups from there:
    Spark then finds them once (it would look through a struct, and match anew for each field).
    """
    together = SEPARATOR.join(f"${number}" for number in range(1, groups + 1))
    return parts(fn.regexp_replace(line, pattern, together), groups)


def parts(text: Column, count: int) -> Column:
    """The parts of a text between newlines, as an array; null where there are not so many."""
    # In a lambda, `text` is computed once; in a CASE it would be for the condition and for the value.
    return fn.get(fn.filter(fn.array(fn.split(text, SEPARATOR)), lambda one: fn.size(one) == count), fn.lit(0))


def group(array: str, index: int) -> Column:
    """A captured group, null where it took no part."""
    return fn.nullif(fn.get(array, fn.lit(index)), fn.lit(""))


def literal(text: str) -> str:
    """Text as a literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace(SEPARATOR, "\\n")
    return f"'{escaped}'"
