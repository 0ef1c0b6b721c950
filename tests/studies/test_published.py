"""The models of our search spaces, as people use them who have Keras alone."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
import tiny

from search_spaces import SPACES, load
from study.data.datasets import Dataset
from study.search.hyperparameters import TrialHyperParameters
from study.training.prediction import probabilities
from study.training.published import published

RANDOM = 3
"""Configurations of each space besides its baseline."""


PLAIN = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("study", "search_spaces", "reports"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import keras, numpy
arrays = numpy.load("test.npz")
for file in sys.argv[1:]:
    model = keras.saving.load_model(file)
    found = model.predict(arrays["x"], verbose=0, batch_size=20)
    accuracy = model.evaluate(arrays["x"], arrays["y"], verbose=0, batch_size=20, return_dict=True)["accuracy"]
    off = float(abs(found.sum(axis=1, dtype="float64") - 1).max())
    optimizer = type(model.optimizer).__name__, len(model.optimizer.variables)
    print(json.dumps([file, found.argmax(axis=1).tolist(), accuracy, off, model.loss.name, optimizer]))
"""
"""What somebody does who has Keras alone."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


def trained(name: str, data: Dataset) -> list[keras.Model]:
    """Models of a space's baseline and of random configurations."""
    hypermodel = load(name).hypermodel(data.input_shape, data.num_classes)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=8))
    models = []
    for index in range(1 + RANDOM):
        hp = TrialHyperParameters(study.ask()) if index else TrialHyperParameters()
        keras.utils.set_random_seed(index)
        model = hypermodel.build(hp)
        model.run_eagerly = True
        hypermodel.fit(hp, model, data.train.scaled, data.train.y, epochs=2, verbose=0, callbacks=[])
        models.append(model)
    return models


def test_keras_alone_opens_the_models_of_every_space(data: Dataset, tmp_path: Path) -> None:
    test, expected = data.test(), {}
    np.savez(tmp_path / "test.npz", x=test.scaled, y=test.y)
    for name in SPACES:
        for index, model in enumerate(trained(name, data)):
            predicted = probabilities(model, test).argmax(axis=1)
            expected[f"{name}{index}.keras"] = predicted.tolist(), float(np.float32(np.mean(predicted == test.y)))
            published(model).save(tmp_path / f"{name}{index}.keras")
    assert len({accuracy for _, accuracy in expected.values()}) > 3
    command = [sys.executable, "-I", "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PLAIN, *expected]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    found = {file: rest for file, *rest in map(json.loads, run.stdout.splitlines())}
    assert found.keys() == expected.keys()
    for file, (labels, accuracy, off, loss, optimizer) in found.items():
        assert (labels, accuracy) == expected[file], file
        assert off < 1e-5
        assert loss == "sparse_categorical_crossentropy"
        assert optimizer == ["SGD", 2]  # its rate and its count
