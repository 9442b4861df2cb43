"""`medallion cost`: what a stack costs in a month, before anything is created, and what a change adds."""

from __future__ import annotations

import json as codec
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import options
from medallion.console import emit
from policies.pricing import prices, resources
from policies.pricing.estimate import Estimate, Item, changes
from policies.pricing.stack import price
from policies.pricing.usage import Usage, assumptions
from stacks.settings import Settings, SettingsError
from toolchain import settings_copy
from toolchain.engine import engine, prepare, tracked
from toolchain.errors import UserError

LARGEST = 5
CENT = 0.005
UNCHECKED = "*"

SETTINGS = "Settings to take instead of Pulumi.<stack>.yaml."
DOCUMENT = "A preview or export to price instead of a new preview."
AGAINST = "A preview or export to compare with: what costs more now?"


def cost(
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    settings: Annotated[Path | None, typer.Option(help=SETTINGS)] = None,
    document: Annotated[Path | None, typer.Option(help=DOCUMENT)] = None,
    against: Annotated[Path | None, typer.Option(help=AGAINST)] = None,
    json: options.Json = False,
) -> None:
    """Price what a stack declares, by list prices and the assumptions under medallion:usage."""
    declared = _settings(settings or tracked(stack))
    found = _read(document) if document else _resources(_preview(stack, cloud, settings), f"preview of stack {stack}")
    now = price(found, declared.usage)
    result = report(now, declared, str(document) if document else f"stack {stack}")
    if against:
        result["against"] = difference(price(_read(against), declared.usage), now, str(against))
    emit(result, json, lambda console: show(result, console))


def _usage(settings: Settings) -> Usage:
    factory = settings.usage.factory.model_copy(update={"triggers_run": settings.data_factory.triggers})
    return settings.usage.model_copy(update={"factory": factory})


def _settings(path: Path) -> Settings:
    """The settings in a file; whether triggers run is what they say of the data factory."""
    try:
        settings = Settings.load(path)
        return settings.model_copy(update={"usage": _usage(settings)})
    except SettingsError as problem:
        raise UserError(str(problem)) from None


def _preview(stack: str, cloud: str, settings: Path | None) -> str:
    """The engine's preview of a stack, complete, as JSON. Nothing is changed by it."""
    target = engine(stack, cloud)
    if target.is_simulated:
        prepare(target)
        if settings:
            target = replace(target, settings=target.settings.with_name(f"Pulumi.{stack}.cost.yaml"))
            settings_copy.refresh(settings, target.settings)
    elif settings:
        raise UserError("--settings goes with CLOUD=simulated: a real stack is previewed with its own settings")
    return target.capture("preview", "--json", "--show-sames", "--config-file", str(target.settings))


def _read(path: Path) -> resources.Resources:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    return _resources(path.read_text(encoding="utf-8"), str(path))


def _resources(text: str, where: str) -> resources.Resources:
    """The resources in a document of the engine. Raises UserError, which names the document."""
    try:
        return resources.read(codec.loads(text))
    except codec.JSONDecodeError as problem:
        raise UserError(f"{where}: this is no JSON ({problem})") from None
    except resources.DocumentError as problem:
        raise UserError(f"{where}: {problem}") from None


def report(estimate: Estimate, settings: Settings, of: str) -> dict[str, Any]:
    """The estimate as a document: `usd` a month in all and by service, lines, what is free, what has no price, and what
    was assumed."""
    table = prices.load()
    used = {name for item in estimate.items for name in item.assumes}
    return {
        "of": of,
        "location": settings.location,
        "prices_of": table.region,
        "currency": table.currency,
        "usd": round(estimate.usd, 2),
        "services": {name: round(usd, 2) for name, usd in estimate.services().items()},
        "items": [_line(item) for item in estimate.items],
        "free": [
            {"type": type_, "resources": count, "why": free.why, "source": free.source.url}
            for type_, (count, free) in estimate.free.items()
        ],
        "not_priced": [vars(found) for found in estimate.unpriced],
        "assumptions": [
            {"key": key, "value": value, "default": default, "meaning": meaning, "used": key in used}
            for key, value, default, meaning in assumptions(settings.usage)
        ],
    }


