"""The application that the commands register with, and how they print."""

from typing import Annotated

import typer

from study.errors import printable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Tune Keras image classifiers with Optuna, keep every trial in SQLite, compare the best on the test set.",
)


def _print_version(asked: bool) -> None:
    if asked:
        from study import __version__

        echo(f"study {__version__}")
        raise typer.Exit


@app.callback()
def study(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What comes before a command."""


def echo(text: str) -> None:
    """Print a line, or several."""
    typer.echo(printable(text))
