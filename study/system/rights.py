"""Who may write which file: several people may share a folder."""

import os
from contextlib import suppress
from pathlib import Path

from study.errors import StudyError


def user_of(path: Path) -> str:
    """The name of the user whom a file or folder belongs to, or the number of one without a name."""
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def obstacle(path: Path, *, is_folder: bool = False) -> str | None:
    """What keeps this process from writing a file or a folder, or from creating it, in words; None where nothing does.

    Args:
        path: The file or folder.
        is_folder: Which of the two.
    """
    path = path.absolute()
    try:
        there = next(place for place in (path, *path.parents) if place.exists())
        is_fit = there.is_dir() if is_folder or there != path else not there.is_dir()
    except PermissionError as error:
        there, is_fit = Path(error.filename), False
    if is_fit and os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        return None
    return described(there)


def described(there: Path) -> str:
    """A file or folder that is in the way, with its owner where that is somebody else."""
    for place in (there, *there.absolute().parents):
        with suppress(PermissionError):
            user = place.stat().st_uid
            return f"{place} belongs to {user_of(place)}" if user != os.geteuid() else f"{place} is in the way"
    return f"{there} is in the way"


def explained(file: Path, error: OSError) -> str:
    """Why a file could not be written, in words, with whom to ask where it belongs to somebody else."""
    found = obstacle(file) if isinstance(error, PermissionError) else None
    return f"{error.strerror or error}" + (f" ({found})" if found else "")


def unwritable(file: Path, error: OSError) -> StudyError:
    """What to say where a file of a home could not be written."""
    return StudyError(f"{file} cannot be written: {explained(file, error)}; make it writable or give another --home")


def give_rights_of(model: Path, file: Path) -> None:
    """Let those who may write one file write another one, where that is this user's: what one person creates must not
    lock out the others. SQLite does the same with the files that it needs beside a database."""
    with suppress(OSError):
        wanted, found, user = model.stat(), file.stat(), os.geteuid()
        if found.st_uid != user:
            return
        if (wanted.st_mode ^ found.st_mode) & 0o777:
            file.chmod(wanted.st_mode & 0o777)
        owner = wanted.st_uid if user == 0 else user
        if (owner, wanted.st_gid) != (found.st_uid, found.st_gid):
            os.chown(file, owner, wanted.st_gid)
