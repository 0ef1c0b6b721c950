"""The one rule by which the pixels of a set become bytes, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from study.data import pixels as rule
from study.data.pixels import CHUNK
from study.errors import StudyError

RAMP = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1)  # every byte
SHARES = RAMP / 255


def as_bytes(name: str, train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
    """Of both parts, and what is said."""
    images, remark = rule.as_pixels(name, {"x_train": train, "x_test": test})
    return images["x_train"], images["x_test"], remark


def refused(train: NDArray[Any], test: NDArray[Any]) -> str:
    with pytest.raises(StudyError) as caught:
        as_bytes("it", train, test)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("type", ["u1", "i2", "u2", "i4", ">i4", "i8", "u8", "f2", "f4", ">f4", "f8", "longdouble"])
def test_0_to_255_of_every_type_is_taken_as_it_is(type: str) -> None:
    train, test, _ = as_bytes("it", RAMP.astype(type), RAMP[:1].astype(type))
    assert np.array_equal(train, RAMP)
    assert np.array_equal(test, RAMP[:1])
    assert train.dtype == test.dtype == np.uint8


@pytest.mark.parametrize("type", ["f2", "f4", ">f4", "f8", "longdouble"])
def test_0_to_1_of_every_type_comes_back(type: str) -> None:
    train, test, remark = as_bytes("it", SHARES.astype(type), SHARES[:1].astype(type))
    assert np.array_equal(train, RAMP)
    assert np.array_equal(test, RAMP[:1])
    assert "both are multiplied by 255" in remark


@pytest.mark.parametrize("type", [bool, "i1", "u1", "i8", "f4"])
def test_black_and_white(type: Any) -> None:
    train, _, remark = as_bytes("it", (RAMP > 99).astype(type), (RAMP > 200).astype(type))
    assert np.array_equal(train, np.where(RAMP > 99, 255, 0))
    assert "both are multiplied by 255" in remark


def test_integers_as_they_are_need_no_word() -> None:
    assert as_bytes("it", RAMP, RAMP)[2] == as_bytes("it", RAMP.astype(int), RAMP)[2] == ""
    assert as_bytes("it", RAMP, RAMP)[0] is RAMP  # no copy


def test_one_rule_for_parts_of_two_types() -> None:
    for train, test in ((RAMP, RAMP * 1.0), (RAMP * 1.0, RAMP), (SHARES, RAMP > 99), (RAMP > 99, SHARES)):
        images, others, _ = as_bytes("it", train, test)
        assert np.array_equal(images, np.rint(train * (255.0 if train.max() <= 1 else 1.0)))
        assert np.array_equal(others, np.rint(test * (255.0 if test.max() <= 1 else 1.0)))


def test_the_rule_of_the_training_images_is_kept_where_the_test_images_alone_had_another() -> None:
    _, test, _ = as_bytes("it", RAMP // 32, RAMP // 128)
    assert np.array_equal(test, RAMP // 128)


@pytest.mark.parametrize("above", [1.0000002, 1 + 1e-12, 1.0019])
def test_a_hair_above_white_is_white(above: float) -> None:
    train, _, remark = as_bytes("it", SHARES * above, SHARES)
    assert np.array_equal(train, RAMP)
    assert "clipped" not in remark


@pytest.mark.parametrize("white", [1, 255])
def test_an_overshoot_is_clipped_and_said(white: int) -> None:
    """As of cubic interpolation."""
    over = SHARES.copy()
    over[SHARES < 0.05] -= 0.11
    over[SHARES > 0.95] += 0.11
    train, test, remark = as_bytes("it", over * white, SHARES * white)
    assert np.array_equal(train, np.rint(np.clip(over, 0, 1) * 255))
    assert np.array_equal(test, RAMP)
    share = ((over < -0.5 / 255) | (over > 1 + 0.5 / 255)).mean()
    assert f"{share:.2%} of x_train, below 0 or above {white}, are clipped" in remark
    assert "of x_test" not in remark


def test_a_mean_that_was_subtracted_is_no_overshoot() -> None:
    dark = np.where(np.arange(256).reshape(RAMP.shape) % 4, 0, SHARES)
    assert "78% of x_train lie below 0 or above 1" in refused(dark - 0.1, dark)


def test_floats_between_two_integers_are_rounded_and_said() -> None:
    train, _, remark = as_bytes("it", RAMP * 0.99, RAMP)
    assert np.array_equal(train, np.rint(RAMP * 0.99))
    assert remark == "x_train is float64 from 0 to 252.45, x_test is uint8 from 0 to 255: both are rounded to integers"


def test_dark_images_are_taken_and_said() -> None:
    assert "x_train is dark where white is 255" in as_bytes("it", RAMP // 16, RAMP // 16)[2]
    assert "x_test is dark where white is 1" in as_bytes("it", SHARES, SHARES / 4)[2]


@pytest.mark.parametrize(
    "pixels",
    [
        SHARES * 2,
        SHARES * 1.13,
        SHARES * 16,
        SHARES * 100,
        SHARES * 1e6,
        RAMP.astype(np.uint16) * 257,
        RAMP.astype(np.int16) - 128,
        RAMP.astype(np.int64) + 1,
        np.full(RAMP.shape, 300),
        SHARES * 300,
        np.full(RAMP.shape, 2**64 - 1, np.uint64),
    ],
)
def test_a_scale_that_cannot_be_told_is_refused_with_what_was_found(pixels: NDArray[Any]) -> None:
    said = refused(pixels, RAMP)
    assert said.startswith("it: pixels must be from 0 to 255, or 0 to 1, by one rule for all; ")
    assert f"x_train is {pixels.dtype} from {pixels.min():.8g} to {pixels.max():.8g}" in said
    assert "x_test is uint8 from 0 to 255" in said
    assert said.endswith("make black 0 and white 255 in both")


@pytest.mark.parametrize(
    "train, test, why",
    [
        (RAMP / 255 * 249, SHARES, "differ more than 8-fold"),
        (RAMP, (RAMP > 99).astype(np.uint8), "differ more than 8-fold"),
        (RAMP, SHARES, "differ more than 8-fold"),
        (RAMP, SHARES * 2, "differ more than 8-fold"),
        (RAMP, SHARES * 16, "differ more than 8-fold"),
        (RAMP // 16, RAMP, "differ more than 8-fold"),
        (RAMP, RAMP * 0, "differ more than 8-fold"),
        (SHARES, SHARES / 255, "differ more than 8-fold"),
        (SHARES, RAMP, "0 to 1 is the rule of x_train"),
        (RAMP > 99, RAMP, "0 to 1 is the rule of x_train"),
        (RAMP, SHARES * 2 - 1, "differ more than 8-fold"),
        (SHARES, SHARES * 2 - 1, "0 to 1 is the rule of x_train"),
        (RAMP, RAMP.astype(np.uint16) * 257, "0 to 255 is the rule of x_train"),
        (SHARES / 255, SHARES / 255, "black where white is 1"),
        (RAMP // 64, RAMP // 64, "black where white is 255"),
    ],
)
def test_two_rules_are_refused(train: NDArray[Any], test: NDArray[Any], why: str) -> None:
    assert why in refused(train, test)


STANDARDIZED = [SHARES * 2 - 1, (SHARES - 0.5) / 0.29, SHARES - 0.2, (RAMP - 127.5), RAMP - 99.0]


@pytest.mark.parametrize("type", ["f2", "f4", ">f4", "f8", "longdouble"])
@pytest.mark.parametrize("pixels", STANDARDIZED)
def test_standardised_floats_are_taken_as_they_are(pixels: NDArray[Any], type: str) -> None:
    train, test, remark = as_bytes("it", pixels.astype(type), pixels[::-1].astype(type) / 2**0.25)
    assert np.array_equal(train, pixels.astype(type).astype(np.float32))
    assert train.dtype == test.dtype == np.float32
    assert remark.startswith(f"x_train is {np.dtype(type)} from {train.min():.8g} to ")
    assert remark.endswith(": standardised, taken as they are")


@pytest.mark.parametrize(
    "test", [RAMP, RAMP.astype("i4") - 128, SHARES, SHARES * 2 - 1, (SHARES - 0.5) * 8, (SHARES - 0.5) / 0.29 + 1.1]
)
def test_standardised_floats_beside_others_are_refused(test: NDArray[Any]) -> None:
    said = refused(np.sign(SHARES - 0.5), test)
    assert said.startswith("it: x_train is standardised (mean 0, standard deviation 1) and x_test is not in the same ")
    assert said.endswith("make black 0 and white 255 in both")


def test_a_few_broken_pixels_are_no_standardisation() -> None:
    broken = SHARES.copy()
    broken[0, 0, :3] = -300
    assert refused(broken, SHARES).startswith("it: pixels must be from 0 to 255, or 0 to 1, by one rule for all; ")


def test_images_alone_are_standardised_where_those_of_the_study_are() -> None:
    assert np.array_equal(rule.alone_as_pixels("it", SHARES - 0.5, are_bytes=False), np.float32(SHARES - 0.5))
    with pytest.raises(StudyError, match="the images of the study are standardised floats; these are uint8"):
        rule.alone_as_pixels("it", RAMP, are_bytes=False)
    with pytest.raises(StudyError, match="pixels must be from 0 to 255"):
        rule.alone_as_pixels("it", SHARES - 0.5, are_bytes=True)


def test_images_of_one_pixel_value_teach_nothing() -> None:
    assert "all pixels of x_train are 77" in refused(RAMP * 0 + 77, RAMP)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("type", ["f2", "f4", "f8", "longdouble"])
def test_what_is_not_finite_is_refused(bad: float, type: str) -> None:
    broken = SHARES.astype(type)
    broken[1, 2, 3] = bad
    assert "it: x_test has pixels that are NaN or infinite" in refused(SHARES, broken)


@pytest.mark.parametrize("type", [complex, str, "S4", object, "M8[s]", "m8[s]"])
def test_what_is_no_number_is_refused(type: Any) -> None:
    assert "it: x_train must be numbers; its type is" in refused(RAMP.astype(type), RAMP)


def test_more_than_one_chunk() -> None:
    pixels = np.random.default_rng(0).random((5, CHUNK // 2 - 1, 1, 1), np.float32)
    assert np.array_equal(as_bytes("it", pixels, pixels)[0], np.rint(pixels.astype(float) * 255))


def test_validation_images_must_fit_the_rule_of_the_training_images() -> None:
    with pytest.raises(StudyError, match="whose brightest pixels differ more than 8-fold"):
        rule.as_pixels("it", {"x_train": RAMP, "x_val": SHARES, "x_test": RAMP})
