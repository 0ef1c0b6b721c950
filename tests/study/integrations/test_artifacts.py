"""Predictions, pictures and models as Optuna's artifacts."""

from pathlib import Path

import numpy as np
from helpers import Command, opened
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta
from PIL import Image

from study.integrations.artifacts import CELL, LARGEST, MARGIN, LinkStore, confusion_file, confusion_picture

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "2", "--quiet")


def test_finals_keep_predictions_picture_and_the_best_model(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    study = opened(home, "a")
    storage = study.store.storage
    models = []
    for trial in study.part("finals").trials:
        kept = {meta.filename: meta for meta in get_all_artifact_meta(trial, storage=storage)}
        models += [name for name in kept if name.endswith(".keras")]
        (predictions,) = (name for name in kept if name.endswith(".npz"))
        assert kept["confusion.png"].mimetype == "image/png"
        assert len(kept) == len(set(kept)) <= 3
        store = FileSystemArtifactStore(home / "artifacts")
        copy = home / "copy"
        download_artifact(artifact_store=store, file_path=str(copy), artifact_id=kept[predictions].artifact_id)
        assert copy.read_bytes() == (home / "a" / "predictions" / predictions).read_bytes()
        copy.unlink()
        for name, folder in ((name, "models" if name.endswith(".keras") else "predictions") for name in kept):
            if name != "confusion.png":  # not a copy, but the same file
                assert (home / "artifacts" / kept[name].artifact_id).samefile(home / "a" / folder / name)
    assert 1 <= len(models) <= 2  # the winner's, whenever a seed was better than those before it


def test_on_another_disk_artifacts_are_copies(full_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"predictions")
    with (tmp_path / "a.npz").open("rb") as file:
        LinkStore(full_disk).write("one", file)
        LinkStore(tmp_path).write("two", file)
    assert (full_disk / "one").read_bytes() == b"predictions"
    assert not (full_disk / "one").samefile(tmp_path / "a.npz")
    assert (tmp_path / "two").samefile(tmp_path / "a.npz")


def test_the_picture_of_a_confusion_matrix() -> None:
    picture = np.asarray(confusion_picture([[9, 1], [0, 10], [5, 5]]))
    assert picture.shape == (MARGIN + 3 * CELL, MARGIN + 2 * CELL, 3)

    def shade(row: int, column: int) -> int:
        return int(picture[MARGIN + row * CELL + 3, MARGIN + column * CELL + 3, 0])

    shades = [[shade(row, column) for column in range(2)] for row in range(3)]
    assert np.abs(np.array(shades) - [[26, 230], [255, 0], [128, 128]]).max() <= 1
    Image.fromarray(picture).verify()


def test_the_picture_of_many_classes_is_small() -> None:
    with confusion_file(np.eye(300, dtype=int).tolist()) as file:
        picture = Image.open(file)
        assert max(picture.size) <= LARGEST
        assert picture.size == (1800, 1800)
        assert picture.getpixel((3, 3)) == (0, 0, 255)
        assert picture.getpixel((3, 9)) == (255, 255, 255)
    assert not file.exists()
