"""A name -> training, validation and test images; the validation set is cut from the training images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from study.config import ARRAYS as ARRAYS_NAME
from study.config import DATA, PIXELS, Definition, Resources, parse_image_size
from study.data import archives, catalog, folders, given, tables
from study.data.arrays import ARRAYS, CLASS_NAMES, LEAK, REMARK, VALIDATION, described
from study.data.parts import validation_size
from study.data.request import Request
from study.errors import StudyError
from study.images import Arrays, Images, Pixels, Rows
from study.system import memory

NAMES = {
    "digits": "1,797 real handwritten digits, 8x8, bundled with scikit-learn; no download",
    "mnist": "70,000 handwritten digits, 28x28, through TensorFlow Datasets",
    "folder:DIR": "your own: image files, in a folder for each class",
    "npz:FILE": "your own: a NumPy archive with x_train, y_train, x_test, y_test",
    "csv:FILE": "your own: a table with a label and pixels in each row",
    "...": "any image classification set of TensorFlow Datasets by its name: fashion_mnist, cifar10, ...",
}
"""What a data set can be called, and what it is then."""
READERS = {"folder": folders.read, "npz": archives.read, "csv": tables.read}
IN_MEMORY = 2**26
"""Bytes of training images up to which each process has them in memory, as bytes and as floats."""
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
    """What was made of the data, in lines; empty where they were taken as they are."""
    leak: str
    """A line on test images that are training images too; empty where none is known."""
    _test: Callable[[], Images]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    @property
    def are_bytes(self) -> bool:
        """Whether pixels are 0 to 255; standardised ones are floats."""
        return self.train.x.dtype == np.uint8

    def test(self) -> Images:
        """The test images. Of a study, only the finals call this."""
        return self._test()


def of(definition: Definition, resources: Resources, key: str | None = None) -> Dataset:
    """The data set of a study. Raises a `StudyError` as `load` does.

    Args:
        definition: Of the study.
        resources: Where the data lie.
        key: Where they were given as arrays, the name by which these were kept.
    """
    arrays = _read(definition.dataset, request(definition, resources)) if key is None else given.kept(key, resources)
    return _split(definition.dataset, arrays, definition.split_seed, definition.pixels)


def request(definition: Definition, resources: Resources) -> Request:
    """How a study reads its data set."""
    size = definition.image_size
    return Request(
        split_seed=definition.split_seed, manual_dir=resources.manual_dir, data_dir=resources.data_dir,
        image_size=None if size is None else parse_image_size(size), test_share=definition.test_share,
        test_split=definition.test_split, skip_unreadable=definition.skip_unreadable,
    )  # fmt: skip


def load(
    name: str,
    split_seed: int,
    manual_dir: str | None = None,
    data_dir: str | None = None,
    pixels: str = PIXELS[0],
    *,
    image_size: str | None = None,
    test_share: float | None = None,
    test_split: str | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """The data set of that name.

    Args:
        name: One of `NAMES`; `folder:`, `npz:` and `csv:` are followed by a path.
        split_seed: The cut of the validation set, and of the test set where there is none, depends on it and the labels
            alone.
        manual_dir: A folder with the original files, for TensorFlow Datasets.
        data_dir: Where TensorFlow Datasets prepares data sets and decoded arrays are cached; by default
            `TFDS_DATA_DIR` or ~/tensorflow_datasets. A file or folder that has moved is looked for there too.
        pixels: One of `PIXELS`: the range in which models are given the pixels.
        image_size: `HEIGHTxWIDTH` that all images are scaled to, where they are files.
        test_share: The share of the images, 0 to 1, that becomes the test set where there is none.
        test_split: The split of TensorFlow Datasets that is the test set; by default `test`.
        skip_unreadable: Leave out files that are no images.

    Raises:
        StudyError: An unknown name, data that are not an image classification set, or files that are missing.
    """
    request = Request(
        split_seed=split_seed, manual_dir=manual_dir, data_dir=data_dir,
        image_size=None if image_size is None else parse_image_size(image_size), test_share=test_share,
        test_split=test_split, skip_unreadable=skip_unreadable,
    )  # fmt: skip
    return _split(name, _read(name, request), split_seed, pixels)


def _read(name: str, request: Request) -> Arrays:
    if name == ARRAYS_NAME:
        raise StudyError("this study's data were given to study.OptunaTuner as arrays; its search(...) resumes it")
    if name == DATA:
        raise StudyError(
            "this study's data were given from Python as arrays; study.resume(NAME, data=study.Data(...)) continues it "
            "with the same ones, as does 'study resume NAME --dataset npz:FILE' with a file that holds them"
        )
    kind, _, path = name.partition(":")
    if name == "digits":
        return _digits()
    return READERS[kind](Path(path), request) if kind in READERS and path else catalog.read(name, request)


def _digits() -> Arrays:
    """scikit-learn's digits, uint8 (n, 8, 8, 1), with a stratified test set that is the same for every split seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = np.rint(x.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)  # 0 to 16 in the original
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=DIGITS_TEST_SHARE, stratify=y, random_state=0)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _split(name: str, arrays: Arrays, split_seed: int, pixels: str) -> Dataset:
    """Cut the validation set from the training images, unless it is given; every class has about the same share of
    both."""
    test, labels = (arrays["x_test"], arrays["y_test"]), arrays["y_train"]
    parts = {part: described(arrays[part]) for part in ARRAYS}  # before a map is told that rows are read at random
    train, validation = _rows(name, arrays, split_seed)
    order = np.concatenate([train, validation])
    both = Images(_ordered(arrays["x_train"], order), labels[order], pixels=pixels)
    classes = int(labels.max()) + 1
    class_names = tuple(map(str, arrays.get(CLASS_NAMES, ())))
    return Dataset(
        name=name,
        train_and_validation=both,
        train=both.part(slice(0, len(train))),
        validation=both.part(slice(len(train), None)),
        num_classes=classes,
        class_names=class_names if len(class_names) == classes else (),
        test_images=len(arrays["y_test"]),
        parts=parts | {"validation": described(validation)},
        remark=str(arrays.get(REMARK, "")),
        leak=str(arrays.get(LEAK, "")),
        _test=lambda: Images(*map(np.asarray, test), pixels=pixels),  # of all arrays it keeps these alone in memory
    )


def _ordered(x: Pixels, order: NDArray[np.int64]) -> Pixels:
    """The images in another order. Large ones are read where they lie, if that is the cache, which nobody changes."""
    if x.nbytes <= IN_MEMORY:
        return x[order]
    whole = x if isinstance(x, np.memmap) else np.array(x)
    return cast(Pixels, Rows(whole, order, from_disk=x.nbytes > memory.available()))


def _rows(name: str, arrays: Arrays, split_seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of `x_train` that are for training, and those for validation."""
    from sklearn.model_selection import train_test_split

    labels = arrays["y_train"]
    rows = np.arange(len(labels))
    if VALIDATION in arrays:
        return np.setdiff1d(rows, arrays[VALIDATION]), np.asarray(arrays[VALIDATION])
    size = validation_size(name, labels)
    train, validation = map(np.sort, train_test_split(rows, test_size=size, stratify=labels, random_state=split_seed))
    return train, validation
