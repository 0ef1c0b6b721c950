"""What `import keras_tuner.engine.tuner` offers."""

from keras_tuner.engine.tuner import maybe_distribute

from study.keras_tuner.tuner import Tuner

__all__ = ["Tuner", "maybe_distribute"]
