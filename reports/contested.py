"""The test images of MNIST whose labels are contested."""

import hashlib

import numpy as np
from numpy.typing import NDArray

SOURCE = "Northcutt et al. 2021, five judges per image"

_NUMBERS = {
    "label thought wrong": "947:9e571df4 1621:a6dbd757 1901:ac85fc88 2462:b79f0528 2597:a8b3e479 3558:2ade8bec "
    "5937:ae0606c8 6651:e58ee418 6783:848efc6d 9729:142caf35",
    "no class fits": "2654:2d23b440 3520:78b0ae6d 9679:6d535e9e",
    "judges differ": "2130:3b659aa4 8527:b147b498",
    "two classes fit": "720:34869083 938:adff8e3e 1119:529ffe8b 1364:6a7de896 2380:9cc1190a 2447:42c72787 "
    "2454:ca5d0bec 2836:f8df6486 3503:9e3d1eac 4176:ecd01021 4876:ac86a06c 7842:f1d78fdf 9888:991cd5df",
}
"""Index in the original test file, and the SHA-256 of the image: TensorFlow Datasets uses another order."""

LABELS = {pair.split(":")[1]: word for word, pairs in _NUMBERS.items() for pair in pairs.split()}
"""Why a label is contested, by the first 8 digits of the SHA-256 of the image's pixels."""


def label(image: NDArray[np.uint8]) -> str:
    """Why the label of an image (height, width, channels) is contested; empty for almost all images."""
    return LABELS.get(hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()[:8], "")
