"""One configuration, trained outside of a study."""

import json
import tempfile
from pathlib import Path

from study.config import StudyConfig
from study.errors import StudyError, one_line
from study.files import write_whole
from study.records import Value


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


def retrain(config: StudyConfig, values: dict[str, Value], file: Path) -> int:
    """Train a configuration on training + validation images as a final is, save the model to `file`, and return its
    number of parameters. The test images are not read.

    Args:
        config: Of its one space, data set, epochs and seed.
        values: Hyperparameters by name; those left out have their defaults.
        file: Ends in .keras.

    Raises:
        StudyError: what cannot be used: a configuration that cannot be trained, a hyperparameter that the space does
            not declare, a file that cannot be written.
    """
    from study import environment

    if file.suffix != ".keras":
        raise StudyError(f"a model is saved to a .keras file; -o was given {file}")
    _check_writable(file)
    environment.import_tensorflow()
    import keras

    from search_spaces import load
    from study import datasets, training
    from study.epochs import EpochLog
    from study.hyperparameters import TrialHyperParameters

    dataset = datasets.load(config)
    (name,) = config.spaces
    hypermodel = load(name).hypermodel(dataset.input_shape, dataset.num_classes)
    keras.config.set_dtype_policy(config.precision)
    hp = TrialHyperParameters.with_values(values)
    shown = dataset.validation if training.demands_validation(hypermodel) else None

    def refuse_unknown(epoch: int, logs: dict[str, float]) -> None:
        """Once `build` and `fit` have declared what they have."""
        unknown = values.keys() - {each.name for each in hp.space}
        if unknown:
            raise StudyError(f"the search space {name} has no {', '.join(sorted(unknown))} with these --values")

    try:
        model = training.fit(
            hypermodel, hp, training.Examples(dataset.train_and_validation, shown), epochs=config.epochs,
            seed=config.seed, log=EpochLog(), on_epoch=refuse_unknown,
        )  # fmt: skip
    except StudyError:
        raise
    except Exception as error:  # whatever a HyperModel raises
        raise StudyError(f"this configuration of {name} cannot be trained: {one_line(error)}") from error
    try:
        write_whole(file, model.save)
    except OSError as error:
        raise _unwritable(file, error) from None
    return int(model.count_params())


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
