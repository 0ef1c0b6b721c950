"""Health checks: what a reader should know before trusting a study or using its winner.

Each has a code that never changes, a question, and an outcome in one sentence. A check that cannot be answered yet says
what it is waiting for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from optuna.trial import TrialState

from reports import parameters, statistics
from reports.collect import SpaceResults, StudyResults
from reports.panels import evaluation, number, verdict
from study.config import Definition
from study.errors import one_line
from study.records import BASELINE, TUNED
from study.storage import results as stored

FAIL, WARN, PASS, WAITS = "fails", "look", "passes", "waits"
ORDER = (FAIL, WARN, PASS, WAITS)
"""From the most to the least urgent."""

MOST_FAILED = 0.1
"""Share of the trials."""
EDGE = 0.05
"""Share of a parameter's range, on its scale: better values may lie beyond a bound that the winner is so close to."""
LATE = 0.1
"""Share of the trials: if the winner is among the last of them, the search was still improving."""
FEWEST = 10
"""Complete trials below which a search says little."""
LEAST_CORRELATION = 0.5


class Outcome(NamedTuple):
    """What a check found."""

    level: str
    text: str


Ask = Callable[[StudyResults], Outcome]
AskSpace = Callable[[StudyResults, SpaceResults], Outcome]


@dataclass(frozen=True)
class Check:
    """A question about a study."""

    code: str
    question: str
    ask: Ask


CHECKS: list[Check] = []


def check(code: str, question: str) -> Callable[[Ask], Ask]:
    """Add a function to `CHECKS`."""

    def add(ask: Ask) -> Ask:
        CHECKS.append(Check(code, question, ask))
        return ask

    return add


def space_check(code: str, question: str) -> Callable[[AskSpace], AskSpace]:
    """Add a function that is asked about each space: the worst outcome counts, with what was found where it occurs."""

    def add(ask: AskSpace) -> AskSpace:
        def ask_all_spaces(results: StudyResults) -> Outcome:
            found = {space.name: ask(results, space) for space in results.spaces}
            worst = min((outcome.level for outcome in found.values()), key=ORDER.index)
            return Outcome(
                worst, "; ".join(f"{name}: {text}" for name, (level, text) in found.items() if level == worst)
            )

        check(code, question)(ask_all_spaces)
        return ask

    return add


@space_check("S1", "Did the trials end without errors?")
def failed_trials(results: StudyResults, space: SpaceResults) -> Outcome:
    """Few failed."""
    ended, failed = space.ended, space.count(TrialState.FAIL)
    if not ended:
        return Outcome(WAITS, "no trial has ended")
    text = f"{failed} of {ended} failed"
    return Outcome(FAIL if failed == ended else WARN if failed > MOST_FAILED * ended else PASS, text)


@space_check("S2", "Is the search complete?")
def finished(results: StudyResults, space: SpaceResults) -> Outcome:
    """The whole budget was used."""
    enough = space.ended >= results.definition.trials
    return Outcome(PASS if enough else WARN, f"{space.ended} of {results.definition.trials} trials")


@space_check("S3", "Are there enough complete trials for a search?")
def enough_trials(results: StudyResults, space: SpaceResults) -> Outcome:
    """There are at least `FEWEST`."""
    complete = space.count(TrialState.COMPLETE)
    return Outcome(PASS if complete >= FEWEST else WARN, f"{complete} complete")


@space_check("S4", "Had the search stopped improving?")
def converged(results: StudyResults, space: SpaceResults) -> Outcome:
    """The winner is not among the last trials."""
    if space.best is None or len(space.trials) < FEWEST:
        return Outcome(WAITS, "too few trials")
    late = space.best.number >= (1 - LATE) * len(space.trials)
    text = f"the best is trial {space.best.number} of {len(space.trials)}"
    return Outcome(WARN, f"{text}: more trials may help") if late else Outcome(PASS, text)


