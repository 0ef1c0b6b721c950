"""The CNN of Shao, Ma, Zhu, Deng and Zhai 2023."""

from typing import Any

import keras
import keras_tuner
from keras import layers

from search_spaces.fitting import fit
from search_spaces.schedules import OneCycle

FILTERS = (32, 64, 128)
DENSE_UNITS = 128


class PaperHyperModel(keras_tuner.HyperModel):
    """Three convolution + activation layers and two dense layers, tuned over the paper's five hyperparameters: batch
    size, kernel size, batch normalisation, activation function and learning rate.

    "MNIST Handwritten Digit Classification Based on Convolutional Neural Network with Hyperparameter Optimization",
    Intelligent Automation & Soft Computing 36(3), 3595-3606. It reports 99.82 % on the training and 99.40 % on the
    test images of MNIST, on average. The layers and hyperparameters are those of its abstract. Our choice are the
    numbers of filters and dense units, max-pooling after each convolution, the 6 epochs of the baseline, and the decay
    that belongs to the learning rate: up to it in the first quarter of the training, then down to 0.

    Args:
        input_shape: Height, width, channels of the images.
        num_classes: Number of logits.
    """

    baseline_epochs = 6

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__(name="paper")
        self.input_shape = input_shape
        self.num_classes = num_classes

    def build(self, hp: Any) -> keras.Model:
        """A compiled model from images (n, height, width, channels), 0 to 1, to logits (n, classes)."""
        kernel_size = hp.Choice("kernel_size", [3, 5])
        batch_normalization = hp.Boolean("batch_normalization")
        activation = hp.Choice("activation", ["relu", "elu", "tanh", "sigmoid"])
        stack: list[keras.Layer] = []
        for filters in FILTERS:
            stack.append(layers.Conv2D(filters, kernel_size, padding="same", use_bias=not batch_normalization))
            # Before the activations, which are monotonic: the same values at a quarter of the work.
            stack.append(layers.MaxPooling2D(2, padding="same"))
            if batch_normalization:
                stack.append(layers.BatchNormalization())
            stack.append(layers.Activation(activation))
        stack += [layers.Flatten(), layers.Dense(DENSE_UNITS, activation=activation)]
        stack.append(layers.Dense(self.num_classes, dtype="float32"))
        model = keras.Sequential([keras.Input(self.input_shape), *stack], name="paper")
        rate = hp.Float("learning_rate", 3e-4, 1e-2, sampling="log", default=1e-3)
        model.compile(
            optimizer=keras.optimizers.Adam(OneCycle(rate)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train with the tuned batch size."""
        return fit(hp, model, [32, 64, 128, 256], *args, **kwargs)
