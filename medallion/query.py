"""`medallion query`: ask the serving store one of the questions that a workload declares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import options, services
from medallion.connection import deployed
from medallion.console import emit
from toolchain.errors import UserError
from workloads import spec
from workloads.lakehouse import serving
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.serving_store import KEY, URL, disconnect, parse


@dataclass(frozen=True)
class Asked:
    """An option of a query: its name on the command line, and the column that it is about."""

    option: str
    column: spec.ServingColumn
    least: bool


def query(
    context: typer.Context,
    workload: options.WorkloadName,
    name: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="The query, such as org-daily; without it, all are shown.")
    ] = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Ask what is served: QUERY takes the options that it declares, such as --org and --date."""
    declared = spec.find(workload)
    if name is None:
        emit({"queries": [item.model_dump() for item in declared.queries]}, json, lambda out: catalogue(declared, out))
        return
    question = find(declared, name)
    values = read(question, asked(declared, question), context.args)
    with reached(declared, stack, cloud) as store:
        try:
            rows = serving.query(store, declared, question, values)
        except TaskError as error:
            raise UserError(str(error)) from None
        finally:
            disconnect()
    shown = [{column: as_json(value) for column, value in row.items()} for row in rows]
    document = {"query": question.name, "rows": shown}
    emit(document, json, lambda console: show(question, rows, console))


def find(workload: spec.Workload, name: str) -> spec.Query:
    """The query of that name. Raises UserError, listing those that there are."""
    for question in workload.queries:
        if question.name == name:
            return question
    there = ", ".join(question.name for question in workload.queries) or "none"
    raise UserError(f"workload {workload.name!r} has no query {name!r}; it has {there}")


def asked(workload: spec.Workload, question: spec.Query) -> list[Asked]:
    """The options that a query takes: named after its columns, with dashes, and `_id` left out."""
    (table,) = [table for table in workload.serving if table.name == question.table]
    columns = {column.name: column for column in table.columns}
    names = [*question.equals, *filter(None, [question.at_least])]
    return [
        Asked(f"--{name.removesuffix('_id').replace('_', '-')}", columns[name], name == question.at_least)
        for name in names
    ]


def read(question: spec.Query, takes: Sequence[Asked], arguments: Sequence[str]) -> dict[str, Any]:
    """The typed values of `--option value` and `--option=value`. Raises UserError for what does not fit the query."""
    given = pairs(question, takes, arguments)
    values = {}
    for one in takes:
        if one.option not in given:
            raise UserError(f"query {question.name!r} needs {one.option}: {told(takes)}")
        text = given.pop(one.option)
        try:
            values[one.column.name] = READ[one.column.type](text)
        except (ValueError, InvalidOperation):
            raise UserError(f"{one.option} takes {FORMS[one.column.type]}, not {text!r}") from None
    return values


def pairs(question: spec.Query, takes: Sequence[Asked], arguments: Sequence[str]) -> dict[str, str]:
    """Option → text. Raises UserError for an unknown or repeated option, and for one without a value."""
    known, found, left = {one.option for one in takes}, {}, list(arguments)
    while left:
        option, sign, text = left.pop(0).partition("=")
        if option not in known:
            raise UserError(f"query {question.name!r} does not take {option!r}: {told(takes)}")
        if option in found:
            raise UserError(f"{option} is given twice")
        if not sign and not left:
            raise UserError(f"{option} needs a value")
        found[option] = text if sign else left.pop(0)
    return found


def told(takes: Sequence[Asked]) -> str:
    """What a query takes, for people."""
    parts = [f"{one.option} {FORMS[one.column.type]}{' (and later)' if one.least else ''}" for one in takes]
    return f"it takes {', '.join(parts)}"


@contextmanager
def reached(workload: spec.Workload, stack: str, cloud: str) -> Iterator[serving.Store]:
    """The stack's serving store; a local one runs for the length of the block.

    A store that the environment names is taken. Raises UserError where there is none.
    """
    try:
        if url := os.environ.get(URL):
            yield parse(url, os.environ.get(KEY))
            return
        outputs = deployed(stack, cloud)
        if outputs.simulated:
            with services.store(workload) as url:
                yield parse(url)
            return
        yield parse(address(outputs.serving_store, workload), os.environ.get(KEY))
    except TaskError as error:
        raise UserError(str(error)) from None


def address(place: str | None, workload: spec.Workload) -> str:
    """The URL of a workload's keyspace in Cosmos DB, whose user is called as the account. Raises UserError."""
    if place is None:
        raise UserError(f"the stack has no serving store: set {URL} and {KEY} to say where it is")
    return f"cassandra://{place.partition('.')[0]}@{place}/{workload.folder}?tls=true"


def catalogue(workload: spec.Workload, console: Console) -> None:
    """Prints the queries that a workload declares."""
    table = Table(box=box.SIMPLE_HEAD, title=f"Queries of {workload.name}")
    for column in ("query", "options", "what it answers"):
        table.add_column(column)
    for question in workload.queries:
        options_ = " ".join(one.option for one in asked(workload, question))
        table.add_row(question.name, options_, escape(question.meaning))
    console.print(table)


def show(question: spec.Query, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Prints the rows as a table."""
    if not rows:
        console.print(f"{question.meaning}: nothing")
        return
    table = Table(box=box.SIMPLE_HEAD, title=question.meaning)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float | Decimal) else "left")
    for row in rows:
        table.add_row(*("–" if value is None else escape(as_text(value)) for value in row.values()))
    console.print(table)


def as_text(value: Any) -> str:
    """A value as people read it: decimals without the zeros that only fill them up."""
    if isinstance(value, Decimal):
        whole, point, fraction = f"{value:,f}".partition(".")
        return f"{whole}{point}{fraction.rstrip('0')}".rstrip(".") if point else whole
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def as_json(value: Any) -> Any:
    """A value as JSON has it: amounts as text, which keeps them exact."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse(text)


def _refuse(text: str) -> bool:
    raise ValueError(text)


READ: dict[str, Callable[[str], Any]] = {
    "bigint": int,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "double": float,
    "int": int,
    "text": str,
    "timestamp": _moment,
}
FORMS = {
    "bigint": "a whole number",
    "boolean": "true or false",
    "date": "a day (YYYY-MM-DD)",
    "decimal": "a number",
    "double": "a number",
    "int": "a whole number",
    "text": "a text",
    "timestamp": "a moment (YYYY-MM-DDTHH:MM, UTC)",
}
