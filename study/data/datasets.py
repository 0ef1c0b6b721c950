"""A name -> training, validation and test images; the validation set is cut from the training images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.config import ARRAYS as ARRAYS_NAME
from study.config import PIXELS
from study.data import archives, catalog
from study.data.arrays import REMARK, described, validation_size
from study.errors import StudyError
from study.images import Arrays, Images

NAMES = {
    "digits": "1,797 real handwritten digits, 8x8, bundled with scikit-learn; no download",
    "mnist": "70,000 handwritten digits, 28x28, through TensorFlow Datasets",
    "npz:FILE": "your own: a NumPy archive with x_train, y_train, x_test, y_test and, if you like, class_names",
    "...": "any image classification set of TensorFlow Datasets by its name: fashion_mnist, cifar10, ...",
}
"""What a data set can be called, and what it is then."""
DIGITS_TEST_SHARE = 1 / 5  # they come without a test set


@dataclass(frozen=True)
class Dataset:
    """What a search may see: training and validation images, and what describes them."""

    name: str
    train_and_validation: Images
    """Both, the training images first: what finals are trained on."""
    train: Images
    validation: Images
    num_classes: int
    class_names: tuple[str, ...]
    """One per class; empty where the classes have only their numbers."""
    test_images: int
    parts: dict[str, str]
    """Shape, type and hash of every array, the test set's included, and of the validation set's rows."""
    remark: str
    """What was made of the pixels, in one line; empty where they were taken as they are."""
    _test: Callable[[], Images]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    def test(self) -> Images:
        """The test images. Only the finals call this."""
        return self._test()


def load(
    name: str,
    split_seed: int,
    manual_dir: str | None = None,
    data_dir: str | None = None,
    pixels: str = PIXELS[0],
) -> Dataset:
    """The data set of that name.

    Args:
        name: One of `NAMES`; `npz:` is followed by the archive's path.
        split_seed: The cut of the validation set depends on it and the training labels alone.
        manual_dir: A folder with the original files, for TensorFlow Datasets.
        data_dir: Where TensorFlow Datasets prepares data sets and decoded arrays are cached; by default
            `TFDS_DATA_DIR` or ~/tensorflow_datasets. A moved archive is looked for there too.
        pixels: One of `PIXELS`: the range in which models are given the pixels.

    Raises:
        StudyError: An unknown name, arrays that are not an image classification set, or files that are missing.
    """
    class_names: tuple[str, ...] = ()
    if name == ARRAYS_NAME:
        raise StudyError("this study's data were given to study.OptunaTuner as arrays; its search(...) resumes it")
    if name == "digits":
        arrays = _digits()
    elif name.startswith("npz:"):
        arrays, class_names = archives.read(Path(name.removeprefix("npz:")), data_dir)
    else:
        arrays, class_names = catalog.read(name, manual_dir, data_dir)
    return _split(name, arrays, class_names, split_seed, pixels)


def _digits() -> Arrays:
    """scikit-learn's digits, uint8 (n, 8, 8, 1), with a stratified test set that is the same for every split seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = np.rint(x.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)  # 0 to 16 in the original
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=DIGITS_TEST_SHARE, stratify=y, random_state=0)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _split(name: str, arrays: Arrays, class_names: tuple[str, ...], split_seed: int, pixels: str) -> Dataset:
    """Cut the validation set from the training images; every class has about the same share of both."""
    from sklearn.model_selection import train_test_split

    remark, test = str(arrays.pop(REMARK, "")), (arrays["x_test"], arrays["y_test"])
    labels = arrays["y_train"]
    rows, size = np.arange(len(labels)), validation_size(name, labels)
    train, validation = map(np.sort, train_test_split(rows, test_size=size, stratify=labels, random_state=split_seed))
    order = np.concatenate([train, validation])
    both = Images(arrays["x_train"][order], labels[order], pixels=pixels)
    return Dataset(
        name=name,
        train_and_validation=both,
        train=both.part(slice(0, len(train))),
        validation=both.part(slice(len(train), None)),
        num_classes=int(labels.max()) + 1,
        class_names=class_names,
        test_images=len(arrays["y_test"]),
        parts={part: described(array) for part, array in {**arrays, "validation": validation}.items()},
        remark=remark,
        _test=lambda: Images(*map(np.asarray, test), pixels=pixels),  # of all arrays it keeps these alone in memory
    )
