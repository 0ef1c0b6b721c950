"""What tests of the commands share: refusals, and what a folder has in it."""

from pathlib import Path

from helpers import Command


def refused(command: Command, *words: str) -> str:
    """The one line of a refusal."""
    code, output, error = command(*words)
    assert code == 2, (output, error)
    assert output.replace("loading TensorFlow and the data ...\n", "") == ""
    assert error.startswith("study: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
