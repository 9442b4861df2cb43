"""The `medallion` command. It owns runs; `pulumi` owns resources and `make` prepares."""

from __future__ import annotations

import os

import typer

from medallion.cost import cost
from medallion.doctor import doctor
from medallion.feedback import feedback
from medallion.generate import generate
from medallion.model import model
from medallion.options import ANY_OPTIONS
from medallion.query import query
from medallion.repair import repair
from medallion.replay import replay
from medallion.run import run
from medallion.status import status
from medallion.triggers import triggers
from medallion.upload import upload
from medallion.validate import validate
from toolchain import errors, paths
from workloads.spec import SpecError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Runs of the Medallion lakehouse."
)
for subcommand in (run, upload, status, repair, replay, validate, feedback, model, cost, doctor, triggers):
    app.command()(subcommand)
for subcommand in (generate, query):
    app.command(context_settings=ANY_OPTIONS)(subcommand)


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 1."""
    errors.run(_run)


def _run() -> int:
    os.environ["MEDALLION_HOME"] = str(paths.home())
    try:
        return app(standalone_mode=True) or 0
    except SpecError as error:
        raise errors.UserError(str(error)) from None


if __name__ == "__main__":
    main()
