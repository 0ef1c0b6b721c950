"""A convolutional network tuned for accuracy."""

from typing import Any

import keras
import keras_tuner
from keras import layers, ops

from search_spaces.fitting import SCHEDULES, fit

DEEPEST = 3


class SmoothedCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of logits with smoothed integer labels: 1 - smoothing on the true class, the rest spread evenly
    over all classes (Szegedy et al. 2016, section 7). Keras smooths one-hot labels only.

    Models train with it; those that are kept have Keras's own cross-entropy.

    Args:
        smoothing: The probability that is spread, 0 to 1.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__(from_logits=True, name="smoothed_crossentropy")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (n,) in nats from labels (n,) or (n, 1) and logits (n, classes)."""
        log_probabilities = ops.log_softmax(y_pred)
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        true = ops.squeeze(ops.take_along_axis(log_probabilities, labels, axis=-1), -1)
        return -(1 - self.smoothing) * true - self.smoothing * ops.mean(log_probabilities, axis=-1)


class CNNHyperModel(keras_tuner.HyperModel):
    """Augmentation, 1 to 3 blocks of convolution, downsampling, normalisation and activation, then a classifier.

    The defaults are keras.io's "Simple MNIST convnet" (32 and 64 filters, max-pooling, dropout 0.5, Adam, batches of
    128, 15 epochs; reported there: 99.22 % on MNIST's test set, one run), with padding so that small images work too.
    Pooling comes before the activation: with max-pooling and a monotonic activation the values are the same, at a
    quarter of the work; downsampling by stride is cheaper still.

    Args:
        input_shape: Height, width, channels of the images.
        num_classes: Number of logits.
    """

    baseline_epochs = 15

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__(name="cnn")
        self.input_shape = input_shape
        self.num_classes = num_classes

    def build(self, hp: Any) -> keras.Model:
        """A compiled model from images (n, height, width, channels), 0 to 1, to logits (n, classes)."""
        stack = _augmentation(hp)
        activation = hp.Choice("activation", ["relu", "elu", "silu"])
        normalization = hp.Boolean("batch_normalization")
        downsampling = hp.Choice("downsampling", ["max", "average", "stride"])
        filters = hp.Int("filters", 8, 32, step=8, default=32)
        kernel_size = hp.Choice("kernel_size", [3, 5])
        for index in range(hp.Int("blocks", 1, DEEPEST, default=2)):
            stack += _block(filters * 2**index, kernel_size, downsampling, normalization, activation)
        stack += _classifier(hp, activation, self.num_classes)
        model = keras.Sequential([keras.Input(self.input_shape), *stack], name="cnn")
        model.compile(
            optimizer=_optimizer(hp),
            loss=SmoothedCrossentropy(hp.Choice("label_smoothing", [0.0, 0.05, 0.1])),
            metrics=["accuracy"],
        )
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train with the tuned batch size and schedule."""
        schedule = hp.Choice("schedule", list(SCHEDULES))
        return fit(hp, model, schedule, [32, 64, 128, 256], *args, **kwargs)


def _augmentation(hp: Any) -> list[keras.Layer]:
    """Random shift and zoom (fractions of the image size) and rotation (fraction of a full turn), in training only."""
    shift = hp.Choice("shift", [0.0, 0.05, 0.1])
    rotate = hp.Choice("rotate", [0.0, 0.02, 0.04])
    zoom = hp.Choice("zoom", [0.0, 0.05, 0.1])
    chosen = []
    if shift:
        chosen.append(layers.RandomTranslation(shift, shift, fill_mode="constant"))
    if rotate:
        chosen.append(layers.RandomRotation(rotate, fill_mode="constant"))
    if zoom:
        chosen.append(layers.RandomZoom((-zoom, zoom), fill_mode="constant"))
    return chosen


def _block(
    filters: int, kernel_size: int, downsampling: str, normalization: bool, activation: str
) -> list[keras.Layer]:
    strides = 2 if downsampling == "stride" else 1
    block = [layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=not normalization)]
    if downsampling == "max":
        block.append(layers.MaxPooling2D(2, padding="same"))
    elif downsampling == "average":
        block.append(layers.AveragePooling2D(2, padding="same"))
    if normalization:
        block.append(layers.BatchNormalization())
    return [*block, layers.Activation(activation)]


def _classifier(hp: Any, activation: str, num_classes: int) -> list[keras.Layer]:
    flatten = hp.Choice("head", ["flatten", "average"]) == "flatten"
    head = [layers.Flatten() if flatten else layers.GlobalAveragePooling2D()]
    units = hp.Int("dense_units", 0, 128, step=32)
    if units:
        head.append(layers.Dense(units, activation=activation))
    dropout = hp.Float("dropout", 0.0, 0.6, step=0.1, default=0.5)
    if dropout:
        head.append(layers.Dropout(dropout))
    return [*head, layers.Dense(num_classes, dtype="float32")]


def _optimizer(hp: Any) -> keras.optimizers.Optimizer:
    weight_decay = hp.Choice("weight_decay", [0.0, 1e-4, 1e-3, 1e-2]) or None
    if hp.Choice("optimizer", ["adam", "sgd"]) == "adam":
        with hp.conditional_scope("optimizer", ["adam"]):
            rate = hp.Float("adam_learning_rate", 3e-4, 1e-2, sampling="log", default=1e-3)
        return keras.optimizers.Adam(rate, weight_decay=weight_decay)
    with hp.conditional_scope("optimizer", ["sgd"]):
        rate = hp.Float("sgd_learning_rate", 1e-2, 0.3, sampling="log", default=0.05)
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=weight_decay)
