"""The real MNIST from its four original files, which TensorFlow Datasets takes half a minute to prepare."""

from pathlib import Path

import numpy as np

from study.data import datasets


def test_the_real_mnist(tmp_path: Path, original_mnist: Path) -> None:
    mnist = datasets.load("mnist", 0, str(original_mnist), str(tmp_path))
    assert mnist.input_shape == (28, 28, 1)
    assert mnist.class_names == tuple(map(str, range(10)))
    assert (len(mnist.train), len(mnist.validation), mnist.test_images) == (50_000, 10_000, 10_000)
    assert isinstance(mnist.test().x, np.ndarray)
    assert np.bincount(mnist.test().y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
