"""Image classification sets of TensorFlow Datasets."""

import contextlib
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from study.data import cache
from study.data.arrays import CLASS_NAMES, FORM, REMARK, validated
from study.data.pictures import common_size, decoded, header
from study.data.request import Request
from study.errors import StudyError, did_you_mean, one_line
from study.images import Arrays

CONNECT_SECONDS = 5
TRAIN, VALIDATION, TEST = "train", "validation", "test"
LACKING = ("cifar10_1", "cifar10_corrupted")
"""Sets without a training split. TensorFlow Datasets itself tells only once it has downloaded and prepared them."""


def read(name: str, request: Request) -> Arrays:
    """The arrays of a set, from the cache where they are in it, and the names of its classes.

    Args:
        name: As TensorFlow Datasets calls it: `mnist`, `mnist:3.0.1`, `emnist/letters`; or as a set of one's own is
            called that is prepared in `data_dir`.
        request: Where the original files are, and how the images are read. Without a test split a part of the training
            images is the test set; a validation split is the validation set.

    Raises:
        StudyError: An unknown name, a set that is not one for image classification, or files that cannot be had or are
            damaged.
    """
    root = cache.root(request.data_dir)
    builder = _builder(name, root)
    features = _features(builder, name)
    if builder.name in LACKING:
        _parts(builder, name, request)
    if not builder.is_prepared():
        _prepare(builder, name, root, request.manual_dir)
        builder = _builder(name, root)
    parts = _parts(builder, name, request)
    cut = request.cut(name, "test" in parts)

    def decode(make: cache.Make) -> Arrays:
        arrays: Arrays = {}
        for part, split in parts.items():
            try:
                x, y = _decoded(builder, name, split, features, request)
            except StudyError:
                raise
            except Exception as error:  # whatever TensorFlow raises for a damaged file
                raise _damage(builder, name, error, parts) from None
            arrays |= {f"x_{part}": x, f"y_{part}": y}
        checked = validated(name, arrays, request)
        said = [features.remark, str(checked.get(REMARK, ""))]
        return checked | ({REMARK: np.array("\n".join(filter(None, said)))} if any(said) else {})

    size = "" if request.image_size is None else "-{}x{}".format(*request.image_size)
    key = f"{builder.info.full_name.replace('/', '-')}-{_content(builder, parts)}{size}{cut}-{FORM}"
    arrays = cache.load(key, request.data_dir, decode, builder.info.full_name)
    class_names = getattr(builder.info.features[features.label], "names", None)
    return arrays | ({CLASS_NAMES: np.array(class_names)} if class_names else {})


def _builder(name: str, root: Path) -> Any:
    """What reads the set, and prepares it if it is one of TensorFlow Datasets' own."""
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)
    known, base = tfds.list_builders(with_community_datasets=False), re.split("[/:]", name)[0]
    if base not in known and not _described(root, base):
        hint = did_you_mean(name, [*known, "digits"])
        choice = "digits, mnist, folder:DIR, npz:FILE, csv:FILE or an image classification set of TensorFlow Datasets"
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


class Features(NamedTuple):
    """What the image and the label of an example are called."""

    image: str
    label: str
    has_one_size: bool
    remark: str
    """A line, where the set itself does not say which they are."""


def _features(builder: Any, name: str) -> Features:
    """The features that hold the image and the label: the supervised keys, `image` and `label`, or the only ones."""
    keys, features = builder.info.supervised_keys, dict(builder.info.features.items())
    if keys is not None and (len(keys) != 2 or not all(isinstance(key, str) for key in keys)):
        raise StudyError(f"{name!r} has several inputs or targets ({keys}); give a set with one image and one label")
    image, label = keys or (_only(features, "image", _is_image), _only(features, "label", _is_class))
    if not _is_image(features.get(image)):
        raise StudyError(f"{name!r} is not an image classification set: it has no image; see 'study datasets'")
    found = features.get(label)
    if found is None or found.shape != () or np.dtype(found.np_dtype).kind not in "iu":
        raise StudyError(f"{name!r} is not an image classification set: its {label!r} is not one integer per image")
    remark = "" if keys or label == "label" else f"{name}: the classes are its {label!r}"
    return Features(image, label, None not in features[image].shape, remark)


def _only(features: dict[str, Any], usual: str, is_one: Callable[[Any], bool]) -> str:
    """The usual name, or that of the only feature of a kind."""
    found = [key for key, feature in features.items() if is_one(feature)]
    return found[0] if usual not in features and len(found) == 1 else usual


