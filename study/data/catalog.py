"""Image classification sets of TensorFlow Datasets."""

import contextlib
import difflib
import io
import re
from pathlib import Path
from typing import Any

from study.data import cache
from study.data.arrays import validated
from study.errors import StudyError, one_line
from study.images import Arrays

CONNECT_SECONDS = 5


def read(name: str, manual_dir: str | None, data_dir: str | None) -> tuple[Arrays, tuple[str, ...]]:
    """The arrays of a set, from the cache where they are in it, and the names of its classes.

    Args:
        name: As TensorFlow Datasets calls it: `mnist`, `mnist:3.0.1`, `emnist/letters`.
        manual_dir: A folder with the original files; None downloads them.
        data_dir: Where the set is prepared; holds the cache too.

    Raises:
        StudyError: An unknown name, a set that is not one for image classification, or files that cannot be had.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name, data_dir)
    image, label = _features(builder, name)

    def decode() -> Arrays:
        _prepare(builder, name, manual_dir)
        train, test = tfds.as_numpy(builder.as_dataset(split=["train", "test"], batch_size=-1))
        arrays = {"x_train": train[image], "y_train": train[label], "x_test": test[image], "y_test": test[label]}
        return validated(name, arrays)

    arrays = cache.load(builder.info.full_name.replace("/", "-"), data_dir, decode)
    class_names = tuple(getattr(builder.info.features[label], "names", None) or ())
    return arrays, class_names if len(class_names) == int(arrays["y_train"].max()) + 1 else ()


def _builder(name: str, data_dir: str | None) -> Any:
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)
    known = tfds.list_builders(with_community_datasets=False)
    if re.split("[/:]", name)[0] not in known:
        near = " or ".join(difflib.get_close_matches(name, [*known, "digits"], n=3))
        hint = f"; did you mean {near}?" if near else ""
        choice = "digits, mnist, npz:FILE or an image classification set of TensorFlow Datasets"
        raise StudyError(f"there is no data set {name!r}: give {choice}{hint}")
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (AssertionError, ValueError, AttributeError, RuntimeError, tfds.core.DatasetNotFoundError) as error:
        raise StudyError(f"the data set {name!r} cannot be used: {one_line(error, 400)}") from None


def _features(builder: Any, name: str) -> tuple[str, str]:
    """The names of the features that hold the image and the label."""
    keys, features = builder.info.supervised_keys, dict(builder.info.features.items())
    shape = tuple(getattr(features.get(keys[0]), "shape", None) or ()) if keys else ()
    if not keys or len(keys) != 2 or len(shape) != 3 or None in shape:
        raise StudyError(f"{name!r} is not an image classification set with images of one size; see 'study datasets'")
    return keys[0], keys[1]


def _prepare(builder: Any, name: str, manual_dir: str | None) -> None:
    """Let TensorFlow Datasets take or download the original files, check their SHA-256 and unpack them."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    if not builder.is_prepared():
        _check_reachable(builder, name, manual_dir)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress even so
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    except NonMatchingChecksumError as error:
        why = one_line(error, 300)
        raise StudyError(f"a file of {name} is not the original (its SHA-256 is wrong): {why}; get it again") from None
    except (OSError, AssertionError, ValueError) as error:
        raise StudyError(f"{name} cannot be prepared: {one_line(error, 300)}") from None
    if missing := {"train", "test"} - set(builder.info.splits):
        raise StudyError(f"the data set {name!r} has no {' and no '.join(sorted(missing))} split")


def _check_reachable(builder: Any, name: str, manual_dir: str | None) -> None:
    """Fail within seconds where there is neither a network nor the original files."""
    import requests

    names = {url: info.filename for url, info in (builder.url_infos or {}).items()}  # a user's own set may have none
    missing = {url: file for url, file in names.items() if not (manual_dir and Path(manual_dir, file).is_file())}
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
