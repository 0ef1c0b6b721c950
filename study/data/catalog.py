"""Image classification sets of TensorFlow Datasets."""

import contextlib
import difflib
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from study.data import cache
from study.data.arrays import FORM, validated
from study.errors import StudyError, one_line
from study.images import Arrays

CONNECT_SECONDS = 5
PARTS = ("train", "test")
LACKING = {
    "test": ("bee_dataset", "binary_alpha_digits", "coil100", "colorectal_histology", "deep_weeds", "eurosat",
             "imagenet_resized", "quickdraw_bitmap", "resisc45", "so2sat"),
    "train": ("cifar10_1", "cifar10_corrupted"),
}  # fmt: skip
"""Sets by the split that they lack. TensorFlow Datasets itself tells only once it has downloaded and prepared them."""


def read(name: str, manual_dir: str | None, data_dir: str | None) -> tuple[Arrays, tuple[str, ...]]:
    """The arrays of a set, from the cache where they are in it, and the names of its classes.

    Args:
        name: As TensorFlow Datasets calls it: `mnist`, `mnist:3.0.1`, `emnist/letters`; or as a set of one's own is
            called that is prepared in `data_dir`.
        manual_dir: A folder with the original files; None downloads them.
        data_dir: Where the set is prepared; holds the cache too.

    Raises:
        StudyError: An unknown name, a set that is not one for image classification, or files that cannot be had or are
            damaged.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name, cache.root(data_dir))
    image, label = _features(builder, name)
    _check_splits(builder, name)
    if not builder.is_prepared():
        _prepare(builder, name, manual_dir)
        _check_splits(builder, name)

    def decode() -> Arrays:
        try:
            train, test = tfds.as_numpy(builder.as_dataset(split=list(PARTS), batch_size=-1))
        except Exception as error:  # whatever TensorFlow raises for a damaged file
            raise _damage(builder, name, error) from None
        arrays = {"x_train": train[image], "y_train": train[label], "x_test": test[image], "y_test": test[label]}
        return validated(name, arrays)

    key = f"{builder.info.full_name.replace('/', '-')}-{_content(builder)}-{FORM}"
    arrays = cache.load(key, data_dir, decode, builder.info.full_name)
    class_names = tuple(getattr(builder.info.features[label], "names", None) or ())
    return arrays, class_names if len(class_names) == int(arrays["y_train"].max()) + 1 else ()


def _builder(name: str, root: Path) -> Any:
    """What reads the set, and prepares it if it is one of TensorFlow Datasets' own."""
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)
    known, base = tfds.list_builders(with_community_datasets=False), re.split("[/:]", name)[0]
    if base not in known and not _described(root, base):
        near = " or ".join(difflib.get_close_matches(name, [*known, "digits"], n=3))
        hint = f"; did you mean {near}?" if near else ""
        choice = "digits, mnist, npz:FILE or an image classification set of TensorFlow Datasets"
        raise StudyError(f"there is no data set {name!r}: give {choice}, or one that is prepared in {root}{hint}")
    try:
        return tfds.builder(name, data_dir=str(root))
    except tfds.core.DatasetNotFoundError:
        rule = "a version is a folder with dataset_info.json, features.json and record files"
        raise StudyError(f"{root / base} holds no data set {name!r}; {rule}") from None
    except Exception as error:  # there is none for all that a name and damaged descriptions lead to
        where = f" (it is prepared in {root / base})" if _described(root, base) else ""
        raise StudyError(f"the data set {name!r} cannot be used{where}: {one_line(error, 400)}") from None


def _described(root: Path, base: str) -> list[Path]:
    """The descriptions of the versions of a set that is prepared, with or without configurations."""
    if not re.fullmatch(r"\w+", base):
        return []
    return [file for versions in ("*", "*/*") for file in root.glob(f"{base}/{versions}/*.json")]