def _is_image(feature: Any) -> bool:
    """Whether a feature is an image, or numbers like one."""
    shape = getattr(feature, "shape", None)
    return isinstance(shape, tuple) and len(shape) == 3 and (None not in shape or _is_encoded(feature))


def _is_encoded(feature: Any) -> bool:
    """Whether a feature holds image files, whose size may differ from one to the next."""
    return hasattr(feature, "encoding_format") and feature.np_dtype == np.uint8


def _is_class(feature: Any) -> bool:
    return getattr(feature, "shape", None) == () and getattr(feature, "num_classes", None) is not None


def _parts(builder: Any, name: str, request: Request) -> dict[str, str]:
    """The split of each part: `train`, and what there is of `val` and `test`.

    Raises:
        StudyError: There is no such split.
    """
    splits, test = sorted(builder.info.splits), request.test_split or TEST
    if TRAIN not in splits:
        raise StudyError(f"the data set {name!r} has no train split{_having(splits)}; give another set")
    if request.test_split is not None and (test not in splits or test == TRAIN):
        other = ", ".join(split for split in splits if split != TRAIN) or "none; --test-share cuts a test set"
        rule = f"--test-split must be a split of {name!r} that is not trained on: {other}"
        raise StudyError(f"{rule}; it was given {test!r}")
    parts = {"train": TRAIN, "val": VALIDATION, "test": test}
    return {part: split for part, split in parts.items() if split in splits and (part != "val" or split != test)}


def _having(splits: list[str]) -> str:
    return f", but {', '.join(splits)}" if splits else ""


def _decoded(
    builder: Any, name: str, split: str, features: Features, request: Request
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The images and labels of a split. Images of several sizes are decoded as those of a folder are."""
    import tensorflow_datasets as tfds

    if request.image_size is not None and not _is_encoded(builder.info.features[features.image]):
        raise StudyError(f"{name!r} holds no image files but numbers, which --image-size cannot scale; leave it out")
    if features.has_one_size and request.image_size is None:
        found = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        return found[features.image], found[features.label]
    undecoded = {features.image: tfds.decode.SkipDecoding()}
    files, labels = [], []
    for each in tfds.as_numpy(builder.as_dataset(split=split, decoders=undecoded)):
        files.append(each[features.image])
        labels.append(each[features.label])
    size = common_size(f"{split} of {name}", [header(io.BytesIO(file)) for file in files], request.image_size)
    channels = 1 if builder.info.features[features.image].shape[-1] == 1 else 3
    x = np.empty((len(files), *size, channels), np.uint8)
    for row, file in enumerate(files):
        x[row] = decoded(io.BytesIO(file), size, channels)
    return x, np.array(labels)


def _prepare(builder: Any, name: str, root: Path, manual_dir: str | None) -> None:
    """Let TensorFlow Datasets take or download the original files, check their SHA-256 and unpack them."""
    import tensorflow_datasets as tfds

    if builder.data_path.exists() and not _builder(name, root).is_prepared():
        raise StudyError(f"{builder.data_dir} lacks its dataset_info.json; delete it, and {name} is prepared again")
    _check_originals(builder, name, manual_dir)
    tfds.disable_progress_bar()
    try:
        root.mkdir(parents=True, exist_ok=True)
        # One process at a time: what another has prepared meanwhile is taken. It prints its progress even so.
        with FileLock(root / f".{builder.name}.lock"), contextlib.redirect_stdout(io.StringIO()):
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


def _records(builder: Any, parts: Mapping[str, str]) -> list[tuple[Path, int]]:
    """The record files of all parts, and how many examples each has."""
    splits = [builder.info.splits[split] for split in parts.values()]
    return [
        (Path(file), examples)
        for split in splits
        for file, examples in zip(split.filepaths, split.shard_lengths, strict=True)
    ]


def _content(builder: Any, parts: Mapping[str, str]) -> str:
    """The first 64 bits of the SHA-256 of the prepared set: its records and how they are decoded."""
    files = [Path(builder.data_dir, "features.json"), *(file for file, _ in _records(builder, parts))]
    hashes = " ".join([*parts, *(f"{file.name} {_sha256(file, _again(file.parent))}" for file in files)])
    return hashlib.sha256(hashes.encode()).hexdigest()[:16]


def _sha256(file: Path, advice: str) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror}; {advice}") from None


def _damage(builder: Any, name: str, error: Exception, parts: Mapping[str, str]) -> StudyError:
    """What to say of a set that cannot be decoded: which of its files is damaged."""
    import tensorflow as tf

    for file, examples in _records(builder, parts) if builder.info.file_format.value == "tfrecord" else ():
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
