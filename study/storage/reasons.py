"""Why trials failed, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from optuna.trial import FrozenTrial, TrialState

from study.storage import results


def nothing_succeeded(trials: Iterable[FrozenTrial]) -> bool:
    """Whether trials of a study's searches have failed, and none has ended otherwise or is left."""
    return {trial.state for trial in trials} == {TrialState.FAIL}


def reasons(failed: Sequence[FrozenTrial]) -> str:
    """The commonest error of some failed trials, how many of them had it, and the last one's where it is another."""
    errors = [_error(trial) for trial in reversed(failed)]
    (commonest, count), *_ = Counter(errors).most_common(1)
    last = "" if errors[0] == commonest else f"; the last of them with {errors[0]}"
    return f"{count} of {len(errors)} with {commonest}{last}"


def _error(trial: FrozenTrial) -> str:
    record = results.record(trial)
    return (record.error if record is not None else None) or "no recorded reason"
