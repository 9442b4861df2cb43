"""The one comment of a pull request: `python -m toolchain.preview_comment FOLDER`, a folder of `<stack>.txt`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

MARKER = "<!-- medallion-preview -->"
# GitHub refuses a comment above 65,536 characters.
LIMIT = 65_000
CHANGES = re.compile(r"^\s*(?:\+-|[+~-])\s*(\d+) to (create|update|delete|replace)", re.MULTILINE)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def comment(previews: dict[str, str]) -> str:
    """Markdown from the output of each stack's preview; the ends of long outputs are kept, for the summary is there."""
    if not previews:
        return f"{MARKER}\nThis change touches no stack."
    share = LIMIT // len(previews)
    return "\n".join([MARKER, "## Preview", *(section(stack, previews[stack], share) for stack in sorted(previews))])


def section(stack: str, output: str, limit: int) -> str:
    """One stack's part of the comment, at most `limit` characters long."""
    text = ESCAPES.sub("", output).strip().replace("```", "'''")
    head = f"\n<details><summary><b>{stack}</b>: {summary(text)}</summary>\n\n```\n"
    tail, cut = "\n```\n</details>", "… (cut)\n"
    room = limit - len(head) - len(tail)
    return head + (text if len(text) <= room else cut + text[-(room - len(cut)) :]) + tail


def summary(text: str) -> str:
    """`3 to create, 1 to replace`, `no changes`, or `failed` where the output ends in neither."""
    if found := CHANGES.findall(text):
        return ", ".join(f"{number} to {action}" for number, action in found)
    return "no changes" if re.search(r"^\s*\d+ unchanged", text, re.MULTILINE) else "failed"


if __name__ == "__main__":
    print(comment({file.stem: file.read_text() for file in Path(sys.argv[1]).glob("*.txt")}))
