"""What a rule of the pack is: a pure function over a resource's properties, and what is known about the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)
from pulumi_policy.proxy import UnknownValueError

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule: what it says, of which types of resources, and the rules of others that it carries out.

    `violations` gives one message for each way in which the properties break it. `sources` are ids in PSRule
    (AZR-…), Checkov (CKV…), Azure Policy or Databricks' Security Analysis Tool (GOV-…); `link` explains.
    """

    name: str
    description: str
    severity: Severity
    types: tuple[str, ...]
    sources: tuple[str, ...]
    link: str
    violations: Callable[[Properties], Iterator[str]]

    def check(self, type_token: str, properties: Properties) -> list[str]:
        """The violations of a resource.

        A value that is unknown yet, in a preview, breaks nothing: `up` asks again when all values are known.
        """
        found: list[str] = []
        if type_token in self.types:
            try:
                found.extend(self.violations(properties))
            except UnknownValueError:
                return found
        return found

    def policy(self) -> ResourceValidationPolicy:
        """The rule as the engine takes it."""

        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            for message in self.check(args.resource_type, args.props):
                report(f"{args.name}: {message}")

        return ResourceValidationPolicy(
            name=self.name,
            description=f"{self.description} ({', '.join(self.sources)})",
            severity=self.severity,
            enforcement_level=EnforcementLevel.MANDATORY,
            url=self.link,
            validate=validate,
        )
