"""The command ``unseg``. Each subcommand is a module here, imported only when it is used."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "release": "Write the student notebooks from the solutions.",
    "check": "Check a notebook of your own, as grading would.",
    "grade": "Grade notebooks, folders or zips of folders.",
    "serve": "Serve the book.",
    "data": "Data sets: what is here, and how to get the others.",
    "bench": "Measure speed and quality against peers.",
}


class LazyGroup(click.Group):
    """Loads ``autograder.cli.<name>`` for the subcommand <name>, so that ``unseg --help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(import_module(f"autograder.cli.{name}"), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unseg")
def main() -> None:
    """Segmentation Without Labels: release, check and grade exercises; data; benchmarks."""
