"""The artifacts of a final, for Optuna's dashboard and other readers: its predictions, its confusion matrix as a
picture, and its model if that is the one that is kept. A dashboard is given one folder for all studies of a home. What
is in a study's folder takes no room there: it is linked."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from PIL import Image, ImageDraw

from study.config import FINALS
from study.paths import ARTIFACTS
from study.storage.store import StoredStudy
from study.system import files
from study.system.files import is_local

CELL, MARGIN, LARGEST = 40, 60, 2000
"""Pixels of the picture: the side of a cell (smaller for many classes), the margin, the most for all cells together."""
READABLE = 24  # pixels of the smallest cell that a number fits into; smaller ones have none


class LinkStore(FileSystemArtifactStore):
    """Keeps a file as another name of the same one (a hard link), and where that cannot be, as a copy."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        try:
            os.link(content_body.name, self._folder / artifact_id)
        except OSError:  # on another disk, or on one without links
            super().write(artifact_id, content_body)


def upload(home: Path, storage: BaseStorage, trial: FrozenTrial, new: list[Path]) -> None:
    """Keep files with a running trial, or raise an `OSError`; one that it has already, by name, is not kept
    twice. Nothing is done for a home in an object store: Optuna's dashboard reads artifacts from a folder."""
    if not is_local(home):
        return
    folder = home / ARTIFACTS
    folder.mkdir(parents=True, exist_ok=True)
    store = LinkStore(folder)
    kept = {meta.filename for meta in get_all_artifact_meta(trial, storage=storage)}
    for file in new:
        if file.name not in kept:
            upload_artifact(artifact_store=store, file_path=str(file), study_or_trial=trial, storage=storage)


def remove(study: StoredStudy) -> None:
    """Delete the artifacts of a study's finals."""
    storage = study.store.storage
    for trial in study.part(FINALS).get_trials(deepcopy=False):
        for meta in get_all_artifact_meta(trial, storage=storage):
            files.remove(study.store.home / ARTIFACTS / meta.artifact_id)


@contextmanager
def confusion_file(confusion: list[list[int]]) -> Iterator[Path]:
    """The picture of a confusion matrix as a file, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "confusion.png"
        confusion_picture(confusion).save(file)
        yield file


def confusion_picture(confusion: list[list[int]]) -> Image.Image:
    """Test images by true class (row) and predicted class (column); the darker, the larger the share of the row."""
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = counts.shape
    cell = max(1, min(CELL, LARGEST // max(rows, columns)))
    shades = np.rint(255 * (1 - shares)).astype(np.uint8)
    colors = Image.fromarray(np.stack([shades, shades, np.full_like(shades, 255)], axis=-1))
    cells = colors.resize((columns * cell, rows * cell), Image.Resampling.NEAREST)
    if cell < READABLE:
        return cells
    picture = Image.new("RGB", (MARGIN + cells.width, MARGIN + cells.height), "white")
    picture.paste(cells, (MARGIN, MARGIN))
    draw, label, middle = ImageDraw.Draw(picture), MARGIN - 14, MARGIN + cell // 2
    draw.text((4, 4), "true \\ predicted", fill="black")
    for column in range(columns):
        draw.text((middle + column * cell, label), str(column), fill="black", anchor="mm")
    for row in range(rows):
        draw.text((label, middle + row * cell), str(row), fill="black", anchor="mm")
    for row, column in np.ndindex(rows, columns):
        left, top = MARGIN + column * cell, MARGIN + row * cell
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), outline=(220, 220, 220))
        color = "white" if shares[row, column] > 0.5 else "black"
        draw.text((left + cell // 2, top + cell // 2), str(counts[row, column]), fill=color, anchor="mm")
    return picture
