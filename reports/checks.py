"""Health checks: what a reader should know before believing a study or using its winner.

Each has a code that stays the same, a question, and an outcome in a sentence. A check that cannot be asked yet says
what it waits for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from optuna.trial import TrialState

from reports import parameters, statistics
from reports.collect import SpaceResults, StudyResults
from study.errors import one_line
from study.records import BASELINE, TUNED

FAIL, WARN, PASS, WAITS = "fails", "look", "passes", "waits"
ORDER = (FAIL, WARN, PASS, WAITS)
"""Those that fail come first."""

MOST_FAILED = 0.1
EDGE = 0.05
"""Of a parameter's range, on its scale: a winner so near a bound may want to go beyond it."""
LATE = 0.1
"""Of the trials: a winner among the last of them says that the search was still improving."""
FEWEST = 10
"""Complete trials below which a search says little."""
LEAST_CORRELATION = 0.5


class Outcome(NamedTuple):
    """What a check found."""

    level: str
    text: str


@dataclass(frozen=True)
class Check:
    """A question to a study."""

    code: str
    question: str
    ask: Callable[[StudyResults], Outcome]


CHECKS: list[Check] = []


def check(code: str, question: str) -> Callable[[Callable[[StudyResults], Outcome]], Callable[[StudyResults], Outcome]]:
    """Adds a function to `CHECKS`."""

    def add(ask: Callable[[StudyResults], Outcome]) -> Callable[[StudyResults], Outcome]:
        CHECKS.append(Check(code, question, ask))
        return ask

    return add


def _each(results: StudyResults, ask: Callable[[SpaceResults], Outcome]) -> Outcome:
    """The worst outcome of the spaces, with what was found in each that has it."""
    found = [(space.name, ask(space)) for space in results.spaces]
    worst = min((outcome.level for _, outcome in found), key=ORDER.index)
    return Outcome(worst, "; ".join(f"{name}: {outcome.text}" for name, outcome in found if outcome.level == worst))


@check("S1", "Did the trials end as trials should?")
def failed_trials(results: StudyResults) -> Outcome:
    """Few fail."""

    def ask(space: SpaceResults) -> Outcome:
        ended, failed = space.ended, space.count(TrialState.FAIL)
        if not ended:
            return Outcome(WAITS, "no trial has ended")
        text = f"{failed} of {ended} failed"
        return Outcome(FAIL if failed == ended else WARN if failed > MOST_FAILED * ended else PASS, text)

    return _each(results, ask)


@check("S2", "Is the search done?")
def finished(results: StudyResults) -> Outcome:
    """Nothing is left of the budget."""

    def ask(space: SpaceResults) -> Outcome:
        enough = space.ended >= results.config.trials
        return Outcome(PASS if enough else WARN, f"{space.ended} of {results.config.trials} trials")

    return _each(results, ask)


@check("S3", "Are there enough complete trials to speak of a search?")
def enough_trials(results: StudyResults) -> Outcome:
    """Ten, at least."""

    def ask(space: SpaceResults) -> Outcome:
        complete = space.count(TrialState.COMPLETE)
        return Outcome(PASS if complete >= FEWEST else WARN, f"{complete} complete")

    return _each(results, ask)


@check("S4", "Had the search stopped improving?")
def converged(results: StudyResults) -> Outcome:
    """The winner is not among the last trials."""

    def ask(space: SpaceResults) -> Outcome:
        if space.best is None or len(space.trials) < FEWEST:
            return Outcome(WAITS, "too few trials")
        late = space.best.number >= (1 - LATE) * len(space.trials)
        text = f"the best is trial {space.best.number} of {len(space.trials)}"
        return Outcome(WARN, f"{text}: more trials may pay") if late else Outcome(PASS, text)

    return _each(results, ask)


@check("S5", "Does the winner lie within its search space, not at a bound?")
def inside(results: StudyResults) -> Outcome:
    """A bound that was reached may have been set too tight."""

    def ask(space: SpaceResults) -> Outcome:
        if space.best is None:
            return Outcome(WAITS, "no complete trial")
        edges = _at_bounds(space)
        if edges:
            return Outcome(WARN, f"{', '.join(edges)}: widen it")
        return Outcome(PASS, "every number lies inside its range")

    return _each(results, ask)


@check("S6", "Did the winner stop learning before its last epoch?")
def enough_epochs(results: StudyResults) -> Outcome:
    """A best epoch that is the last one asks for more."""

    def ask(space: SpaceResults) -> Outcome:
        record = space.record(space.best) if space.best is not None else None
        if record is None:
            return Outcome(WAITS, "no complete trial")
        text = f"best epoch {record.best_epoch} of {record.epochs}"
        last = record.best_epoch == record.epochs == results.config.epochs
        return Outcome(WARN, f"{text}: more --epochs may pay") if last else Outcome(PASS, text)

    return _each(results, ask)


