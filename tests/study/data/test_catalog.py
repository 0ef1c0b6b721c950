"""Sets of TensorFlow Datasets and, where the original files are found, the real MNIST."""

import time
from pathlib import Path

import numpy as np
import pytest

from study.data import datasets
from study.errors import StudyError


def test_an_unknown_data_set_names_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no data set 'mnits'.*digits, mnist, npz:FILE.*did you mean mnist"):
        datasets.load("mnits", 0, data_dir=str(tmp_path))


def test_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"'mnist:9\.9\.9' cannot be used.*only: 3\.0\.1"):
        datasets.load("mnist:9.9.9", 0, data_dir=str(tmp_path))


def test_a_data_set_of_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="not an image classification set"):
        datasets.load("imdb_reviews", 0, data_dir=str(tmp_path))


def test_mnist_without_network_and_files_fails_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port
    began = time.monotonic()
    with pytest.raises(StudyError, match=r"mnist is not prepared .*--manual-dir.*--dataset digits"):
        datasets.load("mnist", 0, data_dir=str(tmp_path))
    assert time.monotonic() - began < 15


def test_a_manual_file_with_a_wrong_checksum(tmp_path: Path) -> None:
    manual = tmp_path / "manual"
    manual.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (manual / f"{name}-ubyte.gz").write_bytes(b"forged")
    with pytest.raises(StudyError, match=r"is not the original .its SHA-256 is wrong"):
        datasets.load("mnist", 0, str(manual), str(tmp_path / "data"))
    assert not (tmp_path / "data" / "arrays").exists()


def test_the_real_mnist(tmp_path: Path, original_mnist: Path) -> None:
    mnist = datasets.load("mnist", 0, str(original_mnist), str(tmp_path))
    assert mnist.input_shape == (28, 28, 1)
    assert mnist.class_names == tuple(map(str, range(10)))
    assert (len(mnist.train), len(mnist.validation), mnist.test_images) == (50_000, 10_000, 10_000)
    assert isinstance(mnist.test().x, np.ndarray)
    assert np.bincount(mnist.test().y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
