"""A convolutional network tuned for accuracy."""

from typing import Any

import keras
import keras_tuner
from keras import layers, ops

from search_spaces.augmentation import augmentation
from search_spaces.fitting import fit
from search_spaces.schedules import scheduled


@keras.saving.register_keras_serializable("search_spaces")
class SmoothedCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of logits with smoothed integer labels: 1 - smoothing on the true class, the rest spread evenly
    over all classes (Szegedy et al. 2016, section 7). Keras smooths one-hot labels only.

    Models train with it; those that are kept have Keras's own cross-entropy.

    Args:
        smoothing: The probability that is spread, 0 to 1.
    """

    def __init__(self, smoothing: float, name: str = "smoothed_crossentropy") -> None:
        super().__init__(from_logits=True, name=name)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (n,) in nats from labels (n,) or (n, 1) and logits (n, classes)."""
        log_probabilities = ops.log_softmax(y_pred)
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        true = ops.squeeze(ops.take_along_axis(log_probabilities, labels, axis=-1), -1)
        return -(1 - self.smoothing) * true - self.smoothing * ops.mean(log_probabilities, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"smoothing": self.smoothing, "name": self.name}


class CNNHyperModel(keras_tuner.HyperModel):
    """Augmentation, 2 or 3 blocks of one or two convolutions, each with twice the filters of the one before, then a
    classifier.

    The defaults are keras.io's "Simple MNIST convnet" (32 and 64 filters, max-pooling, dropout 0.5, Adam, batches of
    128, 15 epochs; reported there: 99.22 % on MNIST's test set, one run), with padding so that small images work too.
    Pooling comes before the normalisation and the activation: with max-pooling and a monotonic activation the values
    are the same, at a quarter of the work; downsampling by the stride of a block's first convolution is cheaper still.

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
        activation = hp.Choice("activation", ["relu", "elu", "silu"])
        stack = [
            *augmentation(hp, self.input_shape[-1]),
            *_convolutions(hp, activation),
            *_classifier(hp, activation, self.num_classes),
        ]
        model = keras.Sequential([keras.Input(self.input_shape), *stack], name="cnn")
        model.compile(
            optimizer=_optimizer(hp),
            loss=SmoothedCrossentropy(hp.Choice("label_smoothing", [0.0, 0.05, 0.1])),
            metrics=["accuracy"],
        )
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train with the tuned batch size."""
        return fit(hp, model, [64, 128, 256], *args, **kwargs)


def _convolutions(hp: Any, activation: str) -> list[keras.Layer]:
    """The blocks. Later kernels are tuned only in blocks of one convolution; blocks of two use 3x3, since two of them
    cover as much of the image as one 5x5, with less work."""
    blocks = hp.Int("blocks", 2, 3)
    filters = hp.Int("filters", 16, 32, step=8, default=32)
    convolutions = hp.Choice("convolutions", [1, 2])
    first_kernel_size = hp.Choice("first_kernel_size", [3, 5])
    with hp.conditional_scope("convolutions", [1]):
        kernel_size = hp.Choice("kernel_size", [3, 5])
    downsampling = hp.Choice("downsampling", ["max", "average", "stride"])
    normalization = hp.Boolean("batch_normalization")
    with hp.conditional_scope("batch_normalization", [True]):
        momentum = hp.Choice("normalization_momentum", [0.9, 0.99])
    stack: list[keras.Layer] = []
    for block in range(blocks):
        for index in range(convolutions):
            size = first_kernel_size if block == index == 0 else kernel_size or 3
            strides = 2 if index == 0 and downsampling == "stride" else 1
            stack.append(layers.Conv2D(filters * 2**block, size, strides, padding="same", use_bias=not normalization))
            if index == convolutions - 1 and downsampling != "stride":
                pooling = layers.MaxPooling2D if downsampling == "max" else layers.AveragePooling2D
                stack.append(pooling(2, padding="same"))
            if normalization:
                stack.append(layers.BatchNormalization(momentum=momentum))
            stack.append(layers.Activation(activation))
    return stack


def _classifier(hp: Any, activation: str, num_classes: int) -> list[keras.Layer]:
    """After two blocks, a position sees too little of the image for an average over all positions."""
    with hp.conditional_scope("blocks", [3]):
        average = hp.Choice("head", ["flatten", "average"]) == "average"
    head = [layers.GlobalAveragePooling2D() if average else layers.Flatten()]
    if units := hp.Choice("dense_units", [0, 64, 128]):
        head.append(layers.Dense(units, activation=activation))
    if dropout := hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.5):
        head.append(layers.Dropout(dropout))
    return [*head, layers.Dense(num_classes, dtype="float32")]


def _optimizer(hp: Any) -> keras.optimizers.Optimizer:
    """Keras multiplies the decay by the rate and keeps it out of the momentum (Loshchilov and Hutter 2019)."""
    kind = hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    with hp.conditional_scope("optimizer", ["adam", "adamw"]):
        adam_rate = hp.Float("learning_rate", 1e-3, 8e-3, sampling="log")
    with hp.conditional_scope("optimizer", ["sgd"]):
        sgd_rate = hp.Float("sgd_learning_rate", 0.02, 0.2, sampling="log", default=0.1)
    with hp.conditional_scope("optimizer", ["adamw", "sgd"]):
        decay = hp.Float("weight_decay", 1e-3, 1e-2, sampling="log")
    if kind == "sgd":
        rate = scheduled(hp, sgd_rate)
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    rate = scheduled(hp, adam_rate)
    return keras.optimizers.Adam(rate) if kind == "adam" else keras.optimizers.AdamW(rate, weight_decay=decay)
