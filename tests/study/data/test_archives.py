"""NumPy archives: cached, moved, bad and hostile ones."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from study.data import datasets
from study.errors import StudyError


def load(file: Path) -> datasets.Dataset:
    return datasets.load(f"npz:{file}", 0, data_dir=str(file.parent / "data"))


def test_an_archive_is_cached_by_its_content(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    first = load(file)
    assert first.input_shape == (tiny.SIDE, tiny.SIDE, 1)
    assert first.num_classes == tiny.CLASSES
    assert load(file).parts == first.parts
    assert len(list((tmp_path / "data" / "arrays").iterdir())) == 1
    tiny.write_archive(file, seed=1)
    assert load(file).parts != first.parts
    assert len(list((tmp_path / "data" / "arrays").iterdir())) == 2


def test_a_moved_archive_is_found_in_the_data_dir(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    parts = load(file).parts
    (tmp_path / "data").mkdir(exist_ok=True)
    shutil.move(file, tmp_path / "data" / "a.npz")
    assert load(file).parts == parts


def bad_archives() -> dict[str, tuple[dict[str, Any], str]]:
    n = 90
    images = np.zeros((n, 6, 6), np.uint8)
    labels = np.arange(n) % 3
    return {
        "a flat shape": ({"x_train": images.reshape(n, 36)}, "x_train must be images"),
        "another test shape": ({"x_test": np.zeros((45, 5, 5), np.uint8)}, "training images are .* make them the same"),
        "too few labels": ({"y_train": labels[:-1]}, "y_train must be one label per image"),
        "labels from words": ({"y_train": labels.astype(str)}, "y_train must be integer labels counted from 0"),
        "broken labels": ({"y_train": labels + 0.5}, "y_train must be integer labels counted from 0"),
        "negative labels": ({"y_train": labels - 1}, "y_train must be integer labels counted from 0"),
        "NaN pixels": ({"x_train": np.full((n, 6, 6), np.nan)}, "x_train has pixels that are NaN or infinite"),
        "other pixels": ({"x_train": np.full((n, 6, 6), 300)}, "from 0 to 255, or 0 to 1; they are 300 to 300"),
        "an unknown test label": ({"y_test": np.full(45, 7)}, "y_test has the label 7"),
        "a class of one": ({"y_train": np.r_[3, labels[1:]]}, "class 3 has 1"),
        "a class of none": ({"y_train": np.where(labels == 1, 2, labels)}, "class 1 has 0"),
        "one class": ({"y_train": labels * 0}, "y_train has one class"),
    }


@pytest.mark.parametrize("case", bad_archives())
def test_a_bad_archive_is_refused_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    arrays, said = bad_archives()[case]
    file = tiny.write_archive(tmp_path / "bad.npz", **arrays)
    with pytest.raises(StudyError, match=said) as caught:
        load(file)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file]


def test_an_archive_without_the_four_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x_train=np.zeros((3, 2, 2)), y_train=np.zeros(3))
    with pytest.raises(StudyError, match="it lacks x_test, y_test"):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_a_file_that_is_not_an_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(StudyError, match="is not a NumPy archive"):
        load(tmp_path / "bad.npz")


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "bad.npz", y_train=np.array([{}] * 90))
    with pytest.raises(StudyError, match="is not a NumPy archive of numbers"):
        load(file)


def test_a_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.npz cannot be read: No such file"):
        load(tmp_path / "none.npz")


def test_class_names_come_with_the_archive(tmp_path: Path) -> None:
    named = tiny.write_archive(tmp_path / "named.npz", class_names=np.array(["cat", "<b>", "dog"]))
    assert load(named).class_names == ("cat", "<b>", "dog")
    assert load(named).class_names == ("cat", "<b>", "dog")  # from the cache too
    assert load(tiny.write_archive(tmp_path / "bare.npz")).class_names == ()


@pytest.mark.parametrize(
    "names",
    [np.array(["a", "b"]), np.array([1, 2, 3]), np.array([["a", "b", "c"]]), np.array([1, "b", None], dtype=object)],
)
def test_class_names_that_do_not_fit_are_refused(tmp_path: Path, names: Any) -> None:
    with pytest.raises(StudyError, match=r"class_names must be one text per class, shape \(3,\)"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=names))


def test_equal_class_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="class_names must be different texts"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=np.array(["cat", "dog", "cat"])))
