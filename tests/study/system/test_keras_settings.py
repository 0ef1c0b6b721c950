"""Keras's global settings are what they were after a user's code has run."""

import keras
import pytest
import tensorflow as tf

from study.system.keras_settings import settings_kept


def settings() -> tuple[object, ...]:
    config = keras.config
    return (
        config.dtype_policy().name, config.floatx(), config.epsilon(), config.image_data_format(),
        tf.config.functions_run_eagerly(),
    )  # fmt: skip


def test_what_is_set_within_is_set_back() -> None:
    before = settings()

    def change() -> None:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("mixed_bfloat16")
        keras.config.set_epsilon(1e-3)
        keras.config.set_image_data_format("channels_first")
        tf.config.run_functions_eagerly(True)

    with settings_kept():
        change()
        assert all(now != then for now, then in zip(settings(), before, strict=True))
    assert settings() == before
    with pytest.raises(ZeroDivisionError), settings_kept():
        change()
        keras.backend.clear_session()
        1 / 0  # noqa: B018
    assert settings() == before
