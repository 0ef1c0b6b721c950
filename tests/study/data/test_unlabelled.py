"""Images without labels, in the form of those that a study was trained on."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest
from PIL import Image

from study.data import unlabelled
from study.errors import StudyError
from study.images import Pixels

X = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)


def read(*sources: Any, shape: tuple[int, int, int] = (8, 8, 3)) -> tuple[list[str], Pixels]:
    found = list(unlabelled.batches(sources, shape, are_bytes=True))
    return [name for names, _ in found for name in names], np.concatenate([pixels for _, pixels in found])


def saved(file: Path, *arrays: Any, **named: Any) -> Path:
    np.savez(file, *arrays, **named)
    return file


def test_files_folders_and_arrays_are_read_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unlabelled, "AT_A_TIME", 2)
    photos = pictures.write_classes(tmp_path / "photos", images=2, classes=("cat", "dog"))
    (photos / ".hidden").write_text("no image")
    pictures.pixels(7).save("one.png")
    names, pixels = read(Path("one.png"), photos, saved(tmp_path / "a.npz", x=X[:2]))
    assert names == ["one.png", *(f"photos/{name}/{n}.png" for name in ("cat", "dog") for n in (0, 1)),
                     "a.npz[0]", "a.npz[1]"]  # fmt: skip
    assert np.array_equal(pixels[0], pictures.pixels(7))
    assert np.array_equal(pixels[1], pictures.pixels(0))
    assert np.array_equal(pixels[-2:], X[:2])


def test_pictures_are_scaled_as_those_of_a_folder_are(tmp_path: Path) -> None:
    pictures.pixels(1, 20, 30).save(tmp_path / "large.png")
    _, pixels = read(tmp_path / "large.png")
    expected = pictures.pixels(1, 20, 30).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(pixels[0], expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_grey_pictures_are_grey_whatever_they_are_stored_as(mode: str, tmp_path: Path) -> None:
    grey = pictures.pixels(1).convert("L")
    grey.convert(mode).save(tmp_path / "grey.png")
    assert np.array_equal(read(tmp_path / "grey.png", shape=(8, 8, 1))[1][0, :, :, 0], grey)
    assert np.array_equal(read(tmp_path / "grey.png")[1][0, :, :, 2], grey)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": X, "y": np.arange(5)}, {"x_test": X, "x_train": X[:1]}, {"anything": X}, {"x": X / 255},
        {"x": X.astype(np.float32)}, {"x": np.moveaxis(X, -1, 1)},
    ],
    ids=["x", "x_test", "alone", "0 to 1", "floats", "channels first"],
)  # fmt: skip
def test_arrays_become_the_bytes_that_they_are_in_training(arrays: dict[str, Any], tmp_path: Path) -> None:
    assert np.array_equal(read(saved(tmp_path / "a.npz", **arrays))[1], X)


def test_streams_hold_arrays_or_a_picture() -> None:
    archive, array, picture = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(archive, X)
    np.save(array, X[:1])
    Image.fromarray(X[0]).save(picture, "PNG")
    for stream in (archive, array, picture):
        stream.seek(0)
    names, pixels = read(archive, array, picture)
    assert names == [*(f"-[{row}]" for row in range(5)), "-[0]", "-"]
    assert np.array_equal(pixels, np.concatenate([X, X[:1], X[:1]]))


def test_black_images_are_nothing_unusual(tmp_path: Path) -> None:
    assert not read(saved(tmp_path / "a.npz", np.zeros_like(X)))[1].any()


def write(folder: Path, what: str) -> Path:
    file = folder / "given"
    if what == "folder":
        file.mkdir()
    elif what == "text":
        file.write_text("no image")
    elif what == "nothing":
        file.write_bytes(b"")
    elif what == "colour":
        pictures.pixels(0).save(file, "PNG")
    elif what != "missing":
        arrays: dict[str, dict[str, Any]] = {
            "several": {"a": X, "b": X}, "none": {}, "other shape": {"x": X[:, :5]}, "channels": {"x": X[..., :1]},
            "NaN": {"x": np.full(X.shape, np.nan)}, "text array": {"x": np.array(["a"])},
            "objects": {"x": np.array([{}])}, "beyond": {"x": X * 2.0}, "empty": {"x": X[:0]},
        }  # fmt: skip
        saved(file.with_suffix(".npz"), **arrays[what]).rename(file)
    return file


@pytest.mark.parametrize(
    "what, shape, said",
    [
        ("missing", (8, 8, 3), "given cannot be read: No such file or directory .* holds nothing"),
        ("folder", (8, 8, 3), "given has no files; give image files"),
        ("text", (8, 8, 3), "given is no readable image .it is none of JPEG"),
        ("nothing", (8, 8, 3), "given is no readable image"),
        ("colour", (8, 8, 1), "given is in colour .3 channels., and the images of the study are grey"),
        ("colour", (8, 8, 4), "given is no array, and the images of the study have 4 channels"),
        ("several", (8, 8, 3), "must have one array of images, called x or x_test; it has a, b"),
        ("none", (8, 8, 3), "given is no readable image|it has none"),
        ("other shape", (8, 8, 3), r"its images are \(5, 8, 3\), those of the study \(8, 8, 3\)"),
        ("channels", (8, 8, 3), r"its images are \(8, 8, 1\), those of the study \(8, 8, 3\)"),
        ("NaN", (8, 8, 3), "has pixels that are NaN"),
        ("text array", (8, 8, 3), "must be images"),
        ("objects", (8, 8, 3), "is not a NumPy archive of numbers"),
        ("beyond", (8, 8, 3), "pixels must be from 0 to 255, or 0 to 1; they are float64 from 0 to 510"),
        ("empty", (8, 8, 3), r"must be images \(n, height, width\[, channels\]\); its shape is \(0, 8, 8, 3\)"),
    ],
)
def test_what_cannot_be_read_is_a_line(
    what: str, shape: tuple[int, int, int], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=said) as raised:
        read(write(tmp_path, what), shape=shape)
    assert "\n" not in str(raised.value)
