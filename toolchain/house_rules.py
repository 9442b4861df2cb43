"""`python -m toolchain.house_rules`: the rules of the house that no ready-made linter knows. Run by `make lint`.

Budgets keep every part small enough to be read in one go; the workloads stay within what serverless and standard
clusters offer; a new top-level folder is a decision, written down in docs/adr.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolchain import paths

FILE_BUDGET = 500  # lines
COMPONENT_BUDGET = 250
PROGRAM = PurePosixPath("stacks/program.py")
PROGRAM_BUDGET = 100
GENERIC_SIMULATOR = tuple(
    PurePosixPath("simulator", name) for name in ("kinds.py", "properties.py", "provider.py", "state.py")
)
GENERIC_BUDGET = 600  # lines of code: blank lines, comments and docstrings are free

FORBIDDEN_IN_WORKLOADS = ("write", "writeTo", "writeStream", "_jvm", "rdd", "sparkContext")
LAKE_MODULES = tuple(
    PurePosixPath("workloads/lakehouse", name) for name in ("lake.py", "tables.py", "exports.py", "streams.py")
)

ROOMS = (
    "benchmarks",
    "components",
    "dashboards",
    "docs",
    "medallion",
    "policies",
    "services",
    "simulator",
    "stacks",
    "tests",
    "toolchain",
    "workloads",
)
OTHER_FOLDERS = (".ci", ".github")
# What git, set-up and tools make; none of it is tracked.
MADE = (
    ".git",
    ".medallion",
    ".tools",
    ".venv",
    "__pycache__",
    "build",
    "dist",
)


@dataclass(frozen=True, order=True)
class Violation:
    """A place that breaks a rule."""

    path: PurePosixPath
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


def budget(path: PurePosixPath) -> int:
    """The most lines that a Python file may have."""
    if path == PROGRAM:
        return PROGRAM_BUDGET
    return COMPONENT_BUDGET if path.parts[0] == "components" else FILE_BUDGET


def over_budget(path: PurePosixPath, text: str) -> Iterator[Violation]:
    """A file longer than its budget."""
    lines, most = len(text.splitlines()), budget(path)
    if lines > most:
        yield Violation(path, most + 1, f"{lines} lines, of {most} at most: split it by what it is about")


def generic_over_budget(texts: Mapping[PurePosixPath, str]) -> Iterator[Violation]:
    """The part of the simulator that is not special to any resource type, when it grows beyond its budget."""
    lines = sum(lines_of_code(texts[path]) for path in GENERIC_SIMULATOR if path in texts)
    if lines > GENERIC_BUDGET:
        names = ", ".join(path.name for path in GENERIC_SIMULATOR)
        yield Violation(
            GENERIC_SIMULATOR[0], 1, f"{names} have {lines} lines of code together, of {GENERIC_BUDGET} at most"
        )


def lines_of_code(text: str) -> int:
    """The lines of a Python file that are no blank line, comment or docstring."""
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    said = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in silent
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        # a docstring: a statement that is a constant
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            said -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(said)


def beyond_the_cluster(path: PurePosixPath, text: str) -> Iterator[Violation]:
    """Spark calls in a workload outside the modules that own the lake.

    A call of `write` is a file's: Spark's is a property.
    """
    if path.parts[0] != "workloads" or path in LAKE_MODULES:
        return
    tree = ast.parse(text, str(path))
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in FORBIDDEN_IN_WORKLOADS:
            continue
        if node.attr == "write" and id(node) in called:
            continue
        yield Violation(
            path,
            node.end_lineno or node.lineno,
            f".{node.attr}: only {', '.join(module.name for module in LAKE_MODULES)} of workloads/lakehouse may; "
            "read and write through them",
        )


def unknown_folders(names: Iterable[str]) -> Iterator[Violation]:
    """Top-level folders that are no rooms of the house."""
    for name in names:
        if name not in (*ROOMS, *OTHER_FOLDERS, *MADE) and not name.endswith(".egg-info"):
            yield Violation(PurePosixPath(name), 1, "a new top-level folder needs an ADR and a line in house_rules.py")


def check(folders: Iterable[str], texts: Mapping[PurePosixPath, str]) -> list[Violation]:
    """All violations in a tree, given its top-level folders and the text of its Python files, in order."""
    found = [*unknown_folders(folders), *generic_over_budget(texts)]
    for path, text in texts.items():
        found += over_budget(path, text)
        found += beyond_the_cluster(path, text)
    return sorted(found)


def python_files(root: Path) -> dict[PurePosixPath, str]:
    """The Python files of the rooms."""
    return {
        PurePosixPath(path.relative_to(root).as_posix()): path.read_text(encoding="utf-8")
        for room in ROOMS
        for path in sorted((root / room).rglob("*.py"))
    }


def main(arguments: Sequence[str] = ()) -> int:
    """Check the checkout, or the tree named by the first argument; returns 1 where a rule is broken."""
    root = Path(arguments[0]) if arguments else paths.ROOT
    found = check([path.name for path in root.iterdir() if path.is_dir()], python_files(root))
    for violation in found:
        print(violation)
    print(f"rules of the house: {len(found)} broken" if found else "rules of the house: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
