"""A user's own images, as arrays in Python."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.config import DATA, Resources
from study.data import cache, streams
from study.data.archives import PARTS, class_names, parts_of
from study.data.arrays import CLASS_NAMES, FORM, described, validated
from study.data.request import Request
from study.errors import StudyError, one_line
from study.images import Arrays


@dataclass(frozen=True, eq=False)
class Data:
    """Images and their labels, for `study.run(data=...)`: what an archive may hold (docs/data.md), as arrays, tensors
    or lists; or as a `tf.data.Dataset` or PyDataset of images and labels, which is read once, in the place of the
    images and without labels beside it. Test and validation set are optional, as are the names of the classes, one text
    for each."""

    x_train: Any
    y_train: Any = None
    x_test: Any = None
    y_test: Any = None
    x_val: Any = None
    y_val: Any = None
    class_names: Sequence[str] | None = None


def keep(data: Data, request: Request) -> str:
    """Keep the arrays in a copy in `data_dir`, as those of an archive are that must be decoded: any number of processes
    shares it. Returns the name by which `kept` finds it; the same arrays have the same.

    Raises:
        StudyError: They are not an image classification set that can be split, or the copy cannot be written.
    """
    given = {name: each for name, each in vars(data).items() if each is not None}
    for images, labels in PARTS:
        if images in given and labels not in given and streams.is_stream(given[images]):
            given[images], given[labels] = streams.arrays(f"{DATA}: {images}", given[images])
    arrays = {name: _array(name, given[name]) for name in vars(data) if name in given}
    cut = request.cut(DATA, "x_test" in arrays)
    content = " ".join(f"{name} {described(array)}" for name, array in arrays.items())
    key = f"data-{hashlib.sha256(content.encode()).hexdigest()[:16]}{cut}-{FORM}"
    cache.load(key, request.data_dir, lambda _: _decoded(arrays, request), DATA)
    return key


def kept(key: str, resources: Resources) -> Arrays:
    """The arrays that were kept, memory-mapped.

    Raises:
        StudyError: This machine does not have them.
    """

    def missing(_: cache.Make) -> Arrays:
        where = cache.place(resources.data_dir)
        raise StudyError(f"the arrays that were given are not in {where} of this machine; give a --data-dir of both")

    return cache.load(key, resources.data_dir, missing)


def _array(name: str, given: Any) -> Any:
    try:
        return np.asarray(given)
    except Exception as error:  # whatever an object raises that is none
        raise StudyError(f"{DATA}: {name} must be an array ({one_line(error, 120)})") from None


def _decoded(arrays: Arrays, request: Request) -> Arrays:
    found = validated(DATA, {name: arrays[name] for name in parts_of(DATA, arrays)}, request)
    if names := class_names(DATA, arrays, int(found["y_train"].max()) + 1):
        found[CLASS_NAMES] = np.array(names)
    return found
