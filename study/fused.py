"""The arithmetic of Keras in fewer passes over memory.

Keras writes an optimiser's step and a batch normalisation as a dozen element-wise operations, each of which reads and
writes whole arrays. TensorFlow has both as one operation. The formulas are the same; the results agree to rounding.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import tensorflow as tf

LEAST_EPSILON = 1.001e-5
"""Of a batch normalisation; cuDNN refuses less."""


def fuse(model: keras.Model) -> None:
    """Let a model that is about to be trained use fused operations where they do exactly what its layers and its
    optimiser would. The model's configuration, variables and saved file stay what they are."""
    for layer in _layers(model):
        if type(layer) is keras.layers.BatchNormalization and _normalizes_plainly(layer):
            layer.call = partial(_normalize, layer)
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of a loss that is scaled
    update = getattr(type(optimizer), "update_step", None)
    if update is keras.optimizers.Adam.update_step and not optimizer.amsgrad:
        optimizer.update_step = partial(_step, optimizer, _adam_step)
    elif update is keras.optimizers.SGD.update_step and optimizer.momentum:
        optimizer.update_step = partial(_step, optimizer, _momentum_step)


def _layers(model: Any) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def _step(optimizer: Any, fused: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    """An optimiser's `update_step`: fused where the gradient is dense."""
    if isinstance(gradient, tf.IndexedSlices):
        type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    else:
        fused(optimizer, gradient, variable, learning_rate)


def _adam_step(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1, with the order of its last remark in section 2)."""
    index = optimizer._get_variable_index(variable)
    dtype = variable.dtype
    step = tf.cast(optimizer.iterations.value + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(tf.cast(optimizer.beta_1, dtype), step),
        beta2_power=tf.pow(tf.cast(optimizer.beta_2, dtype), step),
        lr=tf.cast(learning_rate, dtype),
        beta1=tf.cast(optimizer.beta_1, dtype),
        beta2=tf.cast(optimizer.beta_2, dtype),
        epsilon=tf.cast(optimizer.epsilon, dtype),
        grad=tf.cast(gradient, dtype),
    )


def _momentum_step(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    """Stochastic gradient descent with momentum, Nesterov's where asked for (Sutskever et al. 2013, equations 1-4)."""
    dtype = variable.dtype
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=optimizer.momentums[optimizer._get_variable_index(variable)].value.handle,
        lr=tf.cast(learning_rate, dtype),
        grad=tf.cast(gradient, dtype),
        momentum=tf.cast(optimizer.momentum, dtype),
        use_nesterov=optimizer.nesterov,
    )


def _normalizes_plainly(layer: Any) -> bool:
    return not layer.renorm and not layer.synchronized and layer.epsilon >= LEAST_EPSILON


def _normalize(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """Batch normalisation while training (Ioffe and Szegedy 2015, algorithm 1) of channels that come last."""
    last = layer.axis in (-1, inputs.shape.rank - 1)
    if training is not True or not layer.trainable or mask is not None or not last or inputs.dtype != tf.float32:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, (-1, 1, 1, channels))
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=layer.gamma.value if layer.scale else tf.ones(channels),
        offset=layer.beta.value if layer.center else tf.zeros(channels),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        exponential_avg_factor=1.0,
    )
    # It estimates the population's variance; Keras keeps the batch's.
    count = tf.cast(tf.size(images) // channels, tf.float32)
    variance *= (count - 1) / count
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return tf.reshape(outputs, tf.shape(inputs)) if images is not inputs else outputs
