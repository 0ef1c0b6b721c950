"""What a dry run of a space's defaults shows before the search."""

from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tiny

from study.data.datasets import Dataset
from study.objective import Objective
from study.training.examples import Examples
from study.training.inherited import Dependent
from study.training.rehearsal import Rehearsal, rehearse

GOOD = Rehearsal(trained=True, repeatable=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 330)


def rehearsed(data: Dataset, hypermodel: Any, epochs: int = 5) -> Rehearsal | None:
    return rehearse(
        hypermodel, keras_tuner.HyperParameters, tiny.examples(data), epochs, Objective(), lambda epoch, logs: None
    )


@pytest.mark.parametrize("epochs", [1, 5])
def test_a_space_is_trained_twice_for_two_epochs_on_a_few_images_of_every_class(data: Dataset, epochs: int) -> None:
    seen: list[tuple[Any, ...]] = []

    class Space(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            x_val, y_val = kwargs["validation_data"]
            seen.append((x.shape, x.max() <= 1, set(y), len(x_val), set(y_val), kwargs["epochs"]))
            return super().fit(hp, model, x, y, **kwargs)

    assert rehearsed(data, Space(), epochs) == GOOD
    assert seen == [((32, 6, 6, 1), True, {0, 1, 2}, 16, {0, 1, 2}, min(2, epochs))] * 2


class Folds(tiny.Tiny):
    """Cross-validates copies of the model that it is given."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
        scores = []
        for fold in range(2):
            copy = keras.models.clone_model(model)
            copy.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
            copy.fit(x[fold::2], y[fold::2], verbose=0)
            scores.append(copy.evaluate(x[1 - fold :: 2], y[1 - fold :: 2], verbose=0, return_dict=True)["accuracy"])
        return {"val_accuracy": float(np.mean(scores))}


class FoldsThenAll(Folds):
    """And then trains that model on all images."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        score = super().fit(hp, model, x, y, **kwargs)
        model.fit(x, y, epochs=kwargs["epochs"], verbose=0)
        return score


class FoldsThenCopied(Folds):
    """And then gives that model the weights of another one that was trained."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        score = super().fit(hp, model, x, y, **kwargs)
        model.set_weights([weights + 0.1 for weights in model.get_weights()])
        return score


class Unbuilt(tiny.Tiny):
    """Is built when it is trained."""

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(tiny.CLASSES, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
        return model


@pytest.mark.parametrize(
    ("hypermodel", "trained"),
    [(Folds(), False), (FoldsThenAll(), True), (FoldsThenCopied(), True), (Unbuilt(), True)],
    ids=lambda value: type(value).__name__,
)
def test_whether_the_model_that_build_returned_is_trained(data: Dataset, hypermodel: Any, trained: bool) -> None:
    assert rehearsed(data, hypermodel) == Rehearsal(trained, repeatable=True)


class Counting(tiny.Tiny):
    """Depends on how many models were built before."""

    built = 0

    def build(self, hp: Any) -> keras.Model:
        type(self).built += 1
        return tiny.compiled(learning_rate=0.1 / self.built)


class Unseeded(tiny.Tiny):
    """Initial weights that follow from no seed."""

    def build(self, hp: Any) -> keras.Model:
        model = tiny.compiled()
        model.set_weights([np.random.default_rng().normal(size=each.shape) for each in model.get_weights()])
        return model


@pytest.mark.parametrize("hypermodel", [Counting(), Unseeded()], ids=lambda value: type(value).__name__)
def test_what_depends_on_something_outside_is_noticed(data: Dataset, hypermodel: Any) -> None:
    assert rehearsed(data, hypermodel) == Rehearsal(trained=True, repeatable=False)


def test_a_shared_model_is_refused(data: Dataset) -> None:
    model = tiny.compiled()

    class Same(tiny.Tiny):
        def build(self, hp: Any) -> keras.Model:
            return model

    with pytest.raises(Dependent):
        rehearsed(data, Same())


def test_a_failure_shows_nothing(data: Dataset) -> None:
    assert rehearsed(data, tiny.AlwaysFailing()) is None


def test_data_without_validation_images_are_enough(data: Dataset) -> None:
    examples = Examples(data.train, None)
    made = (tiny.Tiny(), keras_tuner.HyperParameters, examples, 3, Objective("loss", "minimize"))
    assert rehearse(*made, lambda epoch, logs: None) == GOOD