@space_check("S5", "Does the winner lie inside its search space, away from the bounds?")
def inside(results: StudyResults, space: SpaceResults) -> Outcome:
    """A bound that the winner reached may be too tight."""
    if space.best is None:
        return Outcome(WAITS, "no complete trial")
    if results.winner_of(space.name) == BASELINE:
        return Outcome(PASS, "the winner is the baseline")
    edges = _at_bounds(space)
    if edges:
        return Outcome(WARN, f"{', '.join(edges)}: widen the range")
    return Outcome(PASS, "every number lies inside its range")


@space_check("S6", "Did the winner stop learning before its last epoch?")
def enough_epochs(results: StudyResults, space: SpaceResults) -> Outcome:
    """If the best epoch is the last one, the model was still improving."""
    record = space.record(space.best) if space.best is not None else None
    if record is None:
        return Outcome(WAITS, "no complete trial")
    text = f"best epoch {record.best_epoch} of {record.epochs}"
    finals = results.finals_of_winner(space.name)
    if finals and finals[0].epochs > record.epochs:  # a baseline with a published number
        return Outcome(PASS, f"{text} in the search; its finals trained {finals[0].epochs}")
    last = record.best_epoch == record.epochs == results.definition.epochs
    return Outcome(WARN, f"{text}: more --epochs may help") if last else Outcome(PASS, text)


@space_check("S7", "Do early epochs predict which trials end well?")
def early_ranks(results: StudyResults, space: SpaceResults) -> Outcome:
    """Where they do not, pruning discards good trials."""
    curves = [space.record(trial) for trial in space.trials if trial.state == TrialState.COMPLETE]
    pairs = [
        (values[0], values[(record.best_epoch or 1) - 1])
        for record in curves
        if record is not None and len(values := record.history.get(results.definition.objective.name, [])) > 1
    ]
    known = [(first, last) for first, last in pairs if first is not None and last is not None]
    if len(known) < FEWEST:
        return Outcome(WAITS, f"{len(known)} trials with several epochs")
    correlation = statistics.rank_correlation([first for first, _ in known], [last for _, last in known])
    if correlation is None:
        return Outcome(WAITS, "all trials are the same")
    text = f"rank correlation {correlation:.2f} between epoch 1 and the best, {len(known)} complete trials"
    return Outcome(PASS if correlation >= LEAST_CORRELATION else WARN, text)


@space_check("S8", "Was any configuration trained more than once?")
def repeats(results: StudyResults, space: SpaceResults) -> Outcome:
    """Repeated values add no information."""
    values = [tuple(sorted(record.values.items())) for record in space.records.values()]
    again = len(values) - len(set(map(repr, values)))
    if not values:
        return Outcome(WAITS, "no trial yet")
    return Outcome(PASS if again <= MOST_FAILED * len(values) else WARN, f"{again} of {len(values)} repeated")


@check("F1", "Was every finalist tested with the same seeds?")
def all_finals(results: StudyResults) -> Outcome:
    """Finalists are compared in pairs that share a seed."""
    if not results.tests:
        return Outcome(WAITS, "the finals are not done")
    counts = {
        f"{space.name} {role}": _tests(results, space, role)
        for space in results.spaces
        for role in _finalists(results, space)
    }
    seeds = _seeds(results)
    short = [f"{name} {count} of {seeds}" for name, count in counts.items() if count < seeds]
    return Outcome(WARN, ", ".join(short)) if short else Outcome(PASS, f"{seeds} seeds each")


