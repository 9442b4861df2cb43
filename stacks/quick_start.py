"""What makes the program start and end in fewer seconds; imported before all else.

Most of its time goes into loading SDKs: a million objects that all stay. So garbage is not collected, not even at the
end, and of the Databricks SDK, which would load all of its 380 modules, only those are loaded whose classes are used.
`python -m benchmarks.stack_up` measures what comes of it.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import importlib.util
import re
import sys
from types import ModuleType
from typing import Any


def load_lazily(package: str) -> None:
    """Put a package in place whose classes are loaded when they are first asked for, each from the module of its name.

    A class `StorageCredential` lies in the module `storage_credential`, as Pulumi generates SDKs; a function `get_job`
    lies in the module `get_job`, which must not stand in its place once it is loaded.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or package in sys.modules:
        return
    module = importlib.util.module_from_spec(spec)
    module.__getattr__ = lambda name: _class(module, name)  # type: ignore[method-assign]
    sys.modules[package] = module


def _class(package: ModuleType, name: str) -> Any:
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    try:
        found = getattr(importlib.import_module(f"{package.__name__}.{file}"), name)
    except ModuleNotFoundError:
        raise AttributeError(f"module {package.__name__!r} has no class {name!r} in a module of its name") from None
    setattr(package, name, found)
    return found


gc.disable()
atexit.register(gc.freeze)
load_lazily("pulumi_databricks")
