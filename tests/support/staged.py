"""Search spaces whose `fit` is more than a call of `model.fit`."""

from typing import Any

import keras
import tiny


class Named(tiny.Tiny):
    """Without a published number of epochs, and with a hyperparameter that changes nothing."""

    baseline_epochs: Any = None

    def build(self, hp: Any) -> keras.Model:
        hp.Int("unused", 0, 1000)
        return tiny.compiled(keras.layers.Dense(8, "relu", name="hidden"))


class Staged(Named):
    """Trains the head alone for half of the epochs, then everything, more slowly."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, epochs: int, **kwargs: Any) -> Any:
        model.get_layer("hidden").trainable = False
        model.compile(keras.optimizers.SGD(0.1), model.loss, metrics=["accuracy"], run_eagerly=True)
        model.fit(*args, epochs=epochs // 2, **kwargs)
        model.get_layer("hidden").trainable = True
        model.compile(keras.optimizers.SGD(0.05), model.loss, metrics=["accuracy"], run_eagerly=True)
        return model.fit(*args, epochs=epochs, **kwargs)


class Stopping(Named):
    """Stops by validation, and trains for epochs of its own choice."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, epochs: int, callbacks: Any, **kwargs: Any) -> Any:
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
        return model.fit(*args, epochs=epochs + 3, callbacks=[*callbacks, stop], **kwargs)


class Folds(Named):
    """Cross-validates copies of the model, and never trains the model itself."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        scores = []
        for fold in range(2):
            copy = self.build(hp)
            copy.fit(x[fold::2], y[fold::2], epochs=1, verbose=0)
            scores.append(copy.evaluate(x[1 - fold :: 2], y[1 - fold :: 2], verbose=0)[1])
        return {"val_accuracy": sum(scores) / 2}


class TrainedAfterFolds(Folds):
    """As one should."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        result = super().fit(hp, model, x, y, **kwargs)
        model.fit(x, y, epochs=3, verbose=0)
        return result


class ReadsValidation(Named):
    """Cannot be trained without validation logs."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        history = model.fit(*args, **kwargs)
        assert history.history["val_loss"]
        assert len(kwargs["validation_data"]) == 2
        return history
