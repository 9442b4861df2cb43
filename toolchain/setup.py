"""`python -m toolchain.setup [PART …]`: what the platform needs beside Python, all if no part is named."""

import argparse
from collections.abc import Sequence

from toolchain import class_data, jars, java, pulumi
from toolchain.errors import run

PARTS = {"pulumi": pulumi.install, "java": java.install, "jars": jars.install, "class-data": class_data.install}


def progress(message: str) -> None:
    """Say what takes time."""
    print(f"set-up: {message} …", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up what is missing; quiet and quick where nothing is."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.setup", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}")
    wanted = parser.parse_args(arguments).parts or list(PARTS)
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    for part in wanted:
        PARTS[part](progress)
    return 0


if __name__ == "__main__":
    run(main)
