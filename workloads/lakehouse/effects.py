"""The one gate of everything that outlasts a task: each durable write passes here, before and after.

A write announces itself as the audit event `medallion.effect` (PEP 578) with the arguments phase (`before` or
`after`), kind and name. So anybody who wants to know what a run changes, and in which order, listens with
`sys.addaudithook` (the tests of killed runs do, and kill the process at the n-th event) without patching a thing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Kind = Literal["table", "file", "model"]

EVENT = "medallion.effect"

log = logging.getLogger(__name__)


@contextmanager
def effect(kind: Kind, name: str) -> Iterator[None]:
    """Encloses one durable write, which must be whole or absent however it ends."""
    sys.audit(EVENT, "before", kind, name)
    yield
    sys.audit(EVENT, "after", kind, name)
    log.info("wrote %s %s", kind, name)
