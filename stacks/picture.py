"""The pictures of `docs/architecture.md`, made from the program: `python -m stacks.picture EXPORT` renews the page.

EXPORT is a stack's state (`python -m toolchain.stack export`). Pictures are Mermaid, which GitHub draws.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workloads.spec import Workload, discover

PAGE = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
STACK_TYPE = "pulumi:pulumi:Stack"


def platform(resources: Iterable[Mapping[str, Any]]) -> str:
    """A stack's components with what they declare, and who needs whom, as Mermaid."""
    by_urn = {resource["urn"]: resource for resource in resources}
    home = {urn: _component(urn, by_urn) for urn in by_urn}
    contents: dict[str, Counter] = defaultdict(Counter)
    arrows = set()
    for urn, resource in by_urn.items():
        owner = home[urn]
        if owner is None or not resource.get("custom"):
            continue
        contents[owner][_kind(resource["type"])] += 1
        provider = by_urn.get(resource.get("provider", "").rpartition("::")[0], {})
        wanted = [*resource.get("dependencies", []), *provider.get("dependencies", [])]
        needed = {home.get(other) for other in wanted} - {None, owner}
        arrows |= {(other, owner) for other in needed}
    lines = ["flowchart LR"]
    for owner in sorted(contents):
        kinds = "<br/>".join(f"{n} × {kind}" if n > 1 else kind for kind, n in sorted(contents[owner].items()))
        lines.append(f'  {_id(owner)}["<b>{owner}</b><br/>{kinds}"]')
    shown = [arrow for arrow in sorted(arrows) if not _implied(arrow, arrows)]
    return "\n".join([*lines, *(f"  {_id(a)} --> {_id(b)}" for a, b in shown)])


def workload(declared: Workload) -> str:
    """The tasks of a workload, and the tables that they read and write, as Mermaid."""
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
    return "\n".join(lines)


def renew(page: str, pictures: Mapping[str, str]) -> str:
    """The page with its pictures replaced, each between `<!-- picture NAME -->` and `<!-- end -->`.

    Raises ValueError where the page has no place for a picture.
    """
    for name, picture in pictures.items():
        place = re.compile(rf"(<!-- picture {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no place `<!-- picture {name} -->` … `<!-- end -->`")
        page = place.sub(lambda match, text=picture: f"{match[1]}```mermaid\n{text}\n```\n{match[2]}", page)
    return page


def pictures(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """All pictures of the page by name: the platform, and each workload."""
    return {"platform": platform(resources)} | {declared.name: workload(declared) for declared in discover()}


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
    """Renew the pictures of the page."""
    export = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    page = renew(PAGE.read_text(encoding="utf-8"), pictures(export["deployment"]["resources"]))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
