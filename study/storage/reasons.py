"""Why trials failed, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from optuna.trial import FrozenTrial, TrialState

from study.records import is_excluded
from study.storage import results


def nothing_succeeded(trials: Iterable[FrozenTrial]) -> bool:
    """Whether trials of a study's searches have failed or were excluded, and none has ended otherwise or is left."""
    ended = list(trials)
    return bool(ended) and all(each.state == TrialState.FAIL or is_excluded(each.user_attrs) for each in ended)


def reasons(ended: Sequence[FrozenTrial]) -> str:
    """The commonest error of some failed trials, how many of them had it, and the last one's where it is another; how
    many were excluded, and by how much the smallest of them was too large."""
    excluded = [trial for trial in ended if is_excluded(trial.user_attrs)]
    errors = [_error(trial) for trial in reversed(ended) if trial not in excluded]
    found = []
    if errors:
        (commonest, count), *_ = Counter(errors).most_common(1)
        last = "" if errors[0] == commonest else f"; the last of them with {errors[0]}"
        found.append(f"{count} of {len(ended)} with {commonest}{last}")
    if excluded:
        found.append(f"{len(excluded)} of {len(ended)} were too large, the smallest with {smallest(excluded)}")
    return "; ".join(found)


def smallest(excluded: Iterable[FrozenTrial]) -> str:
    """How the model that exceeds the study's limits least exceeds them."""
    least = min(excluded, key=lambda trial: sum(max(0.0, value) for value in trial.constraints.values()))
    known = results.record(least)
    return "" if known is None else known.exceeds


def _error(trial: FrozenTrial) -> str:
    record = results.record(trial)
    return (record.error if record is not None else None) or "no recorded reason"
