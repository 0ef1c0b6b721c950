"""Which images are for training, for validation and for the test; and whether some are for two of them."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from study.data.request import Request
from study.errors import StudyError
from study.images import Labels, Pixels

VALIDATION_SHARE = 1 / 6  # of the training images: 10,000 of MNIST's 60,000


def test_rows(
    name: str, labels: Labels, request: Request, class_names: Sequence[str] = ()
) -> tuple[NDArray[np.bool_], str]:
    """Which images become the test set where there is none, stratified by their labels, and the line that says so.

    Raises:
        StudyError: A class has too few images for it.
    """
    from sklearn.model_selection import train_test_split

    counts, share = np.bincount(labels), request.share
    size = max(round(len(labels) * share), len(counts))
    cut = np.zeros(len(labels), bool)
    if counts.min() > 2 and len(labels) - size >= 2 * len(counts):
        cut[train_test_split(np.arange(len(labels)), test_size=size, stratify=labels,
                             random_state=request.split_seed)[1]] = True  # fmt: skip
    left = np.bincount(labels[~cut], minlength=len(counts))
    if not cut.any() or left.min() < 2:
        label = int(counts.argmin())
        called = class_names[label] if class_names else label
        raise StudyError(
            f"{name} has no test part, and --test-share {share:g} cannot be cut from it: each class needs 2 images for "
            f"training and validation and 1 for the test; the smallest, {called}, has {counts[label]}; add images, or "
            "give another share"
        )
    kept = f"{size:,} of {len(labels):,} images, drawn by the split seed, are kept for the test"
    return cut, f"{name} has no test part: {kept}"


def leak(x_train: Pixels, x_test: Pixels, called: Callable[[str, int], str]) -> str:
    """A line that names test images which are training images too; empty where none is.

    Args:
        x_train: Training images, the validation images among them.
        x_test: Test images.
        called: What an image is called, by its part, `train` or `test`, and its row.
    """
    known = {_hash(image): row for row, image in enumerate(x_train)}
    found = [(row, known[key]) for row, image in enumerate(x_test) if (key := _hash(image)) in known]
    if not found:
        return ""
    row, other = found[0]
    return (
        f"{len(found):,} of {len(x_test):,} test images are also training images, such as {called('test', row)}, which "
        f"is {called('train', other)}: the test will flatter the models; remove them from one of the parts"
    )


def _hash(image: Pixels) -> bytes:
    return hashlib.sha256(image.tobytes()).digest()


def validation_size(name: str, labels: Labels, class_names: Sequence[str] = ()) -> int:
    """How many of the training images with these labels, int64 (n,), become the validation set.

    Raises:
        StudyError: A class has too few images to be in both parts; the message calls the data set `name`.
    """
    counts = np.bincount(labels)
    size = max(round(len(labels) * VALIDATION_SHARE), len(counts))
    if counts.min() < 2 or len(labels) - size < len(counts):
        label = int(counts.argmin())
        which = "every class" if class_names else f"every class from 0 to {len(counts) - 1}"
        rule = f"{which} needs at least 2 training images (better 12)"
        called = class_names[label] if class_names else label
        raise StudyError(f"{name} cannot be split: {rule}; class {called} has {counts[label]}; add images or remove it")
    return size
