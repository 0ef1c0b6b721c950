"""Search spaces whose trainings remember more than a model's weights and its optimizer. Each reports how it stands by a
log, so that what is lost changes the table."""

from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from search_spaces import OneCycle


class Model(keras.Sequential):
    """A classifier with dropout."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        layers = keras.layers
        super().__init__(
            [
                keras.Input(input_shape), layers.Flatten(), layers.Dense(16, "relu"), layers.Dropout(0.2),
                layers.Dense(num_classes, "softmax"),
            ]
        )  # fmt: skip


class Plain(keras_tuner.HyperModel):
    """Remembers nothing else."""

    baseline_epochs = 3
    model: type[Model] = Model

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.input_shape, self.num_classes = input_shape, num_classes

    def build(self, hp: Any) -> keras.Model:
        model = self.model(self.input_shape, self.num_classes)
        # Eagerly: so small a model is trained faster than traced.
        model.compile(self.optimizer(hp), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
        return model

    def optimizer(self, hp: Any) -> keras.optimizers.Optimizer:
        """With a tuned rate."""
        return keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2))

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Those of a training."""
        return []

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=256, callbacks=[*self.callbacks(), *callbacks], **kwargs)


class TwoModel(Model):
    """The last layer has an optimizer of its own."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape, num_classes)
        self.second = keras.optimizers.Adam(0.01)

    def train_step(self, data: Any) -> dict[str, Any]:
        """A step of both optimizers."""
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply(gradients[:-2], variables[:-2])
        self.second.apply(gradients[-2:], variables[-2:])
        return self.compute_metrics(x, y, predicted)


class TwoOptimizers(Plain):
    """The second of them is built with the model."""

    model = TwoModel

    def build(self, hp: Any) -> keras.Model:
        model = super().build(hp)
        model.second.build(model.trainable_variables[-2:])
        return model


class LateOptimizer(Plain):
    """The second optimizer makes its variables in its first step."""

    model = TwoModel


class CountingModel(Model):
    """Counts its steps in a variable of TensorFlow's, one of Keras's and a weight; the loss grows with their sum."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape, num_classes)
        self.one = tf.Variable(0.0, trainable=False)
        self.two = keras.Variable(0.0, trainable=False)
        self.three = self.add_weight(shape=(), initializer="zeros", trainable=False, name="three")

    def compute_loss(self, *args: Any, training: bool = True, **kwargs: Any) -> Any:
        """More and more."""
        if training:
            for each in (self.one, self.two, self.three):
                each.assign_add(0.1)
        return super().compute_loss(*args, **kwargs) * (1.0 + self.one + self.two + self.three)


class StateVariables(Plain):
    """Such a model."""

    model = CountingModel


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that falls each time it is asked for, in a variable."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = tf.Variable(rate, trainable=False)

    def __call__(self, step: Any) -> Any:
        return self.rate.assign(self.rate * 0.95)

    def get_config(self) -> dict[str, Any]:
        return {"rate": float(self.rate)}


class ScheduleVariable(Plain):
    """A schedule with a variable."""

    def optimizer(self, hp: Any) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(Falling(hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)))


class Annealed(Plain):
    """A rate that follows the whole training."""

    def optimizer(self, hp: Any) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(OneCycle(hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)))


class Halving:
    """A rate that halves in each second epoch, by a number that no checkpoint holds."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int, rate: float) -> float:
        self.calls += 1
        return rate / 2 if self.calls % 2 == 0 else rate


class ScheduleObject(Plain):
    """Such a schedule."""

    def callbacks(self) -> list[keras.callbacks.Callback]:
        return [keras.callbacks.LearningRateScheduler(Halving())]


class Counter(Plain):
    """A function counts the epochs, and scales the weights by that."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        seen: list[int] = []

        def scale(epoch: int, logs: Any) -> None:
            seen.append(epoch)
            model.set_weights([each * (1 + 0.1 * len(seen)) for each in model.get_weights()])

        counting = keras.callbacks.LambdaCallback(on_epoch_end=scale)
        return super().fit(hp, model, *args, callbacks=[counting, *callbacks], **kwargs)


class Thawing(Plain):
    """Trains its first layer from the second epoch on."""

    def build(self, hp: Any) -> keras.Model:
        model = super().build(hp)
        model.optimizer.build(model.trainable_variables)
        model.layers[1].trainable = False
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        def thaw(epoch: int, logs: Any) -> None:
            model.layers[1].trainable = epoch > 0

        thawing = keras.callbacks.LambdaCallback(on_epoch_end=thaw)
        return super().fit(hp, model, *args, callbacks=[thawing, *callbacks], **kwargs)


class Unbuilt(Plain):
    """A model that gets its variables when it is trained."""

    def build(self, hp: Any) -> keras.Model:
        layers = [keras.layers.Flatten(), keras.layers.Dropout(0.2), keras.layers.Dense(self.num_classes, "softmax")]
        model = keras.Sequential(layers)
        loss = "sparse_categorical_crossentropy"
        model.compile(self.optimizer(hp), loss, metrics=["accuracy"], run_eagerly=True)
        return model


class Stopping(Plain):
    """Is stopped early, with the weights of an earlier epoch, after a rate that fell on a plateau."""

    def callbacks(self) -> list[keras.callbacks.Callback]:
        return [
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=1, min_delta=0.5),
            keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=0.3, restore_best_weights=True),
        ]
