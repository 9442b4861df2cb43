"""The pictures of README and architecture, made from the program: `python -m stacks.picture EXPORT` renews them.

EXPORT is the state of the stack `prod`, which has everything (`python -m toolchain.stack export --stack prod`).
Pictures are Mermaid, which GitHub draws.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.spec import Workload, discover

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "architecture.md")
STACK_TYPE = "pulumi:pulumi:Stack"
PLACES = {"azure-native": "Azure", "databricks": "Databricks", "kubernetes": "Kubernetes"}


@dataclass(frozen=True)
class Platform:
    """A stack's components by name, each with its types of resources; arrows lead from what is needed to its users."""

    contents: Mapping[str, Counter[str]]
    arrows: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, resources: Iterable[Mapping[str, Any]]) -> Platform:
        """The components in a stack's state."""
        by_urn = {resource["urn"]: resource for resource in resources}
        home = {urn: _component(urn, by_urn) for urn in by_urn}
        contents: dict[str, Counter[str]] = defaultdict(Counter)
        arrows = set()
        for urn, resource in by_urn.items():
            owner = home[urn]
            if owner is None or not resource.get("custom"):
                continue
            contents[owner][resource["type"]] += 1
            provider = by_urn.get(resource.get("provider", "").rpartition("::")[0], {})
            wanted = [*resource.get("dependencies", []), *provider.get("dependencies", [])]
            arrows |= {(other, owner) for other in {home.get(need) for need in wanted} - {None, owner}}
        return cls(dict(sorted(contents.items())), frozenset(arrow for arrow in arrows if not _implied(arrow, arrows)))

    def place(self, name: str) -> str:
        """Where most resources of a component live."""
        providers = Counter[str]()
        for type_, number in self.contents[name].items():
            providers[type_.partition(":")[0]] += number
        return PLACES[providers.most_common(1)[0][0]]


def components(platform: Platform) -> str:
    """Who needs whom, by the place where they live, and how many there are, as Markdown."""
    lines = ["flowchart LR"]
    for place in PLACES.values():
        lines.append(f"  subgraph {place}")
        lines += [
            f'    {_id(name)}["{name} · {types.total()}"]'
            for name, types in platform.contents.items()
            if platform.place(name) == place
        ]
        lines.append("  end")
    lines += [f"  {_id(start)} --> {_id(end)}" for start, end in sorted(platform.arrows)]
    number = sum(types.total() for types in platform.contents.values())
    return f"{number} resources in {len(platform.contents)} components:\n\n{_mermaid(lines)}"


def table(platform: Platform) -> str:
    """What each component declares, as a table in Markdown."""
    rows = ["| component | where | resources |", "| --- | --- | --- |"]
    for name, types in platform.contents.items():
        kinds = Counter[str]()
        for type_, number in types.items():
            kinds[_kind(type_)] += number
        listed = ", ".join(f"{number} {kind}" if number > 1 else kind for kind, number in sorted(kinds.items()))
        rows.append(f"| {name} | {platform.place(name)} | {listed} |")
    return "\n".join(rows)


def workload(declared: Workload) -> str:
    """The tasks of a workload, and the tables that they read and write, as Markdown."""
    lines = ["flowchart LR", f'  input[/"{declared.input_path}"/]']
    tasks = [task for job in declared.jobs for task in job.in_order()]
    tables = sorted({table for task in tasks for table in (*task.reads, *task.writes)})
    lines += [f'  {_id(table)}[("{table}")]' for table in tables]
    for task in tasks:
        lines.append(f"  {task.key}({task.key})")
        lines += [f"  {_id(table)} --> {task.key}" for table in task.reads]
        lines += [f"  {task.key} --> {_id(table)}" for table in task.writes]
        handed = {other.key for other in tasks if set(other.writes) & set(task.reads)}
        lines += [f"  {other} -.-> {task.key}" for other in task.depends_on if other not in handed]
    lines.append(f"  input --> {declared.job().in_order()[0].key}")
    return _mermaid(lines)


def renew(page: str, pictures: Mapping[str, str]) -> str:
    """The page with its pictures replaced, each between `<!-- picture NAME -->` and `<!-- end -->`.

    Raises ValueError where there is no picture for a place.
    """

    def drawn(place: re.Match[str]) -> str:
        if place["name"] not in pictures:
            raise ValueError(f"there is no picture {place['name']!r}; there are {', '.join(sorted(pictures))}")
        return f"{place['start']}{pictures[place['name']]}\n{place['end']}"

    form = r"(?P<start><!-- picture (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)"
    return re.sub(form, drawn, page, flags=re.DOTALL)


def pictures(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """All pictures by name: the components and their contents, and each workload."""
    platform = Platform.of(resources)
    drawn = {declared.name: workload(declared) for declared in discover()}
    return {"components": components(platform), "contents": table(platform)} | drawn


def outdated(resources: Iterable[Mapping[str, Any]]) -> dict[Path, str]:
    """The pages whose pictures are not those of a stack's state, with the text that they should have."""
    drawn = pictures(resources)
    renewed = {page: renew(page.read_text(encoding="utf-8"), drawn) for page in PAGES}
    return {page: text for page, text in renewed.items() if text != page.read_text(encoding="utf-8")}


def _component(urn: str, by_urn: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The name of the outermost component that a resource belongs to; None where it belongs to none."""
    chain = []
    while urn and urn in by_urn and by_urn[urn]["type"] != STACK_TYPE:
        chain.append(urn)
        urn = by_urn[urn].get("parent", "")
    outermost = by_urn[chain[-1]] if chain else None
    return None if outermost is None or outermost.get("custom") else chain[-1].rpartition("::")[2]


def _kind(type_: str) -> str:
    return type_.rpartition(":")[2].rpartition("/")[2]


def _mermaid(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _implied(arrow: tuple[str, str], arrows: set[tuple[str, str]]) -> bool:
    """Whether an arrow says only what a longer way says too."""
    start, end = arrow
    seen, todo = set(), [b for a, b in arrows if a == start and b != end]
    while todo:
        node = todo.pop()
        if node == end:
            return True
        if node not in seen:
            seen.add(node)
            todo += [b for a, b in arrows if a == node]
    return False


def main() -> None:
    """Renew the pictures of the pages."""
    export = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for page, text in outdated(export["deployment"]["resources"]).items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
