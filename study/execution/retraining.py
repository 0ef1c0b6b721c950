"""One configuration, trained on training + validation images: as finals are, and outside of a study."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from study.config import SPACES, Definition, Resources
from study.errors import StudyError, StudyFailure, one_line
from study.records import Value
from study.system import environment, temporary
from study.system.files import write_whole
from study.system.signals import contained

if TYPE_CHECKING:
    import keras

    from study.data.datasets import Dataset
    from study.training.examples import Examples


def all_images(dataset: "Dataset", space: str, class_weights: str) -> "Examples":
    """What a final trains on: training + validation images. A `fit` of a user's may read `val_loss` or
    `validation_data`: it watches the validation images, which it trains on too."""
    from study.training.examples import Examples

    validation = None if space in SPACES else dataset.validation
    return Examples(dataset.train_and_validation, validation, class_weights=class_weights)


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


class Retrained(NamedTuple):
    """A model that was trained and saved."""

    parameters: int
    test_images: int | None
    """None where it was not tested."""
    errors: int | None
    """Test images whose most probable class is wrong."""


def retrain(
    definition: Definition,
    resources: Resources,
    values: dict[str, Value],
    stop_after: int | None,
    file: Path,
    *,
    tested: bool = False,
) -> Retrained:
    """Train a configuration on training + validation images as a final is, and save the model to `file`. The test
    images are not read until then.

    Args:
        definition: Its one space, data set, epochs and seed.
        resources: Where the data lie.
        values: Hyperparameters by name; those left out have their defaults.
        stop_after: Epochs after which the training ends, where those that `fit` is asked for are more.
        file: Ends in .keras.
        tested: Whether the model is tested afterwards.

    Raises:
        StudyError: what cannot be used: a configuration that cannot be trained, a hyperparameter that the space does
            not declare, a file that cannot be written.
        StudyFailure: a model that cannot be saved; its weights are.
    """
    if file.suffix != ".keras":
        raise StudyError(f"a model is saved to a .keras file; -o was given {file}")
    _check_writable(file)
    environment.import_tensorflow()
    from study.training.model_state import built_in_parts, parameters
    from study.training.prediction import probabilities
    from study.training.published import published

    with temporary.own():
        model, dataset = _train(definition, resources, values, stop_after)
        try:
            with contained():
                write_whole(file, published(model).save)
        except OSError as error:
            raise _unwritable(file, error) from None
        except Exception as error:  # whatever a layer raises that has no configuration
            weights = file.with_suffix(".weights.h5")
            try:
                with built_in_parts(model):
                    write_whole(weights, model.save_weights)
            except OSError as unwritable:
                raise _unwritable(weights, unwritable) from None
            raise StudyFailure(
                f"the model cannot be saved as {file.name} ({one_line(error, 200)}); its weights are kept: {weights}; "
                "build(hp) with these values and model.load_weights open them"
            ) from error
        if not tested:
            return Retrained(parameters(model), None, None)
        images = dataset.test()
        errors = int((probabilities(model, images).argmax(axis=1) != images.y).sum())
    return Retrained(parameters(model), len(images), errors)


def _train(
    definition: Definition, resources: Resources, values: dict[str, Value], stop_after: int | None
) -> "tuple[keras.Model, Dataset]":
    import keras

    from search_spaces import load
    from study.data import datasets
    from study.search.hyperparameters import TrialHyperParameters
    from study.search.pruners import descents
    from study.training.epochs import EpochLog
    from study.training.fit import Hooks, Training, fit

    dataset = datasets.of(definition, resources)
    (name,) = definition.spaces
    hypermodel = load(name).hypermodel(dataset.input_shape, dataset.num_classes)
    keras.config.set_dtype_policy(definition.precision)
    hp = TrialHyperParameters.with_values(values)

    def refuse_unknown(epoch: int, logs: dict[str, float]) -> None:
        """Once `build` and `fit` have declared all that they use."""
        unknown = values.keys() - {each.name for each in hp.space}
        if unknown:
            raise StudyError(f"the search space {name} has no {', '.join(sorted(unknown))} with these --values")

    examples, objective = all_images(dataset, name, definition.class_weights), definition.objective
    training = Training(
        hypermodel, hp, examples, definition.epochs, definition.seed, objective, stop_after,
        descents(definition, dataset.train),
    )  # fmt: skip
    try:
        return fit(training, EpochLog(), Hooks(on_epoch=refuse_unknown)), dataset
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
