"""The estimate of a stack: what each resource costs in a month, what is free, and what has no price here.

A month has 730 hours, as in Azure's own calculator. Nothing is left out silently: a type that is neither priced nor in
the table as free is listed as not priced, and so is a resource of which the table lacks a price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from policies.pricing.prices import Free, Price, Prices
from policies.pricing.resources import Resource, Resources
from policies.pricing.usage import Usage

HOURS = 730.0
"""Hours of a month. Source: https://azure.microsoft.com/pricing/calculator/"""

DAYS = HOURS / 24
PLATFORM = "(the whole platform)"


class NotPricedError(Exception):
    """A resource that cannot be priced; the text says why."""


@dataclass(frozen=True)
class Item:
    """A line of the estimate: `quantity` units a month of something at a price. `how` says how the quantity came about,
    `assumes` which assumptions it rests on."""

    resource: str
    type: str
    what: str
    quantity: float
    price: Price
    how: str
    assumes: tuple[str, ...] = ()

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return max(0.0, self.quantity - self.price.free) * self.price.usd

    @property
    def service(self) -> str:
        """The service that bills it: the module of an Azure type, else the provider; `network` for what has no type."""
        provider, _, rest = self.type.partition(":")
        module = rest.partition(":")[0] if provider == "azure-native" else provider
        return {"": "network", "containerservice": "kubernetes", "privatedns": "network"}.get(module, module)


@dataclass(frozen=True)
class Unpriced:
    """A resource without a price, and why it has none."""

    resource: str
    type: str
    why: str


@dataclass(frozen=True)
class Estimate:
    """All lines, dearest first; free types with the number of their resources; and what has no price."""

    items: tuple[Item, ...]
    free: Mapping[str, tuple[int, Free]]
    unpriced: tuple[Unpriced, ...]

    @property
    def usd(self) -> float:
        """US dollars a month, of all that is priced."""
        return sum(item.usd for item in self.items)

    def services(self) -> dict[str, float]:
        """US dollars a month by service, dearest first."""
        totals: Counter[str] = Counter()
        for item in self.items:
            totals[item.service] += item.usd
        return dict(totals.most_common())


@dataclass(frozen=True)
class Context:
    """What prices of a resource depend on beside its own inputs."""

    resources: Resources
    usage: Usage
    prices: Prices

    def price(self, key: str) -> Price:
        """The price of that key. Raises NotPricedError."""
        if key not in self.prices.prices:
            raise NotPricedError(f"policies/prices.toml has no price {key!r}")
        return self.prices.prices[key]


@dataclass(frozen=True)
class Line:
    """What a pricer says of a resource: a line of the estimate without the resource."""

    what: str
    quantity: float
    key: str
    how: str
    assumes: tuple[str, ...] = field(default=())


Pricer = Callable[[Resource, Context], Iterator[Line]]


def add_up(context: Context, pricers: Mapping[str, Pricer], whole: Callable[[Context], Iterator[Line]]) -> Estimate:
    """The estimate. `pricers` price types of resources, `whole` what belongs to none. A resource keeps the lines that
    could be priced where another could not."""
    prices = context.prices
    items: list[Item] = []
    unpriced: list[Unpriced] = []
    free: Counter[str] = Counter()
    for resource in context.resources.all:
        if resource.type in pricers:
            try:
                for line in pricers[resource.type](resource, context):
                    items.append(_item(resource.name, resource.type, line, context))
            except NotPricedError as problem:
                unpriced.append(Unpriced(resource.name, resource.type, str(problem)))
        elif resource.type in prices.free:
            free[resource.type] += 1
        else:
            unpriced.append(Unpriced(resource.name, resource.type, "nobody has said what this type costs"))
    items += [_item(PLATFORM, "", line, context) for line in whole(context)]
    return Estimate(
        items=tuple(sorted(items, key=lambda item: (-item.usd, item.resource, item.what))),
        free={type_: (free[type_], prices.free[type_]) for type_ in sorted(free)},
        unpriced=tuple(unpriced),
    )


def _item(resource: str, type_: str, line: Line, context: Context) -> Item:
    return Item(resource, type_, line.what, line.quantity, context.price(line.key), line.how, line.assumes)


@dataclass(frozen=True)
class Change:
    """A line that costs something else than before, in US dollars a month."""

    resource: str
    what: str
    before: float
    after: float


def changes(before: Estimate, after: Estimate) -> list[Change]:
    """What a change makes dearer or cheaper, the largest difference first."""
    old, new = _by_line(before), _by_line(after)
    found = [Change(*line, old.get(line, 0.0), new.get(line, 0.0)) for line in sorted(old.keys() | new.keys())]
    return sorted(
        (change for change in found if round(change.after - change.before, 4)),
        key=lambda change: -abs(change.after - change.before),
    )


def _by_line(of: Estimate) -> dict[tuple[str, str], float]:
    lines: dict[tuple[str, str], float] = {}
    for item in of.items:
        line = (item.resource, item.what)
        lines[line] = lines.get(line, 0.0) + item.usd
    return lines
