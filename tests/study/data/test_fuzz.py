"""Archives of every kind that people write: what a model is fed is right, or the archive is refused in one line.

Each example knows what its pixels and labels mean before it writes them in some way. The suite draws a share; for all:

    FUZZ_ARCHIVES=2000 pytest -n 0 tests/study/data/test_fuzz.py
"""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from study.config import PIXELS
from study.data import datasets
from study.errors import StudyError
from study.images import Images
from study.training.batches import Batches

INTEGERS = ("i2", "u2", "i4", "u4", "i8", "u8", ">i2", ">u4", ">i8")
FLOATS = ("f2", "f4", "f8", ">f2", ">f4", ">f8", "longdouble")
BRIGHTEST = {"full": 255, "dark": 60, "black": 3}


def binary(x: NDArray[Any]) -> NDArray[Any]:
    return x >= 128


def overshot(x: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """As after an interpolation: black and white are passed."""
    passed = 0.1 * random.random(x.shape)
    return x / 255 + np.where(x == 255, passed, 0) - np.where(x == 0, passed, 0)


def written(kind: str, x: NDArray[Any], type: str, random: np.random.Generator) -> NDArray[Any]:
    """Bytes as somebody writes them; `type` is one of `FLOATS` or `INTEGERS`."""
    match kind:
        case "bytes":
            return x
        case "integers" | "floats":
            return x.astype(type)
        case "broken floats":
            return np.clip(x + random.uniform(-0.45, 0.45, x.shape), 0, 255).astype(type)
        case "shares":
            return (x / 255).astype(type)
        case "a hair above":
            return (x / 255 * 1.0000002).astype("f8" if type in ("f2", ">f2") else type)
        case "an overshoot":
            return overshot(x, random).astype("f4")
        case "booleans":
            return binary(x)
        case "zero or one":
            return binary(x).astype(type)
        case "-1 to 1":
            return (x / 127.5 - 1).astype(type)
        case "standardised":
            return ((x - x.mean()) / x.std()).astype(type)
        case "without the mean":
            return (x / 255 - x.mean() / 255).astype(type)
        case "0 to 2":
            return (x / 127.5).astype(type)
        case "0 to 16":
            return (x / 255 * 16).astype(type)
        case "16 bits":
            return (x.astype("u2") * 257).astype("u2")
        case "divided twice":
            return (x / 255 / 255).astype("f4")
        case "signed bytes":
            return (x.astype("i2") - 128).astype("i1")
        case "a NaN" | "an infinity":
            return np.where(np.arange(x.size).reshape(x.shape) == 3, np.nan if kind == "a NaN" else np.inf, x / 255)
        case "complex numbers":
            return x / 255 + 0j
        case "words":
            return x.astype(str)
        case _:
            return x.astype(object)


TO_255 = {"bytes": (), "integers": INTEGERS, "floats": FLOATS, "broken floats": FLOATS[1:3]}
TO_1 = {"shares": FLOATS, "a hair above": FLOATS, "an overshoot": (), "booleans": (), "zero or one": INTEGERS}
AS_THEY_ARE = {"-1 to 1": FLOATS, "standardised": FLOATS, "without the mean": ("f4",)}
REFUSED = {"0 to 2": FLOATS, "0 to 16": FLOATS}
REFUSED |= dict.fromkeys(("16 bits", "divided twice", "signed bytes", "a NaN", "an infinity"), ())
REFUSED |= dict.fromkeys(("complex numbers", "words", "objects"), ())
BLACK_AND_WHITE = ("booleans", "zero or one")
KINDS = {**TO_255, **TO_1, **AS_THEY_ARE, **REFUSED}
LAYOUTS = ("last", "last", "Fortran", "strided", "backwards", "no channel", "first", "flat", "empty", "five axes")
LABELS = {
    True: ("i1", "u1", *INTEGERS, "f2", "f4", "f8", ">f4", "column", "booleans", "one-hot"),
    False: ("words", "negative", "from one", "gaps", "halves", "NaN", "complex", "one less", "objects"),
}
SHIFTED = ("negative", "from one", "gaps")


@dataclass(frozen=True)
class Written:
    """One part of an archive: what it means and how it is written."""

    kind: str
    type: str
    brightest: str
    layout: str
    labels: str

    def meaning(self, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels as bytes."""
        return np.where(binary(x), 255, 0).astype(np.uint8) if self.kind in BLACK_AND_WHITE else x

    @property
    def sound(self) -> bool:
        """Whether no rule speaks against this part alone."""
        bright = self.brightest == "full" or (self.brightest == "dark" and "floats" not in self.kind)
        plain = self.kind in TO_255 or self.kind in TO_1
        several = self.layout in ("last", "Fortran", "strided", "backwards", "no channel")
        return plain and several and self.labels in LABELS[True] and (bright and self.brightest != "black")


def kinds() -> st.SearchStrategy[str]:
    return st.one_of(*(st.sampled_from(sorted(each)) for each in (TO_255, TO_255, TO_1, TO_1, AS_THEY_ARE, REFUSED)))


@st.composite
def archives(draw: Any) -> tuple[Written, Written, int, tuple[int, ...]]:
    """Both parts, a seed, and classes, images per class, test images, height, width, channels."""
    numbers = draw(st.tuples(*(st.integers(*each) for each in ((2, 4), (2, 6), (1, 9), (5, 9), (5, 9), (1, 4)))))
    parts: list[Written] = []
    usual = draw(st.integers(0, 3)) > 0  # mostly both parts are written alike
    for _ in range(2):
        if usual and parts:
            parts.append(parts[0])
            continue
        kind = draw(kinds())
        good = draw(st.integers(0, 4)) > 0
        told = kind in REFUSED or kind in AS_THEY_ARE or kind in BLACK_AND_WHITE
        brightest = "full" if told else draw(st.sampled_from(["full", "full", "dark", "black"]))
        labels = draw(st.sampled_from(LABELS[good]))
        if parts and labels in SHIFTED:  # of a few test labels alone nobody can tell
            labels = parts[0].labels
        if labels == "booleans":
            numbers = (2, *numbers[1:])
        type = draw(st.sampled_from(KINDS[kind] or ("f8",)))
        parts.append(
            Written(kind, type, brightest, draw(st.sampled_from(LAYOUTS if not good else LAYOUTS[:6])), labels)
        )
    if parts[1].kind in {**REFUSED, **AS_THEY_ARE}:  # beside dark images nobody can tell that 16 is white
        parts[0] = replace(parts[0], brightest="full")
    return parts[0], parts[1], draw(st.integers(0, 2**32 - 1)), numbers


def drawn(random: np.random.Generator, shape: tuple[int, ...], brightest: str) -> NDArray[np.uint8]:
    """Bytes of every brightness up to the brightest, black and the brightest among them."""
    x = random.integers(0, BRIGHTEST[brightest] + 1, shape).astype(np.uint8)
    x.flat[0], x.flat[-1] = BRIGHTEST[brightest], 0
    return x


def laid_out(layout: str, x: NDArray[Any]) -> NDArray[Any]:
    match layout:
        case "Fortran":
            return np.asfortranarray(x)
        case "strided":
            return np.repeat(x, 2, axis=2)[:, :, ::2]
        case "backwards":
            return np.ascontiguousarray(x[:, ::-1])[:, ::-1]
        case "no channel":
            return x[..., 0] if x.shape[3] == 1 else x
        case "first":
            return np.moveaxis(x, -1, 1)
        case "flat":
            return x.reshape(len(x), -1)
        case "empty":
            return x[:, :0]
        case "five axes":
            return x[..., None]
    return x


def labelled(labels: str, y: NDArray[np.int64]) -> NDArray[Any]:
    match labels:
        case "column":
            return y[:, None]
        case "booleans":
            return y.astype(bool)
        case "one-hot":
            return np.eye(int(y.max()) + 2)[y]
        case "words":
            return np.array(["cat\n\x1b[31m", "dog", "hen", "ox"])[y]
        case "negative":
            return y - 1
        case "from one":
            return y + 1
        case "gaps":
            return 2 * y
        case "halves":
            return y + 0.5
        case "NaN":
            return np.where(y == 0, np.nan, y)
        case "complex":
            return y + 0j
        case "one less":
            return y[1:]
        case "objects":
            return y.astype(object)
    return y.astype(labels)


def in_order(x: NDArray[Any], y: NDArray[Any]) -> list[tuple[bytes, int]]:
    """The images of a part with their labels, whatever order they are in."""
    return sorted((image.tobytes(), int(label)) for image, label in zip(x, y, strict=True))


def fed(images: Images) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What reaches a model."""
    x, y = Batches(images, images.y, len(images), None)[0]
    assert np.array_equal(x, images.scaled)
    return x.numpy(), y.numpy()


@settings(max_examples=int(os.environ.get("FUZZ_ARCHIVES", "250")))
@given(made=archives(), pixels=st.sampled_from(PIXELS))
def test_an_archive_is_read_rightly_or_refused(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Written, Written, int, tuple[int, ...]], pixels: str
) -> None:
    train, test, seed, (classes, each, tests, *shape) = made
    random, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("fuzz")
    y = {"train": np.arange(classes * each) % classes, "test": random.integers(0, classes, tests)}
    x, arrays = {}, {}
    for part, way in (("train", train), ("test", test)):
        plain = drawn(random, (len(y[part]), *shape), way.brightest)
        given = written(way.kind, plain, way.type, random)
        x[part] = given.astype(np.float32) if way.kind in AS_THEY_ARE else way.meaning(plain)
        arrays[f"x_{part}"] = laid_out(way.layout, given)
        arrays[f"y_{part}"] = labelled(way.labels, y[part])
    np.savez(folder / "made.npz", **arrays)
    try:
        data = datasets.load(f"npz:{folder / 'made.npz'}", 0, data_dir=str(folder), pixels=pixels)
    except StudyError as error:
        event("refused")
        assert "\n" not in str(error)
        assert not (train.sound and test == train and train.kind != "an overshoot"), error
        return
    event("loaded")
    as_they_are = train.kind in AS_THEY_ARE
    assert as_they_are == (test.kind in AS_THEY_ARE)
    white = np.float32(1 if pixels == "0..1" and not as_they_are else 255)
    for images, part in ((data.train_and_validation, "train"), (data.test(), "test")):
        found = fed(images)
        means = np.divide(x[part], 255 / white, dtype=np.float32)
        assert in_order(*found) == in_order(means, y[part]), (train, test)
    assert np.array_equal(data.test().y, y["test"])
    # Flat rows of several channels may be as long as those of a square grey image.
    assert np.array_equal(data.test().x.reshape(x["test"].shape), x["test"])
