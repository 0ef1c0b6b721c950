"""Pruners by name. A trial is compared only with trials of smaller numbers, so the trial table follows from the
study's definition, however often its workers are restarted and whichever of them is faster.

Why successive halving by 3 is the default: 80 random configurations of the `dense` space of that time (without
augmentation and schedules) were trained on MNIST for 8 epochs each, and replayed in 300 random orders on 2 workers. The
median seconds to 98.0 and 98.3 % validation accuracy were: without pruning 51 and 121, median pruning (from 5 complete
trials on) 46 and 82, halving by 2 39 and 65, by 3 37 and 64, by 4 36 and 63, by 3 from the second epoch on 38 and 75.

Why schedules come down at each comparison: 30 random configurations of today's `dense` space, 9 epochs of MNIST. The
ranks at those comparisons agree with the final ones (Spearman 0.74 after epoch 1, 0.86 after 3), and the accuracy in
the end is that of a single descent (20 configurations: 0.02 points better on average, 0.17 worse at most). A comparison
by the training accuracy after an eighth of an epoch, as there was before, ranks little (0.50): it favours what is not
augmented and has no warm-up. Replayed in 2,000 random orders on one worker, it reached 98.0 % after 21 epochs in
the median (without it 23), but 98.3 % in 69 % of the orders (without it in 85 %).
"""

from collections.abc import Callable, Sequence, Sized

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study.config import Definition
from study.search.visibility import study_visible_to

FACTOR = 3
"""Successive halving: one of so many trials passes each epoch at which it decides."""
LEAST_IMAGES = 64 * 128
"""A schedule comes down after so many images at the earliest: fewer, 64 batches of 128, are no training."""


def rungs(definition: Definition) -> tuple[int, ...]:
    """The epochs after which successive halving decides: 1, factor, factor^2, and so on, up to half of the epochs; what
    passes the last of them is trained to its end."""
    if definition.pruner != "sha":
        return ()
    epochs, found = 1, []
    while epochs <= definition.epochs / 2:
        found.append(epochs)
        epochs *= _factor(definition)
    return tuple(found)


def descents(definition: Definition, images: Sized | None) -> tuple[int, ...]:
    """The epochs by which schedules of the learning rate have come down, to begin again (`Training.descents`): those
    after which halving decides, except where a trial has seen few images by then.

    Args:
        definition: Of the study.
        images: Those that its trials train on; None where Keras feeds them, and nothing is known of them.
    """
    return () if images is None else tuple(each for each in rungs(definition) if each * len(images) >= LEAST_IMAGES)


class Pruner(BasePruner):
    """A pruner whose decision on a trial depends only on the trial's own reports and on trials visible to it."""

    def awaited(self, study: optuna.Study, number: int, step: int) -> list[FrozenTrial]:
        """The running trials that must reach `step`, or end, before trial `number` is decided on there."""
        return []


class KeyedPruner(Pruner):
    """One of Optuna's pruners, which sees only the trials that are visible to the trial it decides on.

    Args:
        pruner: Decides.
        lag: See `visibility.lag_for`; the visible trials ended before this one began.
    """

    def __init__(self, pruner: BasePruner, lag: int) -> None:
        self._pruner = pruner
        self._lag = lag

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends at its last report."""
        return self._pruner.prune(study_visible_to(study, trial.number, self._lag), trial)


class HalvingPruner(Pruner):
    """Successive halving with a single decision per rung (Li et al. 2020, algorithm 2, except that a trial that is not
    promoted at once is given up), among all trials with smaller numbers.

    Optuna's own stores a trial's value before the decision is acted on, and compares with what others have stored
    until then: both depend on timing.

    Args:
        rungs: The epochs after which it decides.
        factor: One of so many trials passes each of them.
    """

    def __init__(self, rungs: Sequence[int], factor: int = FACTOR) -> None:
        self._rungs, self._factor = rungs, factor

    def awaited(self, study: optuna.Study, number: int, step: int) -> list[FrozenTrial]:
        """Every earlier trial that has not reached `step` yet."""
        if step not in self._rungs:
            return []
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in running if trial.number < number and _reached(trial) < step]

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends at its last report."""
        step = _reached(trial)
        if step not in self._rungs:
            return False
        value = trial.intermediate_values[step]
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        values = [each.intermediate_values[step] for each in earlier if step in each.intermediate_values]
        maximize = study.direction == StudyDirection.MAXIMIZE
        # Negated, so that a NaN of this trial counts as worse than every other value.
        better = sum(not (value >= other if maximize else value <= other) for other in values)
        return better >= max(1, (len(values) + 1) // self._factor)


def _factor(definition: Definition) -> int:
    return int(definition.settings.get("factor", FACTOR))


def _reached(trial: FrozenTrial) -> int:
    """The last epoch that a trial reported; 0 if there is none."""
    return max(trial.intermediate_values, default=0)


PRUNERS: dict[str, Callable[[Definition, int], Pruner]] = {
    "sha": lambda definition, lag: HalvingPruner(rungs(definition), _factor(definition)),
    "median": lambda definition, lag: KeyedPruner(MedianPruner(n_startup_trials=5), lag),
    "none": lambda definition, lag: KeyedPruner(NopPruner(), lag),
}
"""Makers of pruners by their names in `config.PRUNERS`, from what a study is and the lag."""
