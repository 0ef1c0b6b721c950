"""The global settings of Keras and TensorFlow, which a user's code may change."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settings_kept() -> Iterator[None]:
    """Restore, at the end, the dtype policy, floatx, epsilon, image data format and eager execution of functions: what
    one trial sets must not reach the next."""
    import keras
    import tensorflow as tf

    config = keras.config
    policy, floatx, epsilon = config.dtype_policy(), config.floatx(), config.epsilon()
    image_data_format, eagerly = config.image_data_format(), tf.config.functions_run_eagerly()
    try:
        yield
    finally:
        config.set_floatx(floatx)
        config.set_dtype_policy(policy)
        config.set_epsilon(epsilon)
        config.set_image_data_format(image_data_format)
        if tf.config.functions_run_eagerly() != eagerly:
            tf.config.run_functions_eagerly(eagerly)
