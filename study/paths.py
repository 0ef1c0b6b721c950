"""Names of files and folders: where a study keeps what, and how a path is stored."""

import re
from pathlib import Path

CHECKPOINTS, MODELS, PREDICTIONS, ARTIFACTS = "checkpoints", "models", "predictions", "artifacts"
"""Folders of a study, and (the last) of a home, which keeps the artifacts of all its studies."""
DATABASE = "study.db"
"""The file of a home's database."""


def file_name(space: str) -> str:
    """The name of a space as a part of a file's name: `package.module:object` has a colon."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", space)


def model_file(space: str) -> str:
    """The model of a space's tuned winner, relative to the study's folder."""
    return f"{MODELS}/{file_name(space)}.keras"


def checkpoint_file(what: str, number: int) -> str:
    """The checkpoint of a trial of `what` (a space, or the finals), relative to the study's folder."""
    return f"{CHECKPOINTS}/{file_name(what)}-{number}.npz"


def weights_file(space: str, number: int) -> str:
    """The weights of a trial's best epoch, relative to the study's folder."""
    return f"{MODELS}/{file_name(space)}-{number}.weights.h5"


def predictions_file(space: str, role: str, trial: int, seed_index: int) -> str:
    """What a final predicted, relative to the study's folder."""
    return f"{PREDICTIONS}/{file_name(space)}-{role}-{trial}-seed{seed_index}.npz"


def absolute(path: str | Path | None) -> str | None:
    """A path as it is stored: a study may be resumed from another folder."""
    return None if path is None else str(Path(path).expanduser().absolute())


def absolute_dataset(dataset: str) -> str:
    """The name of a data set, with the path of an archive made absolute."""
    kind, colon, file = dataset.partition(":")
    return f"npz:{absolute(file)}" if kind == "npz" and colon else dataset
