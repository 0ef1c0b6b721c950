"""The model as people use it."""

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny
from keras import layers, losses

from study.data.datasets import Dataset
from study.errors import StudyError
from study.training.prediction import probabilities
from study.training.published import AUGMENTATION, opened, published


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


SPARSE, FOCAL = losses.SparseCategoricalCrossentropy, losses.CategoricalFocalCrossentropy


class OwnSparse(losses.SparseCategoricalCrossentropy):
    """A user's own variant of a loss."""


def classifier(units: int, activation: str | None, loss: Any) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(units, activation, name="named")], name="named"
    )
    model.compile("adam", loss, metrics=["mse"])
    return model


@pytest.mark.parametrize(
    "units, activation, loss, ends, kind",
    [
        (3, None, losses.SparseCategoricalCrossentropy(from_logits=True), "softmax", SPARSE),
        (3, None, [losses.CategoricalCrossentropy(True, 0.1)], "softmax", losses.CategoricalCrossentropy),
        (3, None, {"named": OwnSparse(from_logits=True)}, "softmax", SPARSE),
        (3, None, losses.CategoricalFocalCrossentropy(from_logits=True), "softmax", FOCAL),
        (1, None, losses.BinaryCrossentropy(from_logits=True), "sigmoid", losses.BinaryCrossentropy),
        (1, None, losses.BinaryFocalCrossentropy(from_logits=True), "sigmoid", losses.BinaryFocalCrossentropy),
        (3, "softmax", losses.SparseCategoricalCrossentropy(), None, SPARSE),
        (1, "sigmoid", losses.BinaryCrossentropy(), None, losses.BinaryCrossentropy),
    ],
)
def test_logits_become_probabilities(
    data: Dataset, units: int, activation: str | None, loss: Any, ends: str | None, kind: Any
) -> None:
    model = classifier(units, activation, loss)
    found, images = published(model), data.test()
    assert type(found.loss) is kind
    assert not found.loss.from_logits
    added = [layer.activation.__name__ for layer in found.layers[len(model.layers) + 1 :]]
    assert added == ([ends] if ends else [])
    assert found.name == "named"
    outputs = found.predict(images.scaled, verbose=0)
    of_classes, expected = outputs if units > 1 else np.hstack([1 - outputs, outputs]), probabilities(model, images)
    assert np.allclose(of_classes, expected, atol=1e-6)
    assert np.array_equal(probabilities(found, images).argmax(axis=1), expected.argmax(axis=1))
    assert type(model.optimizer) is keras.optimizers.Adam  # the trained one is as it was


def in_a_row(*before: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((6, 6, 1)), *before, layers.Flatten(), layers.Dense(3)], name="named")


def nested(*before: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    features = layers.Flatten()(keras.Sequential(before)(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.Concatenate()([features, features])), name="named")


def mixed(*before: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    changed = keras.Sequential([layers.Rescaling(1.0), *before, layers.Conv2D(2, 3)])(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(changed)), name="named")


def inner(*before: keras.layers.Layer) -> keras.Model:
    given = features = keras.Input((6, 6, 1))
    for each in before:
        features = each(features)
    backbone = keras.Model(given, layers.Conv2D(2, 3)(features))
    inputs = keras.Input((6, 6, 1))
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(backbone(inputs))), name="named")


def pipeline(*before: keras.layers.Layer) -> keras.Model:
    return keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Pipeline([*before]), layers.Flatten(), layers.Dense(3)], name="named"
    )


@pytest.mark.parametrize("build", [in_a_row, nested, mixed, inner, pipeline])
def test_a_model_that_is_called_changes_no_images(build: Any, data: Dataset, tmp_path: Path) -> None:
    """Keras's own layers of augmentation do, wherever `training=False` is not said."""
    model = build(layers.RandomTranslation(0.3, 0.3), layers.RandomRotation(0.2, fill_mode="constant"))
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    images = data.test()
    expected, called = probabilities(model, images), keras.ops.softmax(model(images.scaled))
    assert not np.allclose(called, expected, atol=0.01)
    published(model).save(tmp_path / "model.keras")
    found = opened(tmp_path / "model.keras")
    assert np.allclose(found(images.scaled), expected, atol=1e-6)
    assert found.name == "named"
    assert type(model.optimizer) is keras.optimizers.Adam
    assert np.array_equal(probabilities(model, images), expected)