def _line(item: Item) -> dict[str, Any]:
    source = item.price.source
    return {
        "resource": item.resource,
        "type": item.type,
        "what": item.what,
        "quantity": round(item.quantity, 4),
        "free": item.price.free,
        "unit": item.price.unit,
        "unit_price": item.price.usd,
        "usd": round(item.usd, 4),
        "how": item.how,
        "assumes": list(item.assumes),
        "source": source.url,
        "source_says": source.what,
        "checked": source.checked,
        "date": str(source.of or source.read) if source.checked else None,
    }


def difference(before: Estimate, after: Estimate, document: str) -> dict[str, Any]:
    """What a change adds to a month: in all, and line by line."""
    return {
        "document": document,
        "usd": round(before.usd, 2),
        "difference": round(after.usd - before.usd, 2),
        "changes": [
            {"resource": c.resource, "what": c.what, "before": round(c.before, 4), "after": round(c.after, 4)}
            for c in changes(before, after)
        ],
        "not_priced_before": [vars(found) for found in before.unpriced],
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print the estimate for people."""
    console.print(
        escape(f"{result['of']}: {_money(result['usd'])} {result['currency']} a month in Azure, by list prices")
    )
    console.print("   ".join(f"{name} {_money(usd)}" for name, usd in result["services"].items() if usd >= CENT))
    console.print(_table(result))
    small = [item for item in result["items"] if item["usd"] < CENT]
    if small:
        console.print(f"and {len(small)} lines of less than a cent (all of them: --json)")
    if any(not item["checked"] and item["usd"] >= CENT for item in result["items"]):
        console.print(f"{UNCHECKED} a price from memory or a guess: policies/prices.toml says which")
    if result["location"] != result["prices_of"]:
        console.print(f"Prices are of {result['prices_of']}, the stack is in {result['location']}: take it as a hint.")
    console.print("\nLargest")
    for item in result["items"][:LARGEST]:
        console.print(escape(f"  {_money(item['usd'])}  {item['resource']}: {item['what']}"))
        console.print(escape(f"      {item['how']}"))
        console.print(f"      {_product(item)}")
    free = sum(row["resources"] for row in result["free"])
    console.print(f"\n{free} resources of {len(result['free'])} types cost nothing by themselves")
    for row in result["not_priced"]:
        console.print(escape(f"not priced: {row['resource']} ({row['type']}): {row['why']}"))
    console.print("\nAssumed (medallion:usage; none of it was measured)")
    for row in result["assumptions"]:
        if row["used"]:
            mark = "" if row["value"] == row["default"] else "  (set)"
            console.print(escape(f"  {row['key']} = {_value(row['value'])}{mark}: {row['meaning']}"))
    if "against" in result:
        _show_difference(result["against"], console)


def _table(result: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name, side in (("what", "left"), ("quantity × price", "left"), ("a month", "right")):
        table.add_column(name, justify=side)
    for item in result["items"]:
        if item["usd"] >= CENT:
            mark = "" if item["checked"] else UNCHECKED
            table.add_row(escape(f"{item['resource']}: {item['what']}"), _product(item) + mark, _money(item["usd"]))
    return table


def _product(item: dict[str, Any]) -> str:
    return f"{_count(item['quantity'])} × {item['unit_price']:g} per {item['unit']}"


def _show_difference(against: dict[str, Any], console: Console) -> None:
    console.print(escape(f"\n{against['difference']:+,.2f} a month against {against['document']}"))
    table = Table(box=box.SIMPLE_HEAD)
    for name, side in (("what", "left"), ("before", "right"), ("now", "right"), ("difference", "right")):
        table.add_column(name, justify=side)
    for change in against["changes"]:
        more = f"{change['after'] - change['before']:+,.2f}"
        what = escape(f"{change['resource']}: {change['what']}")
        table.add_row(what, _money(change["before"]), _money(change["after"]), more)
    console.print(table)


def _money(usd: float) -> str:
    return f"{usd:,.2f}"


def _count(quantity: float) -> str:
    return f"{quantity:,.0f}" if quantity >= 1_000 else f"{quantity:.4g}"


def _value(value: Any) -> str:
    return ", ".join(f"{k} {v:g}" for k, v in value.items()) if isinstance(value, dict) else f"{value:,.10g}"
