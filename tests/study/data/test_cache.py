"""The cache of decoded arrays."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.data import cache
from study.data.arrays import ARRAYS, REMARK
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


def test_a_remark_comes_back(tmp_path: Path) -> None:
    for read in (lambda: decode() | {REMARK: np.array("said")}, fail):
        assert str(cache.load("key", str(tmp_path), read)[REMARK]) == "said"
    assert REMARK not in cache.load("other", str(tmp_path), decode)


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


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: b"torn", lambda whole: whole[:-1]])
def test_a_damaged_cache_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    cache.load("key", str(tmp_path), decode)
    file = tmp_path / "arrays" / "key" / "x_train.npy"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StudyError, match=r"arrays/key are damaged .* delete that folder"):
        cache.load("key", str(tmp_path), decode)
