"""The table of prices: every figure has a source, and says honestly whether that was read."""

import copy
import tomllib
from datetime import date

import pytest

from policies.pricing import prices, stack

TABLE = tomllib.loads(prices.TABLE.read_text(encoding="utf-8"))
DAY = date(2026, 11, 28)


def changed(path, value):
    """The project's table with one value replaced, or taken away (None)."""
    table = copy.deepcopy(TABLE)
    *parents, last = path
    place = table
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return table


def test_every_figure_has_a_source_and_a_day_only_where_that_was_read():
    table = prices.load()
    sources = [row.source for row in (*table.prices.values(), *table.free.values())]
    sources += [source for _, source in table.dbu.values()]
    assert len(sources) == len(TABLE["price"]) + len(table.free) + len(TABLE["dbu"])
    for source in sources:
        assert source.url.startswith("https://")
        assert source.what
        assert (source.read is not None) is source.checked
        assert "memory" in source.what or "guess" in source.what or "article" in source.what or source.checked


def test_figures_are_amounts_of_money():
    for price in prices.load().prices.values():
        assert price.usd > 0
        assert price.unit
    assert all(dbu > 0 for dbu, _ in prices.load().dbu.values())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("price", "aks Standard", "source"), None, "aks Standard: source None is not in the table of sources"),
        (("price", "aks Standard", "source"), "x", "aks Standard: source 'x' is not in the table of sources"),
        (("dbu", "Standard_DS3_v2", "source"), "x", "dbu Standard_DS3_v2: source 'x' is not in the table of sources"),
        (("source", "infracost", "read"), None, "source infracost: it has a day if it was read, and only then"),
        (("source", "list-dns", "read"), DAY, "source list-dns: it has a day if it was read, and only then"),
        (("source", "list-dns", "of"), DAY, "source list-dns: it has a day if it was read, and only then"),
        (("source", "list-dns", "url"), "", "source list-dns: say where it is (url) and what it says (what)"),
        (("source", "list-dns", "what"), "", "source list-dns: say where it is (url) and what it says (what)"),
    ],
)
def test_a_price_without_an_honest_source_is_refused(path, value, message):
    with pytest.raises(prices.PriceTableError) as error:
        prices.parse(changed(path, value))
    assert str(error.value) == message


def test_a_free_type_without_a_source_is_refused():
    with pytest.raises(prices.PriceTableError, match="source 'x' is not in the table"):
        prices.parse(changed(("free", 0, "source"), "x"))


def test_a_type_is_free_once_and_never_priced_too():
    twice = changed(("free",), [*TABLE["free"], TABLE["free"][0]])
    with pytest.raises(prices.PriceTableError, match="stands there twice"):
        prices.parse(twice)
    assert set(prices.load().free) & set(stack.PRICERS) == set()


def test_every_vm_has_a_spot_price():
    keys = prices.load().prices
    assert {key.removeprefix("spot ") for key in keys if key.startswith("spot ")} == {
        key.removeprefix("vm ") for key in keys if key.startswith("vm ")
    }
