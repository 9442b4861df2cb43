"""The options that several subcommands share."""

from __future__ import annotations

from typing import Annotated

import typer

WorkloadName = Annotated[str, typer.Argument(metavar="WORKLOAD", help="The workload, such as ssh-logs.")]
Stack = Annotated[str, typer.Option("--stack", envvar="STACK", help="The stack to work on.")]
Cloud = Annotated[str, typer.Option("--cloud", envvar="CLOUD", help="simulated or azure; local is always simulated.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

ANY_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context of a subcommand whose options are the workload's to declare: typer leaves what it does not know alone."""
