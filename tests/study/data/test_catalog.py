"""Sets of TensorFlow Datasets and, where the original files are found, the real MNIST."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from filelock import FileLock

from study.data import catalog, datasets
from study.errors import StudyError

IMAGES = {"train": 24, "validation": 9, "test": 9}
FEATURES = {"image": tfds.features.Image(shape=(6, 6, 1)), "label": tfds.features.ClassLabel(names=["a", "b", "c"])}
PIXELS = tfds.features.Tensor(shape=(6, 6, 1), dtype=np.float32)


def examples(seed: int, part: str) -> list[dict[str, Any]]:
    rng = np.random.default_rng([seed, *part.encode()])
    x = rng.integers(0, 256, (IMAGES[part], 6, 6, 1)).astype(np.uint8)
    return [{"image": image, "label": number % 3} for number, image in enumerate(x)]


class Own(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set of a person's own: made by code that the study never sees."""

    name = "own"
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: tuple[Any, ...] = ()
    features: dict[str, Any] = FEATURES
    keys: Any = ("image", "label")
    parts: tuple[str, ...] = ("train", "test")
    seed = 0

    def _info(self) -> Any:
        features = tfds.features.FeaturesDict(self.features)
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=self.keys)

    def _split_generators(self, dl_manager: Any) -> Any:
        return {part: self._generate_examples(part) for part in self.parts}

    def _generate_examples(self, part: str) -> Any:
        yield from enumerate(map(self.example, examples(self.seed, part)))

    def example(self, plain: dict[str, Any]) -> dict[str, Any]:
        return plain


def prepare(folder: Path, **attributes: Any) -> Path:
    """Write such a set, in place of one that is there, and return the folder of its version."""
    kind = type("Own", (Own,), attributes, skip_registration=True)
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    tfds.disable_progress_bar()
    builder = kind(data_dir=folder)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(download_mode=mode))
    return Path(builder.data_dir)


def load(folder: Path, name: str = "own", **words: Any) -> datasets.Dataset:
    return datasets.load(name, 0, data_dir=str(folder), **words)


def refused(folder: Path, name: str = "own") -> str:
    with pytest.raises(StudyError) as caught:
        load(folder, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def stored(data: datasets.Dataset) -> list[bytes]:
    """The images of both parts, in no order."""
    return sorted(image.tobytes() for x in (data.train_and_validation.x, data.test().x) for image in x)


def meant(seed: int, parts: tuple[str, ...] = ("train", "test")) -> list[bytes]:
    return sorted(each["image"].tobytes() for part in parts for each in examples(seed, part))


def only_file(version: Path, pattern: str) -> Path:
    (file,) = version.glob(pattern)
    return file


def test_an_unknown_data_set_names_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=r"no data set 'mnits'.*digits, mnist, folder:DIR, npz:FILE.*did you mean mnist"
    ):
        datasets.load("mnits", 0, data_dir=str(tmp_path))


def test_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"'mnist:9\.9\.9' cannot be used.*only: 3\.0\.1"):
        datasets.load("mnist:9.9.9", 0, data_dir=str(tmp_path))


def test_a_data_set_of_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="not an image classification set"):
        datasets.load("imdb_reviews", 0, data_dir=str(tmp_path))


def test_mnist_without_network_and_files_fails_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port
    began = time.monotonic()
    with pytest.raises(StudyError, match=r"mnist is not prepared .*--manual-dir.*--dataset digits"):
        datasets.load("mnist", 0, data_dir=str(tmp_path))
    assert time.monotonic() - began < 15


def test_a_manual_file_with_a_wrong_checksum(tmp_path: Path) -> None:
    manual = tmp_path / "manual"
    manual.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (manual / f"{name}-ubyte.gz").write_bytes(b"forged")
    with pytest.raises(StudyError, match=r"is not the original .its SHA-256 is wrong"):
        datasets.load("mnist", 0, str(manual), str(tmp_path / "data"))
    assert not (tmp_path / "data" / "arrays").exists()


