"""A name -> train, validation and test images, with a fingerprint and an on-disk cache.

Images are uint8 (0 to 255), shaped (n, height, width, channels); labels are int64, 0 to classes - 1. The
validation set is cut from the training images; the test images are a separate call, made by the finals alone.
"""

import contextlib
import difflib
import hashlib
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.config import StudyConfig
from study.errors import StudyError, one_line

NAMES = {
    "digits": "1,797 real handwritten digits, 8x8, bundled with scikit-learn; no download",
    "mnist": "70,000 handwritten digits, 28x28, through TensorFlow Datasets",
    "npz:FILE": "your own: a NumPy archive with x_train, y_train, x_test, y_test and, if you like, class_names",
    "...": "any image classification set of TensorFlow Datasets by its name: fashion_mnist, cifar10, ...",
}
ARRAYS_NAME = "arrays"
"""What a study calls data that were given as arrays, to `study.OptunaTuner`."""
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
CLASS_NAMES = "class_names"
"""An array of texts that an archive may hold too."""
CONNECT_SECONDS = 5
VALIDATION_SHARE = 1 / 6
TEST_SHARE = 1 / 5
"""Of digits, which comes without a test set."""

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Images:
    """Images and their labels: uint8 (n, height, width, channels) and int64 (n,)."""

    x: Pixels
    y: Labels

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        """The pixels as float32, 0 to 1: the arrays that a HyperModel's `fit` is given."""
        return np.divide(self.x, np.float32(255), dtype=np.float32)

    def part(self, rows: slice) -> "Images":
        """Some of them in a row, which share their memory."""
        return _Part(self.x[rows], self.y[rows], self, rows)


@dataclass(frozen=True)
class _Part(Images):
    whole: Images
    rows: slice

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        return self.whole.scaled[self.rows]


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
    """Empty where the classes have none but their numbers."""
    test_images: int
    parts: dict[str, str]
    """Shape, type and SHA-256 of every array, the test set's included, and of the cut."""
    _test: Callable[[], Images]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    def test(self) -> Images:
        """The test images. Only `study.finals` calls this."""
        return self._test()


def load(config: StudyConfig) -> Dataset:
    """The data set of a study.

    Raises:
        StudyError: an unknown name, arrays that are no image classification set, files that are not at hand.
    """
    return split(config.dataset, *_read(config), config.split_seed)


def split(name: str, arrays: Arrays, class_names: tuple[str, ...], split_seed: int) -> Dataset:
    """Cut the validation set from the training images: stratified, 10,000 of MNIST's 60,000, 1/6 elsewhere.

    Args:
        name: What messages call the data set.
        arrays: The four arrays, uint8 images and int64 labels.
        class_names: As many as there are classes, or none.
        split_seed: The cut follows from it and the labels.

    Raises:
        StudyError: a class with too few images to be in both parts.
    """
    from sklearn.model_selection import train_test_split

    y = arrays["y_train"]
    counts = np.bincount(y)
    size = max(round(len(y) * VALIDATION_SHARE), len(counts))
    if counts.min() < 2 or len(y) - size < len(counts):
        label = int(counts.argmin())
        raise StudyError(
            f"{name} cannot be split: every class from 0 to {len(counts) - 1} needs at least 2 training images "
            f"(better 12), and class {label} has {counts[label]}; add images or remove the class"
        )
    cut = train_test_split(np.arange(len(y)), test_size=size, stratify=y, random_state=split_seed)
    train, validation = map(np.sort, cut)
    order = np.concatenate([train, validation])
    both = Images(arrays["x_train"][order], y[order])
    return Dataset(
        name=name,
        train_and_validation=both,
        train=both.part(slice(0, len(train))),
        validation=both.part(slice(len(train), None)),
        num_classes=len(counts),
        class_names=class_names,
        test_images=len(arrays["y_test"]),
        parts=_parts({**arrays, "validation": validation}),
        _test=lambda: Images(np.asarray(arrays["x_test"]), np.asarray(arrays["y_test"])),
    )


