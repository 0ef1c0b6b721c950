"""The cache of decoded arrays."""

import os
from pathlib import Path

import numpy as np
import pytest

from study.data import cache
from study.data.arrays import ARRAYS
from study.errors import StudyError
from study.images import Arrays


def decode() -> Arrays:
    return {name: np.arange(4) for name in ARRAYS}


def fail() -> Arrays:
    raise StudyError("nothing to decode")


def test_arrays_are_decoded_once_and_mapped(tmp_path: Path) -> None:
    cache.load("key", str(tmp_path), decode)
    again = cache.load("key", str(tmp_path), fail)
    assert {name: array.tolist() for name, array in again.items()} == {name: [0, 1, 2, 3] for name in ARRAYS}
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in again.values())
    assert os.listdir(tmp_path / "arrays") == ["key"]
    assert sorted(os.listdir(tmp_path / "arrays" / "key")) == ["x_test.npy", "x_train.npy", "y_test.npy", "y_train.npy"]


def test_the_default_folder_is_that_of_tensorflow_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    cache.load("key", None, decode)
    assert (tmp_path / "arrays" / "key").is_dir()


def test_what_cannot_be_decoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="nothing to decode"):
        cache.load("key", str(tmp_path), fail)
    assert not os.listdir(tmp_path)


def test_a_faster_process_wins(tmp_path: Path) -> None:
    def decode_slowly() -> Arrays:
        cache.load("key", str(tmp_path), decode)
        return {name: np.zeros(1) for name in ARRAYS}

    assert cache.load("key", str(tmp_path), decode_slowly)["x_train"].tolist() == [0, 1, 2, 3]
    assert os.listdir(tmp_path / "arrays") == ["key"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "arrays").write_text("a file")
    with pytest.raises(StudyError, match=r"cannot be cached in .*arrays/key: .*; give another --data-dir"):
        cache.load("key", str(tmp_path), decode)


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    cache.load("key", str(tmp_path), decode)
    (tmp_path / "arrays" / "key" / "x_train.npy").write_bytes(b"torn")
    with pytest.raises(StudyError, match=r"arrays/key are damaged .* delete that folder"):
        cache.load("key", str(tmp_path), decode)
