"""Errors for people: one clear line that says what is wrong, where, and what to do."""

import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """Something a person can put right. Its text is the whole message; no stack trace is shown."""


def run(main: Callable[[], int]) -> None:
    """Run a command's `main` and end the process with its exit code; a `UserError` is one line and exit code 1."""
    try:
        code = main()
        sys.stdout.flush()
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader has gone, as in `… | head`: there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