def test_augmentation_that_was_a_cast_leaves_one(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1), dtype="uint8"),
            layers.RandomFlip(),
            layers.Conv2D(2, 3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    published(model).save(tmp_path / "model.keras")
    x = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1)).astype("uint8")
    expected = keras.ops.softmax(model(x, training=False))
    assert np.allclose(opened(tmp_path / "model.keras")(x), expected, atol=1e-6)


@pytest.mark.parametrize("kind", AUGMENTATION)
def test_augmentation_changes_images_in_training_alone(kind: type[keras.layers.Layer]) -> None:
    images = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    needed = {
        name: 4 if kind is layers.RandomPosterization else 0.1
        for name, each in inspect.signature(kind).parameters.items()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    }
    assert np.array_equal(kind(**needed)(images, training=False), images)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", losses.sparse_categorical_crossentropy, "mse"])
def test_a_loss_that_is_no_class_stays(loss: Any, data: Dataset, tmp_path: Path) -> None:
    model = classifier(3, "softmax", loss)
    published(model).save(tmp_path / "model.keras")
    found = keras.saving.load_model(tmp_path / "model.keras")
    assert losses.get(found.loss) is losses.get(loss)
    labels = data.train.y if loss != "mse" else keras.utils.to_categorical(data.train.y)
    expected = np.mean(probabilities(model, data.train).argmax(axis=1) == data.train.y)
    scores = found.evaluate(data.train.scaled, labels, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("logits", [True, False])
def test_mixed_precision_ends_in_float32(policy: str, logits: bool, data: Dataset, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = classifier(3, None if logits else "softmax", losses.SparseCategoricalCrossentropy(from_logits=logits))
        assert model.outputs[0].dtype != "float32"
        published(model).save(tmp_path / "model.keras")
        found = opened(tmp_path / "model.keras")
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.layers[2].compute_dtype == policy.removeprefix("mixed_")
    assert found.output.dtype == "float32"
    outputs = found.predict(data.train.scaled, verbose=0)
    assert np.allclose(outputs, probabilities(model, data.train), atol=2e-3)
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-2 if not logits else 1e-5)


class Net(keras.Model):
    """A user's own class."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(layers.Flatten()(inputs))


class OwnTraining(keras.Model):
    """A user's own class whose layers are a graph."""


class OwnLoss(losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def two_outputs() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])


def own_training() -> keras.Model:
    inputs = keras.Input((4,))
    return OwnTraining(inputs, layers.Dense(3)(inputs))


@pytest.mark.parametrize("make", [Net, two_outputs, own_training])
def test_other_models_are_left_as_they_are(make: Any) -> None:
    model = make()
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    assert published(model) is model


@pytest.mark.parametrize("loss", [None, OwnLoss(), lambda y_true, y_pred: keras.ops.mean(y_pred), ["mse", "mse"]])
def test_a_model_with_another_loss_is_left_as_it_is(loss: Any) -> None:
    model = classifier(3, "softmax", loss)
    assert published(model) is model


class Doubled(layers.Layer):
    """A layer that only its space has."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


def own_activation(inputs: Any) -> Any:
    return 2 * inputs


@pytest.mark.parametrize(
    "layer, kind, own", [(Doubled(), "class", Doubled), (layers.Activation(own_activation), "function", own_activation)]
)
def test_what_a_saved_model_lacks_is_named(tmp_path: Path, layer: Any, kind: str, own: Any) -> None:
    model, file = tiny.compiled(layer), tmp_path / "model.keras"
    published(model).save(file)
    name = own.__name__
    with pytest.raises(StudyError) as caught:
        opened(file)
    assert str(caught.value) == (
        f"the model {file} needs the {kind} {name!r} of its search space: "
        f"best_model(custom_objects={{{name!r}: ...}}) takes it"
    )
    images = np.random.default_rng(0).random((4, 6, 6, 1), np.float32)
    again = opened(file, {name: own})
    assert np.array_equal(again.predict(images, verbose=0), model.predict(images, verbose=0))


def test_a_damaged_file_is_said_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(b"nothing")
    with pytest.raises(StudyError, match=r"model.keras cannot be opened: ") as caught:
        opened(file)
    assert "\n" not in str(caught.value)