def validated(name: str, arrays: Arrays) -> Arrays:
    """The four arrays as uint8 images (n, height, width, channels) and int64 labels.

    Raises:
        StudyError: what is wrong with them, in one line.
    """
    checked: Arrays = {}
    for part in ("train", "test"):
        x, y = np.asarray(arrays[f"x_{part}"]), np.asarray(arrays[f"y_{part}"])
        if x.ndim not in (3, 4) or 0 in x.shape:
            raise StudyError(
                f"{name}: x_{part} must be images (n, height, width) or (n, height, width, channels); "
                f"its shape is {x.shape}"
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != x.shape[:1]:
            raise StudyError(f"{name}: y_{part} must be one label an image, shape ({len(x)},); its shape is {y.shape}")
        checked[f"x_{part}"] = _as_bytes(f"{name}: x_{part}", x.reshape(*x.shape[:3], -1))
        checked[f"y_{part}"] = _as_labels(f"{name}: y_{part}", y)
    shapes = checked["x_train"].shape[1:], checked["x_test"].shape[1:]
    if shapes[0] != shapes[1]:
        raise StudyError(f"{name}: training images are {shapes[0]} and test images {shapes[1]}; make them alike")
    classes = int(checked["y_train"].max()) + 1
    if classes < 2:
        raise StudyError(f"{name}: y_train has one class; a classifier needs at least 2, labelled 0, 1, ...")
    if checked["y_test"].max() >= classes:
        raise StudyError(f"{name}: y_test has the label {checked['y_test'].max()}; y_train has 0 to {classes - 1} only")
    return checked


def _as_bytes(what: str, x: NDArray[Any]) -> Pixels:
    if x.dtype == np.uint8 and x.max() > 1:
        return x
    if x.dtype.kind not in "iufb":
        raise StudyError(f"{what} must be numbers; its type is {x.dtype}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise StudyError(f"{what} has pixels that are NaN or infinite; replace them")
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 255:
        raise StudyError(f"{what} must have pixels from 0 to 255, or 0 to 1; they are {low:g} to {high:g}")
    scale = 255 if high <= 1 else 1
    return np.rint(x * np.float64(scale)).astype(np.uint8)


def _as_labels(what: str, y: NDArray[Any]) -> Labels:
    whole = y.dtype.kind in "iu" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))
    if not whole or y.min() < 0 or y.max() > 100_000:
        shown = ", ".join(map(str, y[:3].tolist()))
        raise StudyError(f"{what} must be integer labels counted from 0; it begins {shown} ({y.dtype})")
    return y.astype(np.int64)


def _read(config: StudyConfig) -> tuple[Arrays, tuple[str, ...]]:
    """The arrays and the names of the classes."""
    if config.dataset == ARRAYS_NAME:
        raise StudyError(
            f"the data of {config.name!r} were given to study.OptunaTuner as arrays; its search(...) goes on with it"
        )
    if config.dataset == "digits":
        return _read_digits(), ()
    if config.dataset.startswith("npz:"):
        return _read_npz(config)
    return _read_tfds(config)


def _read_digits() -> Arrays:
    """scikit-learn's digits, 1/5 of them, stratified, as the test set; the same ones for every split seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    images = np.rint(x.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        images, y.astype(np.int64), test_size=TEST_SHARE, stratify=y, random_state=0
    )
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _read_npz(config: StudyConfig) -> tuple[Arrays, tuple[str, ...]]:
    file = Path(config.dataset.removeprefix("npz:"))
    if not file.is_file() and config.data_dir is not None:
        file = Path(config.data_dir) / file.name  # it was moved since
    try:
        with file.open("rb") as stream:
            key = f"npz-{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror}; give npz:FILE an existing file") from None

    def decode() -> Arrays:
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                missing = [array for array in ARRAYS if array not in archive]
                if missing:
                    raise StudyError(f"{file} must hold the arrays {', '.join(ARRAYS)}; it lacks {', '.join(missing)}")
                arrays = {array: archive[array] for array in ARRAYS}
        except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise StudyError(f"{file} is no NumPy archive of numbers ({one_line(error, 120)})") from None
        checked = validated(str(file), arrays)
        split(str(file), checked, (), config.split_seed)  # an archive that cannot be split is not cached
        return checked

    arrays = _cached(_cache_folder(config) / key, decode)
    return arrays, _class_names(file, int(arrays["y_train"].max()) + 1)


def _class_names(file: Path, classes: int) -> tuple[str, ...]:
    """What an archive calls its classes; empty where it does not say.

    Raises:
        StudyError: names that are no texts, or not one a class, or not different.
    """
    with np.load(file, allow_pickle=False) as archive:
        if CLASS_NAMES not in archive:
            return ()
        try:
            names = archive[CLASS_NAMES]
        except ValueError:  # Python objects
            names = np.empty(0)
    if names.dtype.kind != "U" or names.shape != (classes,):
        raise StudyError(
            f"{file}: {CLASS_NAMES} must be one text a class, shape ({classes},); it is {names.dtype} {names.shape}"
        )
    if len(set(names.tolist())) < classes:
        raise StudyError(f"{file}: {CLASS_NAMES} must tell the classes apart; it has the same text twice")
    return tuple(names.tolist())


def _read_tfds(config: StudyConfig) -> tuple[Arrays, tuple[str, ...]]:
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)
    known = tfds.list_builders(with_community_datasets=False)
    if re.split("[/:]", config.dataset)[0] not in known:
        near = difflib.get_close_matches(config.dataset, [*known, "digits"], n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise StudyError(
            f"there is no data set {config.dataset!r}: give digits, mnist, npz:FILE or an image classification "
            f"set of TensorFlow Datasets{hint}"
        )
    try:
        builder = tfds.builder(config.dataset, data_dir=config.data_dir)
    except (AssertionError, ValueError, AttributeError, RuntimeError, tfds.core.DatasetNotFoundError) as error:
        raise StudyError(f"the data set {config.dataset!r} cannot be used: {one_line(error, 400)}") from None
    image, label = _features(builder, config.dataset)
    key = builder.info.full_name.replace("/", "-")

    def decode() -> Arrays:
        _prepare(builder, config)
        read = tfds.as_numpy(builder.as_dataset(split=["train", "test"], batch_size=-1))
        arrays = {}
        for part, examples in zip(("train", "test"), read, strict=True):
            arrays[f"x_{part}"], arrays[f"y_{part}"] = examples[image], examples[label]
        return validated(config.dataset, arrays)

    arrays = _cached(_cache_folder(config) / key, decode)
    names = tuple(getattr(builder.info.features[label], "names", None) or ())
    return arrays, names if len(names) == int(arrays["y_train"].max()) + 1 else ()


def _features(builder: Any, name: str) -> tuple[str, str]:
    """The names of a builder's image and label."""
    keys, features = builder.info.supervised_keys, dict(builder.info.features.items())
    shape = tuple(getattr(features.get(keys[0]), "shape", None) or ()) if keys else ()
    if not keys or len(keys) != 2 or len(shape) != 3 or None in shape:
        raise StudyError(
            f"the data set {name!r} is no image classification set with images of one size; "
            "'study datasets' says what can be named"
        )
    return keys[0], keys[1]