@pytest.mark.parametrize("name", ["own", "own:1.0.0", "own:1.*.*"])
def test_a_set_of_ones_own_is_found_in_the_data_dir(name: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    own = load(tmp_path, name)
    assert (own.class_names, own.input_shape, own.test_images) == (("a", "b", "c"), (6, 6, 1), 9)
    assert stored(own) == meant(0)
    assert own.remark == ""


def test_a_set_with_configurations(tmp_path: Path) -> None:
    configs = [tfds.core.BuilderConfig(name=name, version="1.0.0") for name in ("left", "right")]
    kind = type("Own", (Own,), {"BUILDER_CONFIGS": configs}, skip_registration=True)
    kind(data_dir=tmp_path, config="right").download_and_prepare()
    assert stored(load(tmp_path, "own/right")) == meant(0)
    assert "holds no data set 'own/left'" in refused(tmp_path, "own/left")


def test_a_set_without_supervised_keys_has_an_image_and_a_label(tmp_path: Path) -> None:
    splits = {part: list(enumerate(examples(0, part))) for part in ("train", "test")}
    features = tfds.features.FeaturesDict(FEATURES)
    tfds.dataset_builders.store_as_tfds_dataset("own", "1.0.0", features, splits, data_dir=tmp_path)
    assert stored(load(tmp_path)) == meant(0)


def test_a_set_that_was_prepared_anew_is_read_anew(tmp_path: Path) -> None:
    for seed in (0, 1, 0):
        prepare(tmp_path, seed=seed)
        assert stored(load(tmp_path)) == meant(seed)
    assert len(list((tmp_path / "arrays").iterdir())) == 2


def test_a_copied_set_is_known_by_its_content(tmp_path: Path) -> None:
    prepare(tmp_path / "here")
    load(tmp_path / "here")
    shutil.copytree(tmp_path / "here" / "own", tmp_path / "there" / "own")
    load(tmp_path / "there")
    names = [{file.name for file in (tmp_path / place / "arrays").iterdir()} for place in ("here", "there")]
    assert names[0] == names[1]


def rewritten(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Other records, each with the checksum that belongs to it."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in change(records):
            writer.write(record)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[70] ^= 255
    file.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut within a record": (lambda file: file.write_bytes(file.read_bytes()[:-5]), "only 23 of its 24 records"),
    "cut between records": (lambda file: rewritten(file, lambda records: records[:-1]), "only 23 of its 24 records"),
    "a record too many": (lambda file: rewritten(file, lambda records: [*records, b""]), "more than its 24 records"),
    "another byte": (flip, "only 0 of its 24 records"),
    "nothing": (lambda file: file.write_bytes(b""), "only 0 of its 24 records"),
    "text": (lambda file: file.write_text("<html>404</html>" * 99), "only 0 of its 24 records"),
}


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.parametrize("cached", [False, True])
def test_a_damaged_record_file_is_named(case: str, cached: bool, tmp_path: Path) -> None:
    version = prepare(tmp_path)
    if cached:
        load(tmp_path)
    damage, said = DAMAGE[case]
    damage(file := only_file(version, "*train*"))
    advice = f"restore it, or delete {version} and prepare the data set again"
    assert refused(tmp_path) == f"{file} is damaged: {said} can be read; {advice}"


def test_a_missing_record_file_is_named(tmp_path: Path) -> None:
    version = prepare(tmp_path)
    (file := only_file(version, "*test*")).unlink()
    assert refused(tmp_path).startswith(f"{file} cannot be read: No such file or directory; restore it, or delete")


def test_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    version = prepare(tmp_path)
    rewritten(only_file(version, "*train*"), lambda records: [each.replace(b"PNG", b"BAD") for each in records])
    assert "own cannot be decoded (InvalidArgumentError: " in (said := refused(tmp_path))
    assert f"delete {version}" in said


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", ["", "{", '{"splits": 3}', None])
def test_a_damaged_description_is_a_line(name: str, content: str | None, tmp_path: Path) -> None:
    version = prepare(tmp_path)
    if content is None:
        (version / name).unlink()
    else:
        (version / name).write_text(content)
    assert str(tmp_path / "own") in refused(tmp_path)


@pytest.mark.parametrize(
    "name", ["own:9.9.9", "own/other", "own:", "own/", "own:1", "own/1.0.0", "own/x=1", "own:1.0.0/a"]
)
def test_a_version_that_is_not_there(name: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    assert repr(name) in refused(tmp_path, name)


@pytest.mark.parametrize("name", ["downloads", "../own", "..", "", "huggingface:own", "kaggle:own", "*", "own*"])
def test_what_is_no_set_is_not_looked_for(name: str, tmp_path: Path) -> None:
    prepare(tmp_path / "own")
    prepare(tmp_path)
    assert f"there is no data set {name!r}" in refused(tmp_path, name)
    assert f"or one that is prepared in {tmp_path}" in refused(tmp_path, name)


def pair(plain: dict[str, Any]) -> dict[str, Any]:
    return {"left": plain["image"], "right": plain["image"], "label": plain["label"]}


NESTED: dict[str, tuple[dict[str, Any], str]] = {
    "two images": (
        {
            "features": {"left": FEATURES["image"], "right": FEATURES["image"], "label": FEATURES["label"]},
            "keys": (("left", "right"), "label"),
            "example": staticmethod(pair),
        },
        "has several inputs or targets",
    ),
    "two targets": ({"keys": ("image", {"one": "label", "two": "label"})}, "has several inputs or targets"),
    "weights": ({"keys": ("image", "label", "label")}, "has several inputs or targets"),
    "images in a dictionary": (
        {
            "features": {"image": {"left": FEATURES["image"]}, "label": FEATURES["label"]},
            "example": staticmethod(lambda plain: {"image": {"left": plain["image"]}, "label": plain["label"]}),
        },
        "not an image classification set: it has no image",
    ),
    "labels in a dictionary": (
        {
            "features": {"image": FEATURES["image"], "label": {"fine": FEATURES["label"]}},
            "example": staticmethod(lambda plain: {"image": plain["image"], "label": {"fine": plain["label"]}}),
        },
        "its 'label' is not one integer per image",
    ),
    "several labels": (
        {
            "features": {"image": FEATURES["image"], "label": tfds.features.Sequence(FEATURES["label"])},
            "example": staticmethod(lambda plain: {"image": plain["image"], "label": [plain["label"]]}),
        },
        "its 'label' is not one integer per image",
    ),
    "words": (
        {
            "features": {"image": FEATURES["image"], "label": tfds.features.Text()},
            "example": staticmethod(lambda plain: {"image": plain["image"], "label": "word"}),
        },
        "its 'label' is not one integer per image",
    ),
    "numbers of several sizes": (
        {"features": {**FEATURES, "image": tfds.features.Tensor(shape=(None, 6, 1), dtype=np.uint8)}},
        "not an image classification set: it has no image",
    ),
    "no label": (
        {
            "features": {"image": FEATURES["image"]},
            "keys": None,
            "example": staticmethod(lambda plain: {"image": plain["image"]}),
        },
        "its 'label' is not one integer per image",
    ),
}


@pytest.mark.parametrize("case", NESTED)
def test_features_that_are_not_one_image_and_one_label(case: str, tmp_path: Path) -> None:
    attributes, said = NESTED[case]
    prepare(tmp_path, **attributes)
    assert said in refused(tmp_path)
    assert not (tmp_path / "arrays").exists()


@pytest.mark.parametrize("white, said", [(1, "both are multiplied by 255"), (255, "both are rounded to integers")])
def test_pixels_that_are_floats(white: int, said: str, tmp_path: Path) -> None:
    scale = staticmethod(lambda plain: {**plain, "image": (plain["image"] / 255 * white).astype(np.float32)})
    prepare(tmp_path, features={**FEATURES, "image": PIXELS}, example=scale)
    own = load(tmp_path)
    assert stored(own) == meant(0)
    assert said in own.remark


def test_pixels_of_16_bits_are_refused(tmp_path: Path) -> None:
    image = tfds.features.Image(shape=(6, 6, 1), dtype=np.uint16)
    scale = staticmethod(lambda plain: {**plain, "image": plain["image"].astype(np.uint16) * 257})
    prepare(tmp_path, features={**FEATURES, "image": image}, example=scale)
    assert "x_train is uint16 from" in refused(tmp_path)


def test_a_set_without_a_test_split_is_cut(tmp_path: Path) -> None:
    prepare(tmp_path, parts=("train",))
    data = load(tmp_path)
    assert (len(data.train_and_validation), data.test_images) == (19, 5)
    assert "own has no test part: 5 of 24 images" in data.remark
    other = load(tmp_path, test_share=0.5)
    assert (len(other.train_and_validation), other.test_images) == (12, 12)


@pytest.mark.parametrize("words", [{}, {"test_split": "validation"}])
def test_a_validation_split_is_the_validation_set_or_the_test_set(words: dict[str, str], tmp_path: Path) -> None:
    prepare(tmp_path, parts=("train", "validation", "test"))
    data = load(tmp_path, **words)
    part = data.test() if words else data.validation
    assert sorted(image.tobytes() for image in part.x) == meant(0, ("validation",))
    assert (len(data.train), len(data.validation)) == ((20, 4) if words else (24, 9))


@pytest.mark.parametrize("split", ["train", "validation", "test[:5]"])
def test_a_test_split_that_is_none_is_refused(split: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    with pytest.raises(StudyError, match=r"--test-split must be a split of 'own' that is not trained on: test; it was"):
        load(tmp_path, test_split=split)


def test_a_share_of_a_set_with_a_test_split_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path)
    with pytest.raises(StudyError, match="own has a test part; leave out --test-share"):
        load(tmp_path, test_share=0.5)


def test_images_of_several_sizes(tmp_path: Path) -> None:
    """They are decoded and scaled as the files of a folder are."""

    def cropped(plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "image": plain["image"][:, : 5 + plain["label"] % 2]}

    features = {**FEATURES, "image": tfds.features.Image(shape=(None, None, 1))}
    prepare(tmp_path, features=features, example=staticmethod(cropped))
    with pytest.raises(StudyError, match=r"train of own has images of 2 sizes, .*: 6x5 \(16\), 6x6 \(8\); give"):
        load(tmp_path)
    assert load(tmp_path, image_size="6x5").input_shape == (6, 5, 1)
    assert load(tmp_path, image_size="3x4").input_shape == (3, 4, 1)


def test_images_of_one_size_that_the_set_does_not_say(tmp_path: Path) -> None:
    prepare(tmp_path, features={**FEATURES, "image": tfds.features.Image(shape=(None, None, 1))})
    assert stored(load(tmp_path)) == meant(0)


def test_images_of_one_size_are_scaled_too(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert load(tmp_path, image_size="3x4").input_shape == (3, 4, 1)
    assert load(tmp_path).input_shape == (6, 6, 1)  # another copy


def test_numbers_are_not_scaled(tmp_path: Path) -> None:
    numbers = staticmethod(lambda plain: {**plain, "image": plain["image"].astype(np.float32)})
    prepare(tmp_path, features={**FEATURES, "image": PIXELS}, example=numbers)
    with pytest.raises(StudyError, match="'own' holds no image files but numbers, which --image-size cannot scale"):
        load(tmp_path, image_size="3x4")


def test_a_label_of_another_name_is_found_and_said(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        features={"picture": FEATURES["image"], "species": FEATURES["label"], "id": tfds.features.Text()},
        keys=None,
        example=staticmethod(lambda plain: {"picture": plain["image"], "species": plain["label"], "id": "x"}),
    )
    own = load(tmp_path)
    assert (stored(own), own.class_names) == (meant(0), ("a", "b", "c"))
    assert "own: the classes are its 'species'" in own.remark


@pytest.mark.parametrize("prepared", [True, False])
def test_a_set_without_a_training_split_is_refused(prepared: bool, tmp_path: Path) -> None:
    """Also before its download, where that is known."""
    if prepared:
        prepare(tmp_path, parts=("test",))
    said = "the data set 'own' has no train split, but test" if prepared else "'cifar10_1/v4' has no train split"
    assert said in refused(tmp_path, "own" if prepared else "cifar10_1/v4")


def test_the_sets_that_lack_a_split_are_known_to_tensorflow_datasets() -> None:
    assert set(catalog.LACKING) <= set(tfds.list_builders(with_community_datasets=False))


def test_a_preparation_that_was_damaged_is_a_line(tmp_path: Path) -> None:
    version = tmp_path / "mnist" / "3.0.1"
    version.mkdir(parents=True)
    assert refused(tmp_path, "mnist") == (
        f"{version} lacks its dataset_info.json; delete it, and mnist is prepared again"
    )


def test_a_set_that_another_process_prepares_meanwhile(tmp_path: Path) -> None:
    made: list[StudyError | None] = []

    def make() -> None:
        try:
            made.append(catalog._prepare(Own(data_dir=tmp_path), "own", tmp_path, None))
        except StudyError as error:
            made.append(error)

    waiting = threading.Thread(target=make)
    with FileLock(tmp_path / ".own.lock"):
        waiting.start()
        prepare(tmp_path)
        waiting.join(1)
        assert waiting.is_alive()
    waiting.join()
    assert made == [None]
    assert stored(load(tmp_path)) == meant(0)
