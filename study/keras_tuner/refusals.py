"""What a tuner refuses or ends with: each is an error of the study's and KerasTuner's too, so that the `except` of a
script that was written for KerasTuner goes on catching it."""

from keras_tuner.errors import FatalError, FatalRuntimeError, FatalTypeError, FatalValueError

from study.errors import StudyError, StudyFailure


class InvalidArgument(StudyError, FatalValueError):
    """An argument that cannot be used; a `ValueError`."""


class Refused(StudyError, RuntimeError):
    """Hyperparameters that may not be added, or a project that was started otherwise."""


class SearchFailed(StudyFailure, RuntimeError):
    """Every trial failed, or too many in a row did."""


FATAL: dict[type, type[StudyFailure]] = {
    kind: type(kind.__name__, (StudyFailure, kind), {})
    for kind in (FatalValueError, FatalTypeError, FatalRuntimeError, FatalError)
}
"""What a search raises where a trial raised one of KerasTuner's fatal errors, the most special first."""


def as_of_keras_tuner(failure: StudyFailure) -> StudyFailure:
    """The failure of a search as what KerasTuner raises: the fatal error that ended it, or a `RuntimeError`."""
    cause = failure.__cause__
    kind = next((ours for theirs, ours in FATAL.items() if isinstance(cause, theirs)), SearchFailed)
    return kind(str(failure))