@check("F2", "Are there enough seeds to tell finalists apart?")
def enough_seeds(results: StudyResults) -> Outcome:
    """So many that no more of them would decide what is undecided."""
    seeds, fewest = _seeds(results), statistics.FEWEST_SEEDS
    if seeds < fewest:
        return Outcome(WARN, f"{seeds} per finalist; intervals take {fewest}, and {Definition.seeds} should do")
    if not results.tests:
        return Outcome(WAITS, "the finals are not done")
    found = evaluation.info(results)
    compared: list[verdict.Comparison | evaluation.Comparison] = [*verdict.info(results).comparisons]
    compared += [] if found is None or found.comparison is None else [found.comparison]
    undecided = [each for each in compared if each.word == statistics.UNDECIDED]
    few = [f"{each.first} and {each.second} take {each.seeds_needed}" for each in undecided if each.seeds_needed]
    if few:
        return Outcome(WARN, f"{seeds} per finalist; {', '.join(few)}")
    images = [f"{each.first} and {each.second}" for each in undecided]
    text = f"; more seeds would not tell {', '.join(images)} apart" if images else ""
    return Outcome(PASS, f"{seeds} per finalist{text}")


@check("F3", "Was the test set read only for the finals shown here?")
def test_reads(results: StudyResults) -> Outcome:
    """Any other reading could have influenced a choice."""
    shown = sum(_tests(results, space, role) for space in results.spaces for role in (BASELINE, TUNED))
    read = results.tests
    if not read:
        return Outcome(WAITS, "it has not been read yet")
    if read > shown:
        return Outcome(WARN, f"read {read} times, {read - shown} of them for finalists that a longer search replaced")
    return Outcome(PASS, f"read {read} times")


@space_check("F4", "Does the winner's validation accuracy hold on the test set?")
def optimism(results: StudyResults, space: SpaceResults) -> Outcome:
    """The best of many trials was partly lucky, so its validation accuracy is an optimistic estimate."""
    finals = results.finals_of_winner(space.name)
    if results.evaluations:
        return Outcome(WAITS, "the page says what a tuner's winner reached on both")
    if not finals or finals[0].validation is None:
        return Outcome(WAITS, "not tested yet")
    mean = fmean(final.accuracy for final in finals)
    # Of the difference, where validation has about as many images.
    error = (2 * mean * (1 - mean) / finals[0].test_images) ** 0.5
    lost = finals[0].validation - mean
    text = f"{100 * lost:+.2f} points from validation to test"
    return Outcome(WARN if lost > 3 * max(error, 1e-9) else PASS, text)


def _tests(results: StudyResults, space: SpaceResults, role: str) -> int:
    """How often a finalist was tested."""
    return len(results.finals_of(space.name, role)) + len(results.evaluations_of(space.name, role))


def _seeds(results: StudyResults) -> int:
    """How often each was to be tested."""
    return results.definition.seeds if results.conditions is None else results.conditions.seeds


def _finalists(results: StudyResults, space: SpaceResults) -> list[str]:
    """The roles of a space's finals: its winner, and its baseline where that could be trained."""
    trained = space.trials and stored.state(space.trials[0]) in ("complete", "pruned")
    roles = {results.winner_of(space.name): None} | ({BASELINE: None} if trained else {})
    return [role for role in roles if role is not None]


def _at_bounds(space: SpaceResults) -> list[str]:
    """The winner's numbers that lie near a bound of their ranges."""
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
        natural = share < EDGE and parameter.low == 0  # a wider range would not go below 0
        if min(share, 1 - share) < EDGE and not natural:
            place_in_words = "at" if share in (0, 1) else "near"
            end = "lowest" if share < EDGE else "highest"
            found.append(f"{parameter.name} = {number(value)} {place_in_words} its {end}")
    return found


def ask_all(results: StudyResults) -> list[tuple[Check, Outcome]]:
    """Each check with its outcome, the failed ones first; a check that breaks says so and fails alone."""
    found = []
    for each in CHECKS:
        try:
            outcome = each.ask(results)
        except Exception as error:  # whatever breaks in a check affects that check alone
            outcome = Outcome(FAIL, f"the check itself failed: {one_line(error)}")
        found.append((each, outcome))
    return sorted(found, key=lambda pair: ORDER.index(pair[1].level))
