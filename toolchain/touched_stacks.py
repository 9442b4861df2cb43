"""Which stacks a change touches: `git diff --name-only BASE... | python -m toolchain.touched_stacks` prints a list.

A stack's settings file touches that stack; what every program or run is made of touches all; prose touches none.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable

STACKS = ("local", "dev", "staging", "prod")
SHARED = re.compile(
    r"^(stacks|components|workloads|dashboards|policies|services|simulator|toolchain)/(?!.*\.md$)"
    r"|^(Pulumi\.yaml|pyproject\.toml|requirements\.txt|Makefile)$"
)
SETTINGS = re.compile(r"^Pulumi\.(\w+)\.yaml$")


def touched(files: Iterable[str]) -> list[str]:
    """The stacks that a change of these files (paths from the root) touches, in the order of `STACKS`."""
    files = list(files)
    if any(SHARED.match(file) for file in files):
        return list(STACKS)
    named = {match[1] for file in files if (match := SETTINGS.match(file))}
    return [stack for stack in STACKS if stack in named]


if __name__ == "__main__":
    print(json.dumps(touched(line.strip() for line in sys.stdin)))
