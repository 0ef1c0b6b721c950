"""Which earlier trials a trial may know about.

A trial is drawn and pruned by the results of the trials a fixed number before it. It begins when all of those have
ended, so the trial table does not depend on how fast each worker is.
"""

import optuna

from study.records import BASELINE_NUMBER
from study.system.optuna_private import FilteredStudy


def lag_for(workers: int) -> int:
    """How many trials before its own a trial knows about: trial n is drawn by the trials 0 to n - lag.

    With one worker that is every earlier trial. With more, a short trial should not wait for a long one: in a
    simulation (trials of an eighth of an epoch to eight epochs, pruned by successive halving) 4 per worker cost 4 % of
    the throughput of 2 workers, 3 per worker 8 %, 2 per worker 13 %.
    """
    return 1 if workers <= 1 else 4 * workers


def visible_from(number: int, lag: int) -> int:
    """The first trial that may know about trial `number`.

    With several workers the baseline becomes visible later than other trials: it is never pruned, and workers that
    waited for its end would be idle (58 of the first 105 seconds of the `cnn` space on MNIST with 2 workers).
    """
    return 4 * lag if number == BASELINE_NUMBER and lag > 1 else number + lag


def study_visible_to(study: optuna.Study, number: int, lag: int) -> optuna.Study:
    """The study with only those trials that trial `number` may know about."""
    return FilteredStudy(study, lambda other: visible_from(other, lag) <= number)
