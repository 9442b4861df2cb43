"""Where the command prints: results on standard output, progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def emit(document: dict[str, Any], as_json: bool, render: Callable[[Console], None]) -> None:
    """Print a result: the document as JSON for machines, else what `render` prints for people."""
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        render(out)
