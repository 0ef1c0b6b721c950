"""Names of files and folders: where a study keeps what, and how a path is stored."""

import re
from contextlib import suppress
from pathlib import Path

from study.errors import StudyError

CHECKPOINTS, MODELS, PREDICTIONS, ARTIFACTS = "checkpoints", "models", "predictions", "artifacts"
"""Folders of a study, and (the last) of a home, which keeps the artifacts of all its studies."""
MISREAD = f"{PREDICTIONS}/misread.npz"
"""The test images that finals misclassified, relative to the study's folder."""
EXAMPLES = "examples.npz"
"""An image of each class, relative to the study's folder."""
HOME = "runs"
"""The folder of the studies, where no other is given."""
KINDS = ("folder", "npz", "csv")
"""The kinds of data sets that are a path."""
DATABASE = "study.db"
"""The file of a home's database."""


def file_name(space: str) -> str:
    """The name of a space as a part of a file's name: `package.module:object` has a colon."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", space)


def model_file(space: str, trial: int) -> str:
    """The model of a finalist's first final, by its trial, relative to the study's folder."""
    return f"{MODELS}/{file_name(space)}-trial{trial}.keras"


def checkpoint_file(what: str, number: int) -> str:
    """The checkpoint of a trial of `what` (a space, or the finals), relative to the study's folder."""
    return f"{CHECKPOINTS}/{file_name(what)}-{number}.npz"


def weights_file(space: str, number: int) -> str:
    """The weights of a trial's best epoch, relative to the study's folder."""
    return f"{MODELS}/{file_name(space)}-{number}.weights.h5"


def predictions_file(space: str, role: str, trial: int, seed_index: int) -> str:
    """What a final predicted, relative to the study's folder."""
    return f"{PREDICTIONS}/{file_name(space)}-{role}-{trial}-seed{seed_index}.npz"


def whole(path: str | Path) -> Path:
    """A path that means the same file wherever this process goes: absolute, and without `~`.

    Raises:
        StudyError: `~` of somebody whom this machine does not know, or the working directory was deleted.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise StudyError(f"there is no home folder for the beginning of {str(path)!r}; give the whole path") from None
    except FileNotFoundError:
        raise StudyError(f"the working directory was deleted, and {str(path)!r} with it; change to another") from None


def absolute(path: str | Path | None) -> str | None:
    """A path as it is stored: a study may be resumed from another folder."""
    return None if path is None else str(whole(path))


def absolute_dataset(dataset: str | Path) -> str:
    """The name of a data set, with a path in it made absolute. A path alone is a folder, a .csv table or an archive."""
    if isinstance(dataset, Path):
        place = whole(dataset)
        return f"{'folder' if place.is_dir() else 'csv' if place.suffix == '.csv' else 'npz'}:{place}"
    kind, colon, path = dataset.partition(":")
    return f"{kind}:{whole(path)}" if kind in KINDS and colon else dataset


def relative(path: Path) -> str:
    """A path for a reader: relative where it lies within the working directory."""
    with suppress(OSError, ValueError, TypeError):  # a place in an object store is relative to no folder
        return str(path.relative_to(Path.cwd()))
    return str(path)
