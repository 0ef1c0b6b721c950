"""One configuration, trained on training + validation images: as finals are, and outside of a study."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config import Definition, Resources
from study.errors import StudyError, one_line
from study.objective import Objective
from study.records import Value
from study.system import environment
from study.system.files import write_whole

if TYPE_CHECKING:
    import keras

    from study.data.datasets import Dataset
    from study.training.fit import Training


def on_all_images(
    dataset: "Dataset", hypermodel: Any, hp: Any, epochs: int, seed: int, objective: Objective
) -> "Training":
    """A training on training + validation images."""
    from study.training.examples import Examples
    from study.training.fit import Training, demands_validation

    # A `fit` that cannot do without validation data is shown some: they are among the images it trains on.
    shown = dataset.validation if demands_validation(hypermodel) else None
    return Training(hypermodel, hp, Examples(dataset.train_and_validation, shown), epochs, seed, objective)


def parse(text: str) -> dict[str, Value]:
    """Hyperparameters by name from a JSON object.

    Raises:
        StudyError: anything else.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise StudyError(f"--values is a JSON object such as '{{\"units_1\": 128}}'; {error}: {text!r}") from None
    if not isinstance(values, dict) or not all(isinstance(each, (int, float, str, bool)) for each in values.values()):
        raise StudyError(f"--values is a JSON object of numbers, texts, true and false; it was given {text!r}")
    return values


def retrain(definition: Definition, resources: Resources, values: dict[str, Value], file: Path) -> int:
    """Train a configuration on training + validation images as a final is, save the model to `file`, and return its
    number of parameters. The test images are not read.

    Args:
        definition: Its one space, data set, epochs and seed.
        resources: Where the data lie.
        values: Hyperparameters by name; those left out have their defaults.
        file: Ends in .keras.

    Raises:
        StudyError: what cannot be used: a configuration that cannot be trained, a hyperparameter that the space does
            not declare, a file that cannot be written.
    """
    if file.suffix != ".keras":
        raise StudyError(f"a model is saved to a .keras file; -o was given {file}")
    _check_writable(file)
    environment.import_tensorflow()
    model = _train(definition, resources, values)
    try:
        write_whole(file, model.save)
    except OSError as error:
        raise _unwritable(file, error) from None
    return int(model.count_params())


def _train(definition: Definition, resources: Resources, values: dict[str, Value]) -> "keras.Model":
    import keras

    from search_spaces import load
    from study.data import datasets
    from study.search.hyperparameters import TrialHyperParameters
    from study.training.epochs import EpochLog
    from study.training.fit import Hooks, fit

    dataset = datasets.load(definition.dataset, definition.split_seed, resources.manual_dir, resources.data_dir)
    (name,) = definition.spaces
    hypermodel = load(name).hypermodel(dataset.input_shape, dataset.num_classes)
    keras.config.set_dtype_policy(definition.precision)
    hp = TrialHyperParameters.with_values(values)

    def refuse_unknown(epoch: int, logs: dict[str, float]) -> None:
        """Once `build` and `fit` have declared all that they use."""
        unknown = values.keys() - {each.name for each in hp.space}
        if unknown:
            raise StudyError(f"the search space {name} has no {', '.join(sorted(unknown))} with these --values")

    training = on_all_images(dataset, hypermodel, hp, definition.epochs, definition.seed, definition.objective)
    try:
        return fit(training, EpochLog(), Hooks(on_epoch=refuse_unknown))
    except StudyError:
        raise
    except Exception as error:  # whatever a HyperModel raises
        raise StudyError(f"this configuration of {name} cannot be trained: {one_line(error)}") from error


def _check_writable(file: Path) -> None:
    """Before hours of training."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> StudyError:
    return StudyError(f"{file} cannot be written ({error.strerror or error}); give another -o")
