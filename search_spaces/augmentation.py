"""Random changes of the images, in training only, by Keras's layers."""

from typing import Any

import keras
from keras import layers

COLOURS = 3
STRENGTHS = ("none", "light", "strong")


def augmentation(hp: Any, channels: int) -> list[keras.Layer]:
    """The layers of a tuned augmentation, none by default. Each image is changed on its own; what leaves it is lost,
    what enters it is 0.

    Light shifts by up to 7 % of the height and the width (2 pixels of 28) and rotates by up to 10 degrees. Strong does
    so by up to 10 % and 15 degrees, enlarges or reduces both sides by up to 15 %, and shears by up to 10 %. Images in
    colour may also be mirrored; grey ones are not, because digits and letters become others in a mirror.

    For 128 grey images of 28 x 28 on one core, light takes 5 and strong 8 ms: less than a tenth of a step of the `cnn`
    space's middle-sized models, but two to three times a step of `dense`'s baseline.
    """
    strength = hp.Choice("augmentation", list(STRENGTHS))
    chosen: list[keras.Layer] = []
    if channels == COLOURS:
        with hp.conditional_scope("augmentation", ["light", "strong"]):
            if hp.Boolean("flip"):
                chosen.append(layers.RandomFlip("horizontal"))
    # In float32 under any policy: the smallest shifts would be lost in fewer bits.
    options = {"fill_mode": "constant", "dtype": "float32"}
    if strength == "light":
        chosen += [layers.RandomTranslation(0.07, 0.07, **options), layers.RandomRotation(10 / 360, **options)]
    elif strength == "strong":
        chosen += [
            layers.RandomTranslation(0.1, 0.1, **options),
            layers.RandomRotation(15 / 360, **options),
            layers.RandomZoom((-0.15, 0.15), (-0.15, 0.15), **options),
            # Keras draws the sign. Pairs: it cannot open a saved layer whose factors are single numbers.
            layers.RandomShear((0.0, 0.1), (0.0, 0.0), **options),
        ]
    return chosen
