"""The image files of a folder: which part and which class each belongs to."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from study.data.request import cannot_be_read, listed
from study.errors import StudyError, printable
from study.images import Labels

PARTS = {"train": "train", "test": "test", "validation": "val", "val": "val"}
"""What the folders of parts are called, in small or capital letters."""
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
"""What systems put into folders, beside hidden files."""
RULE = "a data set has a folder for each class, with its images"

File = tuple[str, int]
"""A path relative to the folder of the data set, and the number of the class."""


@dataclass(frozen=True)
class Listing:
    """The image files of a data set."""

    folder: Path
    class_names: tuple[str, ...]
    parts: dict[str, list[File]]
    """`train`, and what there is of `val` and `test`."""

    def __iter__(self) -> Iterator[str]:
        return (file for files in self.parts.values() for file, _ in files)

    def labels(self, part: str) -> Labels:
        """The classes of a part's files, int64 (n,); none of a part that is not there."""
        return np.array([label for _, label in self.parts.get(part, ())], np.int64)

    def without(self, files: Iterable[str]) -> "Listing":
        """The same without some files."""
        out = set(files)
        kept = {part: [each for each in found if each[0] not in out] for part, found in self.parts.items()}
        return replace(self, parts=kept)

    def state(self) -> str:
        """The first 64 bits of the SHA-256 of what tells that files have changed: their names, sizes and times. To read
        what is in them would take as long as to decode them."""
        state = hashlib.sha256()
        for file in self:
            found = os.stat(self.folder / file)
            state.update(os.fsencode(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\0"))
        return state.hexdigest()[:16]


def list_files(folder: Path) -> Listing:
    """The files of a folder with class folders, which may lie in folders `train`, `test` and `validation` or `val`.

    Raises:
        StudyError: It has another form, or cannot be read.
    """
    parts = {name: PARTS[name.lower()] for name in _folders(folder) if name.lower() in PARTS}
    parts = {name: part for name, part in parts.items() if _folders(folder / name)}  # else it is a class, of trains
    if not parts:
        classes = _classes(folder)
        return Listing(folder, tuple(map(printable, classes)), {"train": _files(folder, folder, classes, classes)})
    _check_parts(folder, parts)
    (train,) = (name for name, part in parts.items() if part == "train")
    classes, files = _classes(folder / train), {}
    for name, part in sorted(parts.items(), key=lambda each: list(PARTS.values()).index(each[1])):
        own = _classes(folder / name)
        if unknown := sorted(set(own) - set(classes)):
            raise StudyError(f"{folder / name} has the class {listed(unknown)}, which {train} lacks; add or remove it")
        files[part] = _files(folder, folder / name, own, classes)
        if not files[part]:
            raise StudyError(f"{folder / name} has no images; add some, or remove it")
    return Listing(folder, tuple(map(printable, classes)), files)


def _check_parts(folder: Path, parts: dict[str, str]) -> None:
    if others := sorted(set(_folders(folder)) - parts.keys()):
        raise StudyError(f"{folder} has {listed(others)} beside {', '.join(parts)}; move it elsewhere")
    if "train" not in parts.values() or len(set(parts.values())) < len(parts):
        rule = "one folder train, and at most one test and one validation or val"
        raise StudyError(f"{folder} has {', '.join(parts)}; it must have {rule}")


def _classes(folder: Path) -> list[str]:
    """The class folders of a part."""
    inside, classes = _inside(folder), _folders(folder)
    if not inside:
        raise StudyError(f"{folder} is empty; {RULE}")
    if not classes:
        raise StudyError(f"{folder} has no class folders, but {listed(inside)}; {RULE}")
    if loose := [name for name in inside if name not in classes and name.lower().endswith(IMAGES)]:
        raise StudyError(f"{folder} has images beside its class folders: {listed(loose)}; {RULE}")
    return classes


def _files(folder: Path, part: Path, own: list[str], classes: list[str]) -> list[File]:
    """Every file of the class folders `own`, in folders within them too, in the order of their names."""
    try:
        return [(os.path.relpath(file, folder), classes.index(name)) for name in own for file in below(part / name)]
    except OSError as error:
        raise cannot_be_read(Path(error.filename), error, "folder:DIR") from None


def below(folder: Path) -> Iterator[Path]:
    """Every file of a folder, in folders within it too, in the order of their names; what systems put there is no part
    of it.

    Raises:
        OSError: It cannot be read.
    """
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = _kept(folders)
        yield from (Path(place, file) for file in _kept(files))


def _folders(folder: Path) -> list[str]:
    return [name for name in _inside(folder) if (folder / name).is_dir()]


def _inside(folder: Path) -> list[str]:
    try:
        return _kept(os.listdir(folder))
    except OSError as error:
        raise cannot_be_read(folder, error, "folder:DIR") from None


def _kept(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith(".") and name not in JUNK)


def _refuse(error: OSError) -> None:
    raise error
