"""What `optuna.artifacts` keeps of a final, for Optuna's dashboard and whoever reads artifacts: its predictions, its
confusion matrix as a picture, and its model where it is the one that is kept."""

import mimetypes
import tempfile
from pathlib import Path

import numpy as np
import optuna
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from PIL import Image, ImageDraw

from study.files import is_local

FOLDER = "artifacts"
"""Under the home, for all its studies: a dashboard is given one such folder."""
CELL, MARGIN, LARGEST = 40, 60, 2000
"""Pixels of the picture: a cell's side, the space for the classes, and the side of all cells; many classes have small
ones, without numbers."""
READABLE = 24
"""Pixels of a cell that a number fits into."""


def upload(home: Path, trial: optuna.Trial, files: list[Path]) -> None:
    """Keep copies of files with a running trial; one that it has by that name already is not kept twice. An object
    store has the files alone: Optuna's dashboard reads artifacts from a folder.

    Raises:
        OSError: they cannot be written.
    """
    if not is_local(home):
        return
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    store = FileSystemArtifactStore(folder)
    kept = {meta.filename for meta in get_all_artifact_meta(trial)}
    for file in files:
        if file.name not in kept:
            mimetype = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            upload_artifact(artifact_store=store, file_path=str(file), study_or_trial=trial, mimetype=mimetype)


def upload_confusion(home: Path, trial: optuna.Trial, confusion: list[list[int]]) -> None:
    """Keep the picture of a confusion matrix with a running trial."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "confusion.png"
        confusion_picture(confusion).save(file)
        upload(home, trial, [file])


def confusion_picture(confusion: list[list[int]]) -> Image.Image:
    """Test images by true class (row) and predicted class (column); the darker, the larger their share of the row."""
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = counts.shape
    cell = min(CELL, LARGEST // max(rows, columns))
    if cell < READABLE:
        shades = np.rint(255 * (1 - shares)).astype(np.uint8)
        picture = Image.fromarray(np.stack([shades, shades, np.full_like(shades, 255)], axis=-1))
        return picture.resize((columns * max(cell, 1), rows * max(cell, 1)), Image.Resampling.NEAREST)
    picture = Image.new("RGB", (MARGIN + columns * cell, MARGIN + rows * cell), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((4, 4), "true \\ predicted", fill="black")
    for column in range(columns):
        draw.text((MARGIN + column * cell + cell // 2, MARGIN - 14), str(column), fill="black", anchor="mm")
    for row in range(rows):
        middle = MARGIN + row * cell + cell // 2
        draw.text((MARGIN - 14, middle), str(row), fill="black", anchor="mm")
        for column in range(columns):
            left = MARGIN + column * cell
            shade = round(255 * (1 - shares[row, column]))
            box = (left, middle - cell // 2, left + cell - 1, middle + cell // 2 - 1)
            draw.rectangle(box, fill=(shade, shade, 255), outline=(220, 220, 220))
            color = "white" if shares[row, column] > 0.5 else "black"
            draw.text((left + cell // 2, middle), str(counts[row, column]), fill=color, anchor="mm")
    return picture
