"""Files that are there as a whole or not at all, whatever happens while they are written."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


def write_whole(file: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a draft, bring it to the disk, and put it in the place of `file` in one step.

    The draft lies beside it and names its process, so that two writers do not meet in it.

    Raises:
        OSError: it cannot be written; what was in its place is still there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"draft-{os.getpid()}-{file.name}")
    try:
        save(draft)
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def sweep_drafts(folder: Path) -> None:
    """Delete the drafts that dead processes left in a folder."""
    for file in folder.glob("draft-*"):
        owner = re.match(r"draft-(\d+)-", file.name)
        if owner is not None and not psutil.pid_exists(int(owner[1])):
            file.unlink(missing_ok=True)
