"""The commands. Nothing heavy is imported at module level: `study --help` answers at once."""

import contextlib
import sys
from typing import Any

import typer

from study.cli import training, viewing  # noqa: F401  they register the commands, in the order of the help
from study.cli.app import app
from study.errors import StudyError, printable
from study.system import packages, streams


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 unusable input, 1 a failure, 130 interrupted."""
    packages.claim()
    from search_spaces import SpaceError

    try:
        result = app(args=arguments, prog_name="study", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except StudyError as error:
        return _complain(str(error), error.exit_code)
    except SpaceError as error:
        return _complain(str(error), StudyError.exit_code)
    except Exception as error:
        failures = sys.modules.get("study.storage.failures")  # not imported here: it is heavy
        if failures is not None and isinstance(error, failures.FAILURES):
            failure = failures.failure(error)
            return _complain(str(failure), failure.exit_code)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(str(error), err=True)
            return 2
        if hasattr(error, "format_message"):
            return _complain(_usage(error), 2)
        raise


def entry_point() -> None:
    """The console script."""
    streams.last()
    exit_code = main()
    if (lost := streams.lost()) is not None:
        exit_code = _complain(f"the output could not be written ({lost.strerror})", 1)
    sys.exit(exit_code)


def _usage(error: Any) -> str:
    """A usage error in one line; for an option of `run` that `resume` does not take, why."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "study"
    option = getattr(error, "option_name", None)
    if command == "study resume" and option in _options_of("run"):
        return f"{option} is fixed when a study starts; 'study resume' takes {', '.join(_options_of('resume'))}"
    if command == "study run" and "unexpected extra argument" in message:
        message += "; repeat --space for several: --space dense --space cnn"
    return f"{message}; '{command} --help' lists what it takes"


def _options_of(name: str) -> list[str]:
    command: Any = typer.main.get_command(app)
    options = [each for each in command.commands[name].params if each.param_type_name == "option"]
    return [flag for option in options for flag in option.opts if flag.startswith("--")]


def _complain(message: str, exit_code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it any more
        typer.echo(printable(f"study: {message}"), err=True)
    return exit_code
