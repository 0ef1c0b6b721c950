"""Folders of image files: their parts, their kinds, and the copy that is made of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest
from PIL import Image

from study.data import cache, datasets
from study.errors import StudyError


def load(folder: Path, seed: int = 0, **words: Any) -> datasets.Dataset:
    return datasets.load(f"folder:{folder}", seed, data_dir=str(folder.parent / "data"), **words)


def in_order(images: Any) -> list[bytes]:
    return sorted(image.tobytes() for image in images.x)


def written(folder: Path, part: str) -> list[bytes]:
    """The pixels of the files of a part."""
    return sorted(np.asarray(Image.open(file)).tobytes() for file in (folder / part).rglob("*.png"))


@pytest.mark.parametrize("names", [("train", "test", "val"), ("Train", "TEST", "validation"), ("train", "test")])
def test_folders_of_parts_are_taken_as_they_are(names: tuple[str, ...], tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", *names)
    data = load(folder)
    assert data.class_names == pictures.CLASSES
    assert in_order(data.test()) == written(folder, names[1])
    if len(names) == 3:
        assert in_order(data.train) == written(folder, names[0])
        assert in_order(data.validation) == written(folder, names[2])
    else:
        assert in_order(data.train_and_validation) == written(folder, names[0])
    assert (data.remark, data.leak) == ("", "")


def test_each_image_has_the_label_of_its_folder(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    for part, name in ((load(folder).train_and_validation, "train"), (load(folder).test(), "test")):
        meant = {np.asarray(Image.open(file)).tobytes(): file.parent.name for file in (folder / name).rglob("*.png")}
        assert [meant[x.tobytes()] for x in part.x] == [pictures.CLASSES[y] for y in part.y]


def test_without_a_test_folder_a_share_is_cut_by_the_split_seed(tmp_path: Path) -> None:
    folder = pictures.write_classes(tmp_path / "photos", images=10)
    data = load(folder)
    assert np.bincount(data.test().y).tolist() == [2, 2, 2]
    assert data.remark == f"{folder} has no test part: 6 of 30 images, drawn by the split seed, are kept for the test"
    assert sorted([*in_order(data.train_and_validation), *in_order(data.test())]) == written(folder, "")
    assert np.bincount(load(folder, test_share=0.5).test().y).tolist() == [5, 5, 5]
    assert load(folder).parts == data.parts
    assert load(folder, seed=1).parts["x_test"] != data.parts["x_test"]


def test_a_class_may_be_called_like_a_part(tmp_path: Path) -> None:
    assert load(pictures.write_classes(tmp_path / "vehicles", classes=("car", "train"))).class_names == ("car", "train")


def test_a_class_may_be_missing_in_the_test_folder(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    shutil.rmtree(folder / "test" / "cat")
    data = load(folder)
    assert (data.num_classes, sorted(set(data.test().y.tolist()))) == (3, [1, 2])


def test_what_systems_leave_in_folders_is_no_image(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    parts = load(folder).parts
    (folder / "__MACOSX").mkdir()
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "train" / "cat" / name).write_text("x")
    (folder / "README.txt").write_text("about")
    assert load(folder).parts == parts


GREY, COLOUR = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4, np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
KINDS: dict[str, tuple[Callable[[Path], Any], Any]] = {
    "png": (lambda file: Image.fromarray(COLOUR).save(file, "PNG"), COLOUR),
    "bmp": (lambda file: Image.fromarray(COLOUR).save(file, "BMP"), COLOUR),
    "webp": (lambda file: Image.fromarray(COLOUR).save(file, "WEBP", lossless=True), COLOUR),
    "jpeg": (lambda file: Image.new("RGB", (8, 8), (200, 200, 200)).save(file, "JPEG"), np.full((8, 8, 3), 200)),
    "CMYK": (lambda file: Image.new("CMYK", (8, 8), (0, 0, 0, 55)).save(file, "JPEG"), np.full((8, 8, 3), 200)),
    "gif": (
        lambda file: Image.fromarray(GREY).save(file, "GIF", save_all=True, append_images=[Image.new("L", (8, 8))]),
        GREY[..., None].repeat(3, 2),
    ),
    "palette": (lambda file: Image.fromarray(COLOUR).quantize(64).save(file, "PNG"), COLOUR),
    "grey": (lambda file: Image.fromarray(GREY).save(file, "PNG"), GREY[..., None]),
    "black and white": (
        lambda file: Image.fromarray(GREY >= 128).save(file, "PNG"),
        np.where(GREY >= 128, 255, 0)[..., None],
    ),
    "16 bits": (lambda file: Image.fromarray(GREY.astype(np.uint16) * 257).save(file, "PNG"), GREY[..., None]),
    "alpha": (
        lambda file: Image.fromarray(np.dstack([COLOUR, np.uint8(255) * (GREY >= 128)])).save(file, "PNG"),
        np.where(GREY[..., None] >= 128, COLOUR, 255),
    ),
    "grey with alpha": (
        lambda file: Image.fromarray(np.dstack([GREY, np.full_like(GREY, 0)]), "LA").save(file, "PNG"),
        np.full((8, 8, 1), 255),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_kind(kind: str, tmp_path: Path) -> None:
    write, meant = KINDS[kind]
    for name in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            write(tmp_path / "photos" / name / str(number))  # what it is, its content says
    data = load(tmp_path / "photos")
    assert np.abs(data.train.x.astype(int) - meant).max() <= (0 if kind != "palette" else 8)
    assert data.input_shape == meant.shape


def test_grey_among_colours_is_in_colour(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    Image.fromarray(GREY).save(folder / "test" / "cat" / "0.png")
    data = load(folder)
    assert data.input_shape == (8, 8, 3)
    assert GREY[..., None].repeat(3, 2).tobytes() in in_order(data.test())


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_images_are_turned_as_the_camera_was_held(suffix: str, tmp_path: Path) -> None:
    upright = pictures.pixels(0, 16, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    for name in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            file = tmp_path / "photos" / name / f"{number}.{suffix}"
            upright.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif, quality=100, subsampling=0)
    data = load(tmp_path / "photos")
    assert data.input_shape == (16, 8, 3)
    assert np.abs(data.train.x[0].astype(int) - np.asarray(upright)).mean() < 3


def test_images_of_many_sizes_need_one(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    for number in range(7):
        pictures.pixels(number, 9 + number, 20).save(folder / "train" / "cat" / f"large{number}.jpg")
    with pytest.raises(StudyError) as refused:
        load(folder)
    assert str(refused.value).startswith(f"{folder} has images of 8 sizes, height x width: 8x8 (36), 9x20 (1), ")
    assert str(refused.value).endswith("and 3 more; give --image-size, such as --image-size 8x8")
    data = load(folder, image_size="5x6")
    assert data.input_shape == (5, 6, 3)
    assert len(data.train_and_validation) == 25
    assert load(folder, image_size="6x5").input_shape == (6, 5, 3)


def test_a_smaller_image_is_an_average(tmp_path: Path) -> None:
    """Also of a large JPEG file, of which fewer pixels are decoded."""
    black, white = Image.new("L", (400, 800)), Image.new("L", (400, 800), "white")
    both = Image.new("L", (800, 800))
    both.paste(black, (0, 0))
    both.paste(white, (400, 0))
    for name in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            both.save(tmp_path / "photos" / name / f"{number}.jpg")
    found = load(tmp_path / "photos", image_size="4x4").train.x[0, :, :, 0].astype(int)
    assert np.abs(found[:, [0, 3]] - [0, 255]).max() <= 32
    assert (found == found[0]).all()


def spoil(folder: Path) -> None:
    """An empty file, a text, and half an image, whose header is whole."""
    (folder / "train" / "cat" / "a.png").write_bytes(b"")
    (folder / "train" / "cat" / "b.txt").write_text("notes")
    whole = (folder / "test" / "dog" / "0.png").read_bytes()
    (folder / "test" / "dog" / "0.png").write_bytes(whole[: len(whole) // 2])


def test_files_that_are_no_images_are_named_and_left_out_if_that_is_asked_for(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    spoil(folder)
    with pytest.raises(StudyError) as refused:
        load(folder)
    said = str(refused.value)
    assert "\n" not in said
    assert f"{folder} has 2 files that are no readable images: train/cat/a.png (it is empty), train/cat/b.txt (" in said
    assert said.endswith("mend or remove them, or leave them out with --skip-unreadable")
    assert not (tmp_path / "data").exists()
    data = load(folder, skip_unreadable=True)
    assert (len(data.train_and_validation), data.test_images) == (18, 17)
    assert "3 files that are no readable images: test/dog/0.png (OSError" in data.remark
    assert load(folder, skip_unreadable=True).remark == data.remark


def test_half_an_image_is_named(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    whole = (folder / "test" / "dog" / "0.png").read_bytes()
    (folder / "test" / "dog" / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match=r"has 1 file that is no readable image: test/dog/0\.png \(OSError: .*truncat"):
        load(folder)
    assert not (tmp_path / "data").exists()


def test_an_image_of_both_parts_is_a_leak(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "test" / "hen" / "copy.png")
    for _ in range(2):  # decoded, and from the cache
        leak = load(folder).leak
        assert leak.startswith(
            "1 of 19 test images are also training images, such as test/hen/copy.png, which is train/"
        )
        assert "which is train/cat/3.png" in leak


def test_a_folder_is_decoded_once_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    first = load(folder)
    (copy,) = cache.copies(str(tmp_path / "data"))
    assert copy.source == f"folder:{folder}"
    monkeypatch.setattr("study.data.folders.decoded", None)
    assert load(folder).parts == first.parts
    monkeypatch.undo()
    pictures.pixels(9).save(folder / "test" / "hen" / "0.png")
    os.utime(folder / "test" / "hen" / "0.png", (1, 1))
    changed = load(folder)
    assert changed.parts["x_test"] != first.parts["x_test"]
    assert changed.parts["x_train"] == first.parts["x_train"]


def test_a_folder_is_found_where_it_has_moved(tmp_path: Path) -> None:
    folder = pictures.write_parts(tmp_path / "photos", "train", "test")
    parts = load(folder).parts
    shutil.move(folder, tmp_path / "data" / "photos")
    assert load(folder).parts == parts


def test_test_images_change_nothing_else(tmp_path: Path) -> None:
    folder = pictures.write_classes(tmp_path / "photos", images=10)
    data = load(folder)
    cut = in_order(data.test())
    for file in folder.rglob("*.png"):
        if np.asarray(Image.open(file)).tobytes() in cut:
            Image.new("RGB", (8, 8), "white").save(file)
    changed = load(folder)
    assert (changed.test().x == 255).all()
    assert {part: text for part, text in changed.parts.items() if part != "x_test"} == {
        part: text for part, text in data.parts.items() if part != "x_test"
    }
