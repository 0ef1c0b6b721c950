"""The application that the commands register with, and how they print."""

import typer

from study.errors import printable

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Tune Keras image classifiers with Optuna, keep every trial in SQLite, compare the best on the test set.",
)


def echo(text: str) -> None:
    """Print a line, or several."""
    typer.echo(printable(text))
