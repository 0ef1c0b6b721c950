"""Data sets, on real archives and, where the files are found, the real MNIST."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from study import datasets
from study.config import StudyConfig
from study.errors import StudyError


def load(file: Path, **options: Any) -> datasets.Dataset:
    return datasets.load(StudyConfig(dataset=f"npz:{file}", data_dir=str(file.parent / "data"), **options))


def test_digits_need_nothing() -> None:
    digits = datasets.load(StudyConfig())
    assert digits.input_shape == (8, 8, 1)
    assert (len(digits.train), len(digits.validation), digits.test_images, digits.num_classes) == (1197, 240, 360, 10)
    assert digits.train.x.dtype == np.uint8
    assert digits.train.x.max() == 255
    assert 0 <= digits.train.scaled.min() < digits.train.scaled.max() <= 1


def test_the_validation_cut_is_stratified_and_disjoint() -> None:
    digits = datasets.load(StudyConfig())
    shares = np.bincount(digits.validation.y) / np.bincount(np.r_[digits.train.y, digits.validation.y])
    assert shares == pytest.approx(np.full(10, 1 / 6), abs=0.01)
    together = digits.train_and_validation
    assert len(together) == len(digits.train) + len(digits.validation)
    for part, rows in ((digits.train, slice(0, 1197)), (digits.validation, slice(1197, None))):
        assert np.array_equal(part.y, together.y[rows])
        assert np.array_equal(part.scaled, datasets.Images(part.x, part.y).scaled)
        assert np.shares_memory(part.x, together.x)
        assert np.shares_memory(part.scaled, together.scaled)  # 190 MB of MNIST are there once
    rows = {image.tobytes() + bytes([label]) for image, label in zip(digits.train.x, digits.train.y, strict=True)}
    assert not rows & {
        image.tobytes() + bytes([label]) for image, label in zip(digits.validation.x, digits.validation.y, strict=True)
    }


def test_the_cut_follows_from_the_split_seed_alone() -> None:
    first, again = datasets.load(StudyConfig()), datasets.load(StudyConfig(seed=5))
    other = datasets.load(StudyConfig(split_seed=1))
    assert np.array_equal(first.validation.x, again.validation.x)
    assert not np.array_equal(first.validation.x, other.validation.x)
    assert first.parts == again.parts != other.parts
    assert np.array_equal(first.test().x, other.test().x)


def test_an_archive_is_cached_and_mapped(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    first = load(file)
    assert first.input_shape == (tiny.SIDE, tiny.SIDE, 1)
    assert first.num_classes == tiny.CLASSES
    cached = list((tmp_path / "data" / "arrays").iterdir())
    assert len(cached) == 1
    assert sorted(each.name for each in cached[0].iterdir()) == [
        "x_test.npy", "x_train.npy", "y_test.npy", "y_train.npy",
    ]  # fmt: skip
    assert load(file).parts == first.parts


def test_a_moved_archive_is_found_in_the_data_dir(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    parts = load(file).parts
    (tmp_path / "data").mkdir(exist_ok=True)
    shutil.move(file, tmp_path / "data" / "a.npz")
    assert load(file).parts == parts


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


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (np.array([0, 128, 255]), [0, 128, 255]),
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 127.6, 255.0]), [0, 128, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_pixels_become_bytes(pixels: Any, expected: list[int]) -> None:
    x = np.tile(pixels, (4, 1)).reshape(4, 1, 3)
    arrays = {"x_train": x, "x_test": x, "y_train": np.array([0, 1, 0, 1]), "y_test": np.array([[0], [1], [0], [1]])}
    checked = datasets.validated("it", arrays)
    assert checked["x_train"].shape == (4, 1, 3, 1)
    assert checked["x_train"][0].ravel().tolist() == expected
    assert checked["y_test"].tolist() == [0, 1, 0, 1]


def bad_archives() -> dict[str, tuple[dict[str, Any], str]]:
    n = 90
    images = np.zeros((n, 6, 6), np.uint8)
    labels = np.arange(n) % 3
    return {
        "a flat shape": ({"x_train": images.reshape(n, 36)}, "x_train must be images"),
        "another test shape": ({"x_test": np.zeros((45, 5, 5), np.uint8)}, "training images are .* make them alike"),
        "too few labels": ({"y_train": labels[:-1]}, "y_train must be one label an image"),
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
def test_a_file_that_is_no_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(StudyError, match="is no NumPy archive"):
        load(tmp_path / "bad.npz")


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "bad.npz", y_train=np.array([{}] * 90))
    with pytest.raises(StudyError, match="is no NumPy archive of numbers"):
        load(file)


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.npz cannot be read: No such file"):
        load(tmp_path / "none.npz")


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    load(file)
    cached = next((tmp_path / "data" / "arrays").iterdir())
    (cached / "x_train.npy").write_bytes(b"torn")
    with pytest.raises(StudyError, match=r"are damaged .* delete that folder"):
        load(file)


def test_an_unknown_data_set_names_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no data set 'mnits'.*digits, mnist, npz:FILE.*did you mean mnist"):
        datasets.load(StudyConfig(dataset="mnits", data_dir=str(tmp_path)))


def test_a_version_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"'mnist:9\.9\.9' cannot be used.*only: 3\.0\.1"):
        datasets.load(StudyConfig(dataset="mnist:9.9.9", data_dir=str(tmp_path)))


def test_a_data_set_of_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no image classification set"):
        datasets.load(StudyConfig(dataset="imdb_reviews", data_dir=str(tmp_path)))


def test_mnist_without_network_and_files_fails_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port
    began = time.monotonic()
    with pytest.raises(StudyError, match=r"mnist is not prepared .*--manual-dir.*--dataset digits"):
        datasets.load(StudyConfig(dataset="mnist", data_dir=str(tmp_path)))
    assert time.monotonic() - began < 15


def test_a_manual_file_with_a_wrong_checksum(tmp_path: Path) -> None:
    manual = tmp_path / "manual"
    manual.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (manual / f"{name}-ubyte.gz").write_bytes(b"forged")
    with pytest.raises(StudyError, match=r"is not the original .its SHA-256 is wrong"):
        datasets.load(StudyConfig(dataset="mnist", manual_dir=str(manual), data_dir=str(tmp_path / "data")))
    assert not (tmp_path / "data" / "arrays").exists()


def test_the_real_mnist(tmp_path: Path, original_mnist: Path) -> None:
    mnist = datasets.load(StudyConfig(dataset="mnist", manual_dir=str(original_mnist), data_dir=str(tmp_path)))
    assert mnist.input_shape == (28, 28, 1)
    assert (len(mnist.train), len(mnist.validation), mnist.test_images) == (50_000, 10_000, 10_000)
    assert isinstance(mnist.test().x, np.ndarray)
    assert np.bincount(mnist.test().y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


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
    with pytest.raises(StudyError, match=r"class_names must be one text a class, shape \(3,\)"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=names))


def test_class_names_that_are_the_same_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="class_names must tell the classes apart"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=np.array(["cat", "dog", "cat"])))
