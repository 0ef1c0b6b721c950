"""Pixels as they are given, and the one rule that makes bytes of them: the same for training and test images. Numbers
that have no black and no white, standardised ones, stay as they are."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError
from study.images import Pixels

TRAIN = "x_train"
"""The part whose images decide for all."""
WHITE = 255
DARK = 128
"""Floats whose brightest would be a darker byte are not known to count from 0 to 255."""
BLACK = 4
"""A model sees nothing of images whose brightest byte is below this."""
CONTRAST = 8
"""Where the brightest pixels of two parts differ by a larger factor, they were scaled by two rules."""
OVERSHOOT = 1 / 8
"""How far beyond black and white floats are clipped, in parts of the range. Cubic interpolation that enlarges an image
passes an edge by up to 4/27 of its parameter's amount (Keys 1981, IEEE Transactions on Acoustics, Speech, and Signal
Processing 29(6)): 1/9 with the -0.75 of OpenCV and PyTorch, 2/27 with the -0.5 of Pillow."""
MOST_CLIPPED = 1 / 4
"""Where a larger share of the pixels lies beyond, it is no overshoot: a mean was subtracted, for example."""
LEAST_BELOW = 1 / 20
"""Where a smaller share lies far below black, a few pixels are broken; no mean was subtracted from all."""
SAME_SPREAD = 1.5
"""Standardised parts of one set differ less in their standard deviation, and their means by less than one of it."""
CHUNK = 2**20
"""Pixels that are turned into bytes at a time."""


class Found(NamedTuple):
    """What the images of one part are given as."""

    type: np.dtype[Any]
    lowest: float
    highest: float

    @property
    def counted(self) -> bool:
        """Whether they are integers, which have no overshoot."""
        return self.type.kind != "f"

    def fits(self, white: int) -> bool:
        """Whether they lie between 0 and white, but for an overshoot."""
        slack = 0 if self.counted else OVERSHOOT * white
        return -slack <= self.lowest and self.highest <= white + slack

    def brightest(self, white: int) -> float:
        """The byte that the brightest pixel becomes."""
        return self.highest * WHITE / white

    def __str__(self) -> str:
        return f"{self.type} from {self.lowest:.8g} to {self.highest:.8g}"


def as_pixels(name: str, images: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Pixels], str]:
    """The images of each part as bytes, and a line that says what was done where it is not the obvious.

    The training images decide: booleans and numbers from 0 to 1 are multiplied by 255, integers from 0 to 255 are taken
    as they are, floats from 0 to 255 are rounded if their brightest is at least `DARK`. Floats that are below 0 by more
    than an overshoot are standardised: they stay what they are, as float32. The others must fit.

    Args:
        name: What messages call the data set.
        images: At least one pixel in each part, by its name; `TRAIN` is one of them.

    Raises:
        StudyError: What is no number, lies outside, or cannot be told.
    """
    found = {part: _found(f"{name}: {part}", x) for part, x in images.items()}
    white = _white(found[TRAIN])
    if _is_standardized(images[TRAIN], found[TRAIN], white):
        return _standardized(name, images, found)
    clipped = {part: 0.0 if white is None else _clipped(x, found[part], white) for part, x in images.items()}
    problem = None if white is None else _problem(found, clipped, white)
    if white is None or problem is not None:
        raise StudyError(
            f"{name}: pixels must be from 0 to 255, or 0 to 1, by one rule for all; {_in_words(found)}"
            f"{problem or ''}; make black 0 and white 255 in both"
        )
    if found[TRAIN].lowest == found[TRAIN].highest:
        raise StudyError(f"{name}: all pixels of {TRAIN} are {images[TRAIN].flat[0]}; check how the images were made")
    done = _done(found, clipped, white)
    remark = f"{_in_words(found)}: {', '.join(done)}" if done else ""
    return {part: _converted(x, white) for part, x in images.items()}, remark


def alone_as_pixels(name: str, x: NDArray[Any], are_bytes: bool) -> Pixels:
    """Images that are no part of a data set as bytes, by the same rule, but dark ones are nothing unusual; or as they
    are, where those of the data set are no bytes.

    Raises:
        StudyError: They are no numbers, lie outside, or cannot be told.
    """
    found = _found(name, x)
    if not are_bytes:
        if found.counted:
            raise StudyError(f"{name}: the images of the study are standardised floats; these are {found}")
        return x.astype(np.float32)
    if (white := _white(found)) is None:
        raise StudyError(f"{name}: pixels must be from 0 to 255, or 0 to 1; they are {found}")
    return _converted(x, white)


def _found(what: str, x: NDArray[Any]) -> Found:
    if x.dtype.kind not in "iufb":
        raise StudyError(f"{what} must be numbers; its type is {x.dtype}")
    with np.errstate(invalid="ignore"):  # NaN is found below
        lowest, highest = float(x.min()) + 0.0, float(x.max()) + 0.0  # not -0
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise StudyError(f"{what} has pixels that are NaN or infinite; replace them")
    return Found(x.dtype, lowest, highest)


def _white(train: Found) -> int | None:
    """What white is in the training images; None where that cannot be told."""
    if train.fits(1):
        return 1
    return WHITE if train.fits(WHITE) and (train.counted or train.highest >= DARK) else None


def _is_standardized(train: NDArray[Any], found: Found, white: int | None) -> bool:
    """Whether pixels have no black: many lie further below 0 than an overshoot."""
    if found.counted or found.lowest >= -OVERSHOOT or np.count_nonzero(train < -OVERSHOOT) < LEAST_BELOW * train.size:
        return False
    return found.lowest < found.highest and (white is None or _clipped(train, found, white) > MOST_CLIPPED)


def _standardized(
    name: str, images: Mapping[str, NDArray[Any]], found: dict[str, Found]
) -> tuple[dict[str, Pixels], str]:
    """The images as they are, as float32, if the same was done to all parts."""
    moments = {part: (float(x.mean(dtype=np.float64)), float(x.std(dtype=np.float64))) for part, x in images.items()}
    mean, spread = moments[TRAIN]
    for part, (other, deviation) in moments.items():
        alike = not found[part].counted and abs(other - mean) < spread < SAME_SPREAD * deviation
        if not alike or deviation >= SAME_SPREAD * spread:
            raise StudyError(
                f"{name}: {TRAIN} is standardised (mean {mean:.3g}, standard deviation {spread:.3g}) and {part} is not "
                f"in the same way (mean {other:.3g}, standard deviation {deviation:.3g}); {_in_words(found)}; do the "
                "same to both, or make black 0 and white 255 in both"
            )
    kept: dict[str, Pixels] = {part: x.astype(np.float32, copy=False) for part, x in images.items()}
    return kept, f"{_in_words(found)}: standardised, taken as they are"


def _clipped(x: NDArray[Any], found: Found, white: int) -> float:
    """The share of the pixels that lie further beyond black or white than what is rounded away."""
    half = white / WHITE / 2
    if found.lowest >= -half and found.highest <= white + half:
        return 0.0
    return float(np.count_nonzero((x < -half) | (x > white + half)) / x.size)


def _problem(found: dict[str, Found], clipped: dict[str, float], white: int) -> str | None:
    """Why the rule of the training images is no rule for all, as the end of a clause."""
    if not all(each.fits(white) for each in found.values()):
        return f", and 0 to {white} is the rule of {TRAIN}"
    if found[TRAIN].brightest(white) < BLACK:
        return f", and {TRAIN} is black where white is {white}"
    highest = [each.highest for each in found.values()]
    if max(highest) > CONTRAST * min(highest):
        return f", whose brightest pixels differ more than {CONTRAST}-fold"
    for part, share in clipped.items():
        if share > MOST_CLIPPED:
            return f", and {share:.0%} of {part} lie below 0 or above {white}"
    return None


def _converted(x: NDArray[Any], white: int) -> Pixels:
    if x.dtype == np.uint8 and white == WHITE:
        return np.ascontiguousarray(x)
    converted = np.empty(x.shape, np.uint8)
    step = max(1, CHUNK // math.prod(x.shape[1:]))
    for begin in range(0, len(x), step):
        scaled = np.multiply(x[begin : begin + step], WHITE / white, dtype=np.float64)
        converted[begin : begin + step] = np.clip(np.rint(scaled), 0, WHITE)
    return converted


def _done(found: dict[str, Found], clipped: dict[str, float], white: int) -> list[str]:
    """What was done, but for integers that were taken as they are."""
    done = []
    if white == 1:
        done.append("both are multiplied by 255")
    elif not all(each.counted for each in found.values()):
        done.append("both are rounded to integers")
    for part, each in found.items():
        if clipped[part]:
            done.append(f"{clipped[part]:.2%} of {part}, below 0 or above {white}, are clipped")
        if each.brightest(white) < DARK:
            done.append(f"{part} is dark where white is {white}")
    return done


def _in_words(found: dict[str, Found]) -> str:
    return ", ".join(f"{part} is {each}" for part, each in found.items())