def _prepare(builder: Any, config: StudyConfig) -> None:
    """Let TensorFlow Datasets download or take the original files, check their SHA-256 and prepare them."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    if not builder.is_prepared():
        _check_reachable(builder, config)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does, whatever is displayed
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=config.manual_dir))
    except NonMatchingChecksumError as error:
        raise StudyError(
            f"a file of {config.dataset} is not the original (its SHA-256 is wrong): {one_line(error, 300)}; "
            "get the file again"
        ) from None
    except (OSError, AssertionError, ValueError) as error:
        raise StudyError(f"{config.dataset} cannot be prepared: {one_line(error, 300)}") from None
    missing = {"train", "test"} - set(builder.info.splits)
    if missing:
        raise StudyError(f"the data set {config.dataset!r} has no {' and no '.join(sorted(missing))} split")


def _check_reachable(builder: Any, config: StudyConfig) -> None:
    """Fail within seconds where there is neither a network nor the original files."""
    import requests

    folder = Path(config.manual_dir) if config.manual_dir else None
    missing = {
        url: info.filename
        for url, info in (builder.url_infos or {}).items()  # a user's own set may come without
        if folder is None or not (folder / info.filename).is_file()
    }
    if not missing:
        return
    url, filename = next(iter(missing.items()))
    try:
        with requests.get(url, stream=True, timeout=CONNECT_SECONDS) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        raise StudyError(
            f"{config.dataset} is not prepared and {filename} cannot be downloaded ({type(error).__name__}); give "
            f"--manual-dir, a folder with {', '.join(sorted(missing.values()))}, or use --dataset digits"
        ) from None


def _cache_folder(config: StudyConfig) -> Path:
    data_dir = config.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(data_dir).expanduser() / "arrays"


def _cached(folder: Path, decode: Callable[[], Arrays]) -> Arrays:
    """Memory-mapped arrays of `folder`; decoded and written there, all or nothing, where it does not exist."""
    if not folder.is_dir():
        arrays = decode()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as own:
                draft = Path(own) / "arrays"
                draft.mkdir()
                for name, array in arrays.items():
                    np.save(draft / f"{name}.npy", array)
                with contextlib.suppress(OSError):  # another process was faster
                    draft.rename(folder)
        except OSError as error:
            raise StudyError(
                f"decoded images cannot be cached in {folder}: {error.strerror}; give another --data-dir"
            ) from None
    try:
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    except (OSError, ValueError) as error:
        raise StudyError(
            f"the cached images in {folder} are damaged ({one_line(error, 120)}); delete that folder"
        ) from None


def described(array: NDArray[Any]) -> str:
    """Shape, type and the begin of the SHA-256 of an array."""
    # Python's objects are known by what they say: their bytes are addresses.
    plain = array.dtype.kind in "biuf"
    content = np.ascontiguousarray(array).data if plain else repr(array.tolist()).encode()
    return f"{'x'.join(map(str, array.shape))} {array.dtype} {hashlib.sha256(content).hexdigest()[:16]}"


def _parts(arrays: Arrays) -> dict[str, str]:
    return {name: described(array) for name, array in arrays.items()}
