"""A trained model as people use it: Keras alone opens it, it returns probabilities, and it can be evaluated."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import layers, losses

from study.errors import StudyError, one_line
from study.training.examples import loss_of

CROSSENTROPIES = (
    losses.SparseCategoricalCrossentropy,
    losses.CategoricalCrossentropy,
    losses.CategoricalFocalCrossentropy,
    losses.BinaryCrossentropy,
    losses.BinaryFocalCrossentropy,
)
"""Keras's losses of logits or probabilities."""
AUGMENTATION = (
    layers.AugMix, layers.CutMix, layers.MixUp, layers.RandAugment, layers.RandomBrightness,
    layers.RandomColorDegeneration, layers.RandomColorJitter, layers.RandomContrast, layers.RandomElasticTransform,
    layers.RandomErasing, layers.RandomFlip, layers.RandomGaussianBlur, layers.RandomGrayscale, layers.RandomHue,
    layers.RandomInvert, layers.RandomPerspective, layers.RandomPosterization, layers.RandomRotation,
    layers.RandomSaturation, layers.RandomSharpness, layers.RandomShear, layers.RandomTranslation, layers.RandomZoom,
)  # fmt: skip
"""Keras's layers that change images in training alone. (`RandomCrop` cuts them in use, too.)"""
MISSING = re.compile(r"Could not locate (class|function) '([^']+)'")
"""What Keras says of a name in a saved model that it does not know."""


def published(model: keras.Model) -> keras.Model:
    """The layers of a trained model, ending in probabilities (n, classes) or (n, 1), float32.

    Augmentation is left out: Keras's layers change the images of whoever calls a model as `model(images)` or exports
    it, and leave them alone in `predict` only.

    Where a cross-entropy of logits trained it, a softmax is added, or a sigmoid to a single unit; other outputs are
    kept. It is compiled with Keras's own loss, with accuracy, and with an optimizer that has no state: for `evaluate`.

    A model is returned as it is if its class or its loss is not Keras's (a subclass of a cross-entropy counts as that),
    if it is not a graph of layers (Functional or Sequential), or if it has several inputs or outputs.
    """
    ends, loss = _ends(model), _loss(model)
    if ends is None or loss is None:
        return model
    given, output = ends
    activation = "linear"
    if getattr(loss, "from_logits", False):
        activation = "sigmoid" if output.shape[-1] == 1 else "softmax"
    if activation != "linear" or output.dtype != "float32":
        output = keras.layers.Activation(activation, dtype="float32", name="probabilities")(output)
    kind = _kind(loss)
    found = _without_augmentation(keras.Model(given, output, name=model.name))
    # SGD: Keras writes the state of any other optimizer too, and warns when it reads less than a trained one has.
    found.compile("sgd", loss if kind is None else kind(), metrics=["accuracy"], auto_scale_loss=False)
    return found


def _without_augmentation(model: keras.Model) -> keras.Model:
    """A graph of the same layers, but for augmentation."""
    if not any(map(_augments, model.layers)):
        return model
    found = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_call)
    return keras.Model(found.inputs[0], found.outputs[0], name=model.name)


def _call(layer: Any, *arguments: Any, **options: Any) -> Any:
    """What a layer returns in use."""
    if type(layer) in AUGMENTATION:
        (given,) = arguments
        return given if "float" in given.dtype else keras.ops.cast(given, layer.compute_dtype)
    if not _augments(layer):
        return layer(*arguments, **options)
    if isinstance(layer, keras.Sequential | layers.Pipeline):
        (given,) = arguments
        for each in layer.layers:
            given = _call(each, given)
        return given
    return _without_augmentation(layer)(*arguments, **options)


def _augments(layer: Any) -> bool:
    """Whether a layer is one of augmentation, or has one within it."""
    is_nested = isinstance(layer, keras.Model | layers.Pipeline) and _is_keras(layer)
    return type(layer) in AUGMENTATION or (is_nested and any(map(_augments, layer.layers)))


def opened(file: Path, custom_objects: Mapping[str, Any] | None = None) -> keras.Model:
    """A saved model.

    Args:
        file: Ends in .keras.
        custom_objects: Classes and functions by name that are not Keras's.

    Raises:
        StudyError: one that it needs is missing, or it cannot be opened for another reason.
    """
    policy = keras.config.dtype_policy()
    # Layers bring their own policies; with mixed_float16 the optimizer would be another.
    keras.config.set_dtype_policy("float32")
    try:
        return keras.saving.load_model(file, custom_objects=dict(custom_objects or {}))
    except Exception as error:  # whatever the classes raise
        if missing := MISSING.search(str(error)):
            kind, name = missing.groups()
            raise StudyError(
                f"the model {file} needs the {kind} {name!r} of its search space: "
                f"best_model(custom_objects={{{name!r}: ...}}) takes it"
            ) from None
        raise StudyError(f"the model {file} cannot be opened: {one_line(error, 300)}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def _ends(model: keras.Model) -> tuple[Any, Any] | None:
    """The input and the output of a graph of layers that has one of each."""
    try:
        inputs, outputs = model.inputs, model.outputs
    except (AttributeError, ValueError):  # a subclass, or a Sequential model that is not a graph
        return None
    return (inputs[0], outputs[0]) if _is_keras(model) and len(inputs) == len(outputs) == 1 else None


def _loss(model: keras.Model) -> Any:
    """The loss that trained a model, if Keras has it or a class that it extends."""
    loss = loss_of(model)
    if not (isinstance(loss, str) or callable(loss)):
        return None
    loss = losses.get(loss)
    return loss if _is_keras(loss) or _kind(loss) is not None else None


def _kind(loss: Any) -> Any:
    """The cross-entropy that a loss is or extends."""
    return next((kind for kind in CROSSENTROPIES if isinstance(loss, kind)), None)


def _is_keras(found: Any) -> bool:
    """Whether an object is of one of Keras's classes, or one of its functions."""
    return str(getattr(found, "__module__", "")).partition(".")[0] == "keras"