def _features(builder: Any, name: str) -> tuple[str, str]:
    """The names of the features that hold the image and the label: the supervised keys, or `image` and `label`."""
    keys, features = builder.info.supervised_keys or ("image", "label"), dict(builder.info.features.items())
    if len(keys) != 2 or not all(isinstance(key, str) for key in keys):
        raise StudyError(f"{name!r} has several inputs or targets ({keys}); give a set with one image and one label")
    image, label = map(features.get, keys)
    shape = getattr(image, "shape", None)
    if not isinstance(shape, tuple) or len(shape) != 3 or None in shape:
        raise StudyError(f"{name!r} is not an image classification set with images of one size; see 'study datasets'")
    if label is None or label.shape != () or np.dtype(label.np_dtype).kind not in "iu":
        raise StudyError(f"{name!r} is not an image classification set: its {keys[1]!r} is not one integer per image")
    return keys[0], keys[1]


def _check_splits(builder: Any, name: str) -> None:
    """Refuse a set without a training or a test split, before it is downloaded where that is known."""
    splits = set(builder.info.splits)
    missing = [part for part in PARTS if (part not in splits if splits else builder.name in LACKING.get(part, ()))]
    if missing:
        advice = "make an npz:FILE with a part of the images as test set"
        raise StudyError(f"the data set {name!r} has no {' and no '.join(missing)} split; {advice}")


def _prepare(builder: Any, name: str, manual_dir: str | None) -> None:
    """Let TensorFlow Datasets take or download the original files, check their SHA-256 and unpack them."""
    import tensorflow_datasets as tfds

    if builder.data_path.exists():
        raise StudyError(f"{builder.data_dir} lacks its dataset_info.json; delete it, and {name} is prepared again")
    _check_originals(builder, name, manual_dir)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress even so
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    except Exception as error:  # whatever the code of a data set raises
        raise StudyError(f"{name} cannot be prepared: {one_line(error, 300)}; get its files again") from None


def _check_originals(builder: Any, name: str, manual_dir: str | None) -> None:
    """Refuse original files that are damaged; fail within seconds where there are none and no network."""
    import requests

    missing = {}
    for url, info in (builder.url_infos or {}).items():  # a user's own set may have none
        file = Path(manual_dir or "", info.filename)
        if not (manual_dir and file.is_file()):
            missing[url] = info.filename
        elif _sha256(file, advice := f"get this file of {name} again") != info.checksum:
            raise StudyError(f"{file} is not the original (its SHA-256 is wrong); {advice}")
    if not missing:
        return
    url, filename = next(iter(missing.items()))
    try:
        with requests.get(url, stream=True, timeout=CONNECT_SECONDS) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        why = f"{name} is not prepared and {filename} cannot be downloaded ({type(error).__name__})"
        advice = f"give --manual-dir, a folder with {', '.join(sorted(missing.values()))}, or use --dataset digits"
        raise StudyError(f"{why}; {advice}") from None


def _records(builder: Any) -> list[tuple[Path, int]]:
    """The record files of both parts, and how many examples each has."""
    splits = [builder.info.splits[part] for part in PARTS]
    return [
        (Path(file), examples)
        for split in splits
        for file, examples in zip(split.filepaths, split.shard_lengths, strict=True)
    ]


def _content(builder: Any) -> str:
    """The first 64 bits of the SHA-256 of the prepared set: its records and how they are decoded."""
    files = [Path(builder.data_dir, "features.json"), *(file for file, _ in _records(builder))]
    hashes = " ".join(f"{file.name} {_sha256(file, _again(file.parent))}" for file in files)
    return hashlib.sha256(hashes.encode()).hexdigest()[:16]


def _sha256(file: Path, advice: str) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror}; {advice}") from None


def _damage(builder: Any, name: str, error: Exception) -> StudyError:
    """What to say of a set that cannot be decoded: which of its files is damaged."""
    import tensorflow as tf

    for file, examples in _records(builder) if builder.info.file_format.value == "tfrecord" else ():
        found = 0
        with contextlib.suppress(tf.errors.OpError):
            for _ in tf.data.TFRecordDataset(str(file)).take(examples + 1):
                found += 1
        if found != examples:
            what = f"only {found} of its" if found < examples else "more than its"
            return StudyError(f"{file} is damaged: {what} {examples} records can be read; {_again(file.parent)}")
    return StudyError(f"{name} cannot be decoded ({one_line(error, 300)}); {_again(Path(builder.data_dir))}")


def _again(folder: Path) -> str:
    return f"restore it, or delete {folder} and prepare the data set again"
