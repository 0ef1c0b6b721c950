"""Search spaces whose results can be stored, and what is kept beside them cannot."""

from pathlib import Path
from typing import Any

import keras
import tiny


class Doubled(keras.layers.Layer):
    """Cannot be serialised: it was given a function, and has no configuration."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


class Unserialisable(tiny.Tiny):
    """Its models have such a layer."""

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(Doubled(lambda x: 2 * x), learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log"))


class Unsaved(tiny.Tiny):
    """Neither its models nor their weights can be saved."""

    def build(self, hp: Any) -> keras.Model:
        class Secret(keras.layers.Layer):
            def save_own_variables(self, store: Any) -> None:
                raise SystemExit("these weights are secret")

            def build(self, shape: Any) -> None:
                self.factor = self.add_weight(shape=())

            def call(self, inputs: Any) -> Any:
                return inputs + self.factor

        return tiny.compiled(Secret(), learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1))


class Obstructed(tiny.Tiny):
    """While it trains, somebody puts files where the folders of its study were to be."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        for folder in ("runs/artifacts", "runs/a/models", "runs/a/predictions"):
            Path(folder).parent.mkdir(parents=True, exist_ok=True)
            if not Path(folder).exists():
                Path(folder).write_text("a file")
        return super().fit(hp, model, *args, **kwargs)


class Wordy(tiny.Tiny):
    """Has a hyperparameter in one of its branches whose name is too long for MLflow."""

    def build(self, hp: Any) -> keras.Model:
        if hp.Choice("kind", ["short", "long"]) == "long":
            with hp.conditional_scope("kind", ["long"]):
                hp.Int("word" * 100, 1, 2)
        return tiny.compiled(learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1))