@check("S7", "Do early epochs tell which trials end well?")
def early_ranks(results: StudyResults) -> Outcome:
    """Where they do not, pruning gives up good trials."""

    def ask(space: SpaceResults) -> Outcome:
        curves = [space.record(trial) for trial in space.trials if trial.state == TrialState.COMPLETE]
        pairs = [
            (values[0], values[(record.best_epoch or 1) - 1])
            for record in curves
            if record is not None and len(values := record.history.get(results.config.objective, [])) > 1
        ]
        known = [(first, last) for first, last in pairs if first is not None and last is not None]
        if len(known) < FEWEST:
            return Outcome(WAITS, f"{len(known)} trials of several epochs")
        correlation = statistics.rank_correlation([first for first, _ in known], [last for _, last in known])
        if correlation is None:
            return Outcome(WAITS, "all trials are alike")
        text = f"rank correlation {correlation:.2f} between epoch 1 and the best, {len(known)} complete trials"
        return Outcome(PASS if correlation >= LEAST_CORRELATION else WARN, text)

    return _each(results, ask)


@check("S8", "Was any configuration trained twice?")
def repeats(results: StudyResults) -> Outcome:
    """The same values again tell nothing new."""

    def ask(space: SpaceResults) -> Outcome:
        values = [tuple(sorted(record.values.items())) for record in space.records.values()]
        again = len(values) - len(set(map(repr, values)))
        if not values:
            return Outcome(WAITS, "no trial yet")
        return Outcome(PASS if again <= MOST_FAILED * len(values) else WARN, f"{again} of {len(values)} again")

    return _each(results, ask)


@check("F1", "Is every finalist tested with the same seeds?")
def all_finals(results: StudyResults) -> Outcome:
    """Pairs need both."""
    if not results.finals:
        return Outcome(WAITS, "the finals are not done")
    counts = {
        f"{space.name} {role}": len(results.finals_of(space.name, role))
        for space in results.spaces
        for role in _finalists(space)
    }
    short = [
        f"{name} {count} of {results.config.seeds}" for name, count in counts.items() if count < results.config.seeds
    ]
    return Outcome(WARN, ", ".join(short)) if short else Outcome(PASS, f"{results.config.seeds} seeds each")


@check("F2", "Are there enough seeds to tell finalists apart?")
def enough_seeds(results: StudyResults) -> Outcome:
    """As few pairs as can have a p that is small enough after all comparisons were adjusted."""
    seeds, spaces = results.config.seeds, len(results.spaces)
    fewest = statistics.fewest_pairs(spaces + math.comb(spaces, 2))
    text = f"{seeds} seeds; p can be {statistics.least_p(seeds):.2g} at the least, and it takes {fewest} seeds to tell"
    return Outcome(PASS if seeds >= fewest else WARN, f"{text} one of all comparisons")


@check("F3", "Was the test set read only for the finals shown here?")
def test_reads(results: StudyResults) -> Outcome:
    """Every other reading is a choice that could have been made by looking at it."""
    shown = sum(len(results.finals_of(space.name, role)) for space in results.spaces for role in (BASELINE, TUNED))
    read = len(results.finals)
    if not read:
        return Outcome(WAITS, "it was not read yet")
    if read > shown:
        return Outcome(WARN, f"read {read} times, {read - shown} of them for finalists that a longer search replaced")
    return Outcome(PASS, f"read {read} times")


@check("F4", "Does the winner keep its promise on the test set?")
def optimism(results: StudyResults) -> Outcome:
    """The best of many trials was partly lucky: its validation accuracy is an optimistic estimate."""

    def ask(space: SpaceResults) -> Outcome:
        finals = results.finals_of(space.name, TUNED)
        if not finals or finals[0].validation is None:
            return Outcome(WAITS, "not tested yet")
        mean = fmean(final.accuracy for final in finals)
        error = (2 * mean * (1 - mean) / finals[0].test_images) ** 0.5  # of test and validation, about as many images
        lost = finals[0].validation - mean
        text = f"{100 * lost:+.2f} points from validation to test"
        return Outcome(WARN if lost > 3 * max(error, 1e-9) else PASS, text)

    return _each(results, ask)


def _finalists(space: SpaceResults) -> list[str]:
    """The roles that a space's finals should have: of its winner, and of its defaults where they could be trained."""
    trained = space.trials and space.trials[0].state in (TrialState.COMPLETE, TrialState.PRUNED)
    return [*([TUNED] if space.best is not None else []), *([BASELINE] if trained else [])]


def _at_bounds(space: SpaceResults) -> list[str]:
    """The winner's numbers that lie near a bound of their range."""
    assert space.best is not None
    found = []
    for parameter in parameters.of(space):
        if parameter.low is None or parameter.high is None or space.best.number not in parameter.trials:
            continue
        value = float(parameter.values[parameter.trials.index(space.best.number)])
        low, high, place = parameter.low, parameter.high, value
        if parameter.log:
            low, high, place = math.log(low), math.log(high), math.log(value)
        share = (place - low) / (high - low) if high > low else 0.5
        natural = share < EDGE and parameter.low == 0  # nothing lies below zero
        if min(share, 1 - share) < EDGE and not natural:
            found.append(f"{parameter.name} = {value:g} at its {'low' if share < EDGE else 'high'} end")
    return found


def ask_all(results: StudyResults) -> list[tuple[Check, Outcome]]:
    """Each check with its outcome, those that fail first; a check that breaks says so and fails alone."""
    found = []
    for each in CHECKS:
        try:
            outcome = each.ask(results)
        except Exception as error:  # a check's failure is its own
            outcome = Outcome(FAIL, f"the check itself failed: {one_line(error)}")
        found.append((each, outcome))
    return sorted(found, key=lambda pair: ORDER.index(pair[1].level))
