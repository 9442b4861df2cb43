"""Looking up what is already there: by name, at once, and never of this stack's own making."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from components.site import OWNER_TAG

Found = TypeVar("Found")


class ExistingError(Exception):
    """A resource named under `existing:` is not there, or is this stack's own; the text says which."""


class MissingError(ExistingError):
    """It is not there, or cannot be looked at."""


def look_up(what: str, name: str, owner: str, get: Callable[[], Found]) -> Found:
    """What `get` finds. It is looked up at once, so that nothing has changed yet where it is not there.

    Raises MissingError where there is nothing of that name, and ExistingError where the owner tag says that this stack
    created it: no longer declared, it would be deleted.
    """
    try:
        found = get()
    except Exception as error:  # noqa: BLE001 - the engine raises a plain Exception for whatever a provider answers
        reason = str(error).rpartition("returned an error: ")[2].splitlines()[0]
        raise MissingError(f"existing.{what}: {name!r} cannot be used: {reason}") from None
    if (getattr(found, "tags", None) or {}).get(OWNER_TAG) == owner:
        raise ExistingError(
            f"existing.{what}: this stack created {name!r} itself and would delete it; hand it over first, by the"
            " setting `handover` (docs/how-to/change-what-stands.md)"
        )
    return found
