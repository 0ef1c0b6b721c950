"""Loading a data set by name, and the parts that it is split into."""

from pathlib import Path

import numpy as np
import pytest
import tiny

from study.data import datasets
from study.errors import StudyError
from study.images import Images


def load(file: Path) -> datasets.Dataset:
    return datasets.load(f"npz:{file}", 0, data_dir=str(file.parent / "data"))


def test_digits_need_nothing() -> None:
    digits = datasets.load("digits", 0)
    assert digits.input_shape == (8, 8, 1)
    assert (len(digits.train), len(digits.validation), digits.test_images, digits.num_classes) == (1197, 240, 360, 10)
    assert digits.train.x.dtype == np.uint8
    assert digits.train.x.max() == 255
    assert 0 <= digits.train.scaled.min() < digits.train.scaled.max() <= 1


def test_the_validation_set_is_stratified_and_disjoint() -> None:
    digits = datasets.load("digits", 0)
    shares = np.bincount(digits.validation.y) / np.bincount(np.r_[digits.train.y, digits.validation.y])
    assert shares == pytest.approx(np.full(10, 1 / 6), abs=0.01)
    rows = {image.tobytes() + bytes([label]) for image, label in zip(digits.train.x, digits.train.y, strict=True)}
    assert not rows & {
        image.tobytes() + bytes([label]) for image, label in zip(digits.validation.x, digits.validation.y, strict=True)
    }


def test_training_and_validation_images_share_memory() -> None:
    digits = datasets.load("digits", 0)
    together = digits.train_and_validation
    assert len(together) == len(digits.train) + len(digits.validation)
    for part, rows in ((digits.train, slice(0, 1197)), (digits.validation, slice(1197, None))):
        assert np.array_equal(part.y, together.y[rows])
        assert np.array_equal(part.scaled, Images(part.x, part.y).scaled)
        assert np.shares_memory(part.x, together.x)
        assert np.shares_memory(part.scaled, together.scaled)  # MNIST's 190 MB exist once


def test_models_get_pixels_in_the_range_that_is_asked_for() -> None:
    digits, as_they_are = datasets.load("digits", 0), datasets.load("digits", 0, pixels="0..255")
    for name in ("train_and_validation", "train", "validation"):
        part, usual = getattr(as_they_are, name), getattr(digits, name)
        assert part.scaled.dtype == usual.scaled.dtype == np.float32
        assert np.array_equal(part.scaled, part.x)
        assert np.array_equal(usual.scaled, part.x.astype(np.float32) / np.float32(255))
    assert np.array_equal(as_they_are.test().scaled, digits.test().x)
    assert as_they_are.test().part(slice(3, 9)).scaled.max() > 1
    assert as_they_are.parts == digits.parts


def test_the_validation_set_depends_on_the_split_seed_alone() -> None:
    first, again = datasets.load("digits", 0), datasets.load("digits", 0)
    other = datasets.load("digits", 1)
    assert np.array_equal(first.validation.x, again.validation.x)
    assert not np.array_equal(first.validation.x, other.validation.x)
    assert first.parts == again.parts != other.parts
    assert np.array_equal(first.test().x, other.test().x)


def test_every_array_is_in_the_fingerprint(tmp_path: Path) -> None:
    fingerprints = {tuple(load(tiny.write_archive(tmp_path / "a.npz")).parts.values())}
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    for name in ("x_train", "x_test", "y_test"):
        changed = arrays[name].copy()
        changed.flat[0] = (changed.flat[0] + 1) % tiny.CLASSES
        file = tiny.write_archive(tmp_path / f"{name}.npz", **{name: changed})
        fingerprints.add(tuple(load(file).parts.values()))
    assert len(fingerprints) == 4


def test_arrays_given_in_python_cannot_be_loaded_by_name() -> None:
    with pytest.raises(StudyError, match=r"were given to study\.OptunaTuner as arrays"):
        datasets.load(datasets.ARRAYS_NAME, 0)
