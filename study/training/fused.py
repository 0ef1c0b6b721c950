"""Keras's arithmetic in fewer passes over memory: it writes an optimizer's step and a batch normalisation as a dozen
element-wise operations, each of which reads and writes whole arrays. TensorFlow has a single operation for each. The
formulas are the same; results agree to rounding, in mixed precision to that of the shorter type. There, too, a batch
normalisation computes in float32, and variables, their gradients and the optimizer's step are float32."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.layers import BatchNormalization, Conv2D
from keras.optimizers import SGD, Adam

from study.training.keras_private import adam_moments, momentum, replace_method

LEAST_EPSILON = 1.001e-5
"""The smallest epsilon of a batch normalisation that cuDNN accepts."""
NORMALISED = (tf.float32, tf.bfloat16, tf.float16)
"""Types of the inputs of which TensorFlow, like Keras, computes a batch's mean and variance in float32."""


def fuse(model: keras.Model) -> None:
    """Let a model that is about to be trained use fused operations wherever they compute exactly what its layers and
    its optimizer would, and exact sums where a convolution's bias would lose most of its gradient (`_convolve`). The
    model's configuration, variables and saved file stay the same."""
    for layer in layers_within(model):
        if type(layer) is BatchNormalization and not layer.renorm and not layer.synchronized:
            replace_method(layer, "call", _normalize)
        elif type(layer) is Conv2D and _has_short_bias(layer):
            replace_method(layer, "call", _convolve)
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # where the loss is scaled
    update_step = getattr(type(optimizer), "update_step", None)
    if update_step is Adam.update_step and not optimizer.amsgrad:
        replace_method(optimizer, "update_step", _adam_step)
    elif update_step is SGD.update_step and optimizer.momentum:
        replace_method(optimizer, "update_step", _momentum_step)


def layers_within(model: Any) -> Iterator[keras.layers.Layer]:
    """The layers of a model, and those of models among them."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from layers_within(layer)


def _adam_step(optimizer: Adam, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1, in the order of computation given at the end of section 2)."""
    if isinstance(gradient, tf.IndexedSlices):
        Adam.update_step(optimizer, gradient, variable, learning_rate)
        return
    mean, square = adam_moments(optimizer, variable)
    cast = partial(tf.cast, dtype=variable.dtype)
    variables = {"var": variable.handle, "m": mean.handle, "v": square.handle}
    betas = {"beta1": cast(optimizer.beta_1), "beta2": cast(optimizer.beta_2)}
    step = cast(optimizer.iterations + 1)  # a variable or, where gradients are accumulated, a tensor
    powers = {f"{name}_power": tf.pow(beta, step) for name, beta in betas.items()}
    numbers = {"lr": cast(learning_rate), "epsilon": cast(optimizer.epsilon), "grad": cast(gradient)}
    tf.raw_ops.ResourceApplyAdam(**variables, **betas, **powers, **numbers)


def _momentum_step(optimizer: SGD, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
    """Stochastic gradient descent with momentum, also Nesterov's (Sutskever et al. 2013, equations 1-4)."""
    if isinstance(gradient, tf.IndexedSlices):
        SGD.update_step(optimizer, gradient, variable, learning_rate)
        return
    cast = partial(tf.cast, dtype=variable.dtype)
    variables = {"var": variable.handle, "accum": momentum(optimizer, variable).handle}
    numbers = {"lr": cast(learning_rate), "grad": cast(gradient), "momentum": cast(optimizer.momentum)}
    tf.raw_ops.ResourceApplyKerasMomentum(**variables, **numbers, use_nesterov=optimizer.nesterov)


def _normalize(layer: BatchNormalization, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """Batch normalisation while training (Ioffe and Szegedy 2015, algorithm 1): inputs (n, ..., channels)."""
    last = layer.axis in (-1, inputs.shape.rank - 1)
    plain = training is True and layer.trainable and mask is None and layer.variable_dtype == "float32"
    if not plain or not last or layer.epsilon < LEAST_EPSILON or inputs.dtype not in NORMALISED:
        return BatchNormalization.call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, (-1, 1, 1, channels))
    scale = layer.gamma.value if layer.scale else tf.ones(channels)
    offset = layer.beta.value if layer.center else tf.zeros(channels)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=offset, mean=tf.zeros(0), variance=tf.zeros(0), epsilon=layer.epsilon
    )
    # The operation returns the unbiased estimate of the variance; Keras keeps the variance of the batch.
    count = tf.cast(tf.size(images) // channels, tf.float32)
    variance *= (count - 1) / count
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    outputs = tf.cast(outputs, layer.compute_dtype)
    return tf.reshape(outputs, tf.shape(inputs)) if images is not inputs else outputs


def _has_short_bias(layer: Conv2D) -> bool:
    return bool(layer.use_bias) and layer.compute_dtype == "bfloat16" and layer.data_format == "channels_last"


def _convolve(layer: Conv2D, inputs: Any) -> Any:
    """A convolution in bfloat16 whose bias is added by `+`: the gradient of that is a sum that TensorFlow accumulates
    in float32. Keras adds it by `BiasAdd`, whose gradient TensorFlow (2.21) accumulates on the CPU in bfloat16, where
    256 + 1 is 256: over the 100,000 positions of 128 small images, most of it can be lost (docs/spaces.md)."""
    outputs = layer.convolution_op(inputs, layer.kernel) + layer.bias.value
    return outputs if layer.activation is None else layer.activation(outputs)
