"""The names of resources: pure, the same for the same stack, and within what Azure accepts.

A name is `<abbreviation>-<project>-<stack>`; where it must be unique in all of Azure a short hash of subscription,
project and stack follows. A name may be given instead (the settings' `names`); it is held to the same rules.
Source of the rules: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "medallion")
"""The namespace of the GUIDs that we choose, such as the names of role assignments."""


class NamingError(ValueError):
    """A name that Azure would refuse, or a kind of resource that cannot be named; the text says which and why."""


@dataclass(frozen=True)
class Rule:
    """What a kind of resource may be called: length, characters, and whether the name is unique in all of Azure."""

    abbreviation: str
    longest: int
    pattern: str
    accepts: str
    shortest: int = 1
    is_global: bool = False
    separator: str = "-"


_HYPHENATED = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_WORDS = r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?"

_NETWORK = r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NETWORK_ACCEPTS = "letters, digits and _-., a letter or digit first, no . or - last"

RULES: Mapping[str, Rule] = {
    "resource_group": Rule("rg", 90, r"[A-Za-z0-9_().-]*[A-Za-z0-9_()-]", "letters, digits and _-.() (no dot last)"),
    "databricks_resource_group": Rule(
        "rg-dbw", 90, r"[A-Za-z0-9_().-]*[A-Za-z0-9_()-]", "letters, digits and _-.() (no dot last)"
    ),
    "data_lake": Rule("st", 24, r"[a-z0-9]+", "lower-case letters and digits", 3, is_global=True, separator=""),
    "lake_identity": Rule("id-lake", 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, _ and -", 3),
    "aks_identity": Rule("id-aks", 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, _ and -", 3),
    "jobs_identity": Rule("id-jobs", 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, _ and -", 3),
    "pods_identity": Rule("id-pods", 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, _ and -", 3),
    "deploy_identity": Rule("id-deploy", 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, _ and -", 3),
    "workspace": Rule("dbw", 64, _WORDS, "letters, digits, _ and -, a letter or digit first and last", 3),
    "access_connector": Rule("dbac", 64, _WORDS, "letters, digits, _ and -, a letter or digit first and last", 3),
    "data_factory": Rule(
        "adf", 63, _HYPHENATED, "letters, digits and -, a letter or digit first and last", 3, is_global=True
    ),
    "aks_cluster": Rule("aks", 63, _WORDS, "letters, digits, _ and -, a letter or digit first and last"),
    "key_vault": Rule(
        "kv",
        24,
        r"[A-Za-z](-?[A-Za-z0-9])*",
        "letters, digits and single -, a letter first and a letter or digit last",
        3,
        is_global=True,
    ),
    "container_registry": Rule("cr", 50, r"[A-Za-z0-9]+", "letters and digits", 5, is_global=True, separator=""),
    "serving_store": Rule(
        "coscas",
        44,
        r"[a-z0-9]([a-z0-9-]*[a-z0-9])?",
        "lower-case letters, digits and -, a letter or digit first and last",
        3,
        is_global=True,
    ),
    "event_stream": Rule(
        "evhns",
        50,
        r"[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]",
        "letters, digits and -, a letter first and a letter or digit last",
        6,
        is_global=True,
    ),
    "virtual_network": Rule("vnet", 64, _NETWORK, _NETWORK_ACCEPTS, 2),
    "network_security_group": Rule("nsg", 80, _NETWORK, _NETWORK_ACCEPTS),
    "nat_gateway": Rule("ng", 80, _NETWORK, _NETWORK_ACCEPTS),
    "public_ip": Rule("pip", 80, _NETWORK, _NETWORK_ACCEPTS),
    "private_endpoint": Rule("pep", 64, _NETWORK, _NETWORK_ACCEPTS, 2),
    "log_workspace": Rule("log", 63, _HYPHENATED, "letters, digits and -, a letter or digit first and last", 4),
    "action_group": Rule("ag", 260, r"[^:<>+/&%\\?|]*[^:<>+/&%\\?|. ]", "no :<>+/&%\\?|, no blank or dot last"),
    "budget": Rule("budget", 63, r"[A-Za-z0-9_-]+", "letters, digits, _ and -"),
}


def check(kind: str, name: str) -> str:
    """`name`, if a resource of that kind may have it. Raises NamingError, which says what is accepted."""
    if kind not in RULES:
        raise NamingError(f"names.{kind}: there is no such resource to name; there are {', '.join(sorted(RULES))}")
    rule = RULES[kind]
    if not rule.shortest <= len(name) <= rule.longest:
        raise NamingError(f"names.{kind}: {name!r} has {len(name)} characters, not {rule.shortest} to {rule.longest}")
    if not re.fullmatch(rule.pattern, name):
        raise NamingError(f"names.{kind}: {name!r} is refused; accepted are {rule.accepts}")
    return name


@dataclass(frozen=True)
class Names:
    """The names of one stack. `seed` (the subscription's id) keeps global names of two subscriptions apart."""

    project: str
    stack: str
    seed: str
    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, name in self.given.items():
            check(kind, name)

    @property
    def suffix(self) -> str:
        """Six characters that differ between subscriptions, projects and stacks, and never change."""
        return _hash(self.seed, self.project, self.stack)

    def of(self, kind: str, *what: str) -> str:
        """The name of the resource of that kind: the given one, else one made of project and stack, cut to fit.

        `what` tells several of a kind apart. A cut name ends in a hash as well, so that two long names that begin alike
        stay apart.
        """
        if kind in self.given and not what:
            return self.given[kind]
        if kind not in RULES:
            raise NamingError(f"names.{kind}: there is no such resource to name; there are {', '.join(sorted(RULES))}")
        rule = RULES[kind]
        words = [rule.abbreviation, self.project, self.stack, *what]
        if rule.separator == "":
            words = [re.sub(r"[^a-z0-9]", "", word.lower()) for word in words]
        name = re.sub("-+", "-", rule.separator.join(words))  # a key vault takes no two in a row
        tail = rule.separator + _hash(self.seed, self.project, self.stack, *what)
        if rule.is_global or len(name) > rule.longest:
            name = name[: rule.longest - len(tail)].rstrip("-_") + tail
        return check(kind, name)

    def guid(self, *logical: str) -> str:
        """A GUID made of logical names: the same on every machine and in every run."""
        return str(uuid.uuid5(NAMESPACE, "/".join((self.seed, self.project, self.stack, *logical))))


def _hash(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:6]
