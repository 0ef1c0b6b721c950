"""What is said of an error, whatever a user's code makes of it."""

import sys
from typing import Any

import pytest

from study.errors import Ended, one_line, printable, traceback_end


class Unreadable(Exception):
    """Has no text: its `__str__` raises, ends the process, or returns what is no text."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how

    def __str__(self) -> str:
        if self.how == "raises":
            raise RuntimeError("no text")
        if self.how == "exits":
            sys.exit(3)
        number: Any = 5
        return number  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["raises", "exits", "returns a number"])
def test_an_error_without_a_text(how: str) -> None:
    try:
        raise Unreadable(how)
    except Unreadable as error:
        assert one_line(error) == "Unreadable: (it has no text that can be read)"
        assert "Unreadable" in traceback_end(error)


@pytest.mark.parametrize(
    "text, said",
    [
        ("plain, ünïcode, 漢字 and 🦉", "plain, ünïcode, 漢字 and 🦉"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bell\x07 and\rreturn", r"bell\x07 and\rreturn"),
        ("\x9b2J", r"\x9b2J"),
        ("\udcff of a file's name", r"\udcff of a file's name"),
        ("a\u202eb\u2028c", r"a\u202eb\u2028c"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_what_a_terminal_obeys_is_written_as_an_escape(text: str, said: str) -> None:
    assert printable(text) == said
    assert printable(said) == said
    printable(text).encode()


def test_a_line_is_one_line_of_printable_characters() -> None:
    assert one_line(ValueError("two\nlines \x1b[2J \udc80")) == r"ValueError: two lines \x1b[2J \udc80"
    assert one_line(MemoryError()) == "MemoryError"
    assert len(one_line(ValueError("x" * 9999))) == 500
    assert "\x1b" not in traceback_end(ValueError("\x1b[2J"))


def test_what_ended_a_users_code_is_said_by_its_own_name() -> None:
    with pytest.raises(Ended) as caught:
        raise Ended from SystemExit("no data")
    assert one_line(caught.value) == "SystemExit: no data"
