"""Which configuration won. It is chosen on the validation set; what it reached on the test set has no say in it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from study.config import CONFIRMATION, CONFIRMATION_SEEDS, Definition
from study.errors import StudyError
from study.objective import Objective
from study.paths import model_file
from study.records import (
    BASELINE,
    BASELINE_NUMBER,
    MODEL,
    RECORD,
    TARGET,
    TUNED,
    ConfirmationRecord,
    FinalRecord,
    TrialRecord,
)
from study.storage import results
from study.storage.store import StoredStudy
from study.system.files import exists


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trial that may be its space's winner."""

    space: str
    trial: FrozenTrial
    record: TrialRecord
    scores: tuple[float, ...] = ()
    """The objective on the validation set, once per confirmation run, after the epoch that is best on average."""
    confirmed_epoch: int | None = None
    """That epoch, from 1; None where there are no runs, and where `fit` returns the objective itself."""

    @property
    def number(self) -> int:
        """Of its trial."""
        return self.trial.number

    @property
    def role(self) -> str:
        """`BASELINE` or `TUNED`."""
        return BASELINE if self.number == BASELINE_NUMBER else TUNED

    @property
    def best_epoch(self) -> int | None:
        """After how many epochs it is best: on average over its confirmation runs or, before them, in its trial. None
        where no epoch stands for its value: `fit` returned it, or a pruned trial never came to its best."""
        if self.scores:
            return self.confirmed_epoch
        ended = self.trial.state == TrialState.COMPLETE and not self.record.returned
        return self.record.best_epoch if ended else None

    @property
    def score(self) -> float:
        """The mean of its confirmation runs or, before them, the trial's value."""
        if self.scores:
            return fmean(self.scores)
        assert self.trial.value is not None
        return self.trial.value


@dataclass(frozen=True, eq=False)
class Selection:
    """What validation chose."""

    candidates: Mapping[str, Sequence[Candidate]]
    """Of each space: its baseline, where that could be trained, and its best trials, the best first."""
    winners: Mapping[str, Candidate]
    """Of each space that has one."""
    recommended: Candidate | None
    """The winner among the winners."""
    confirmed: bool
    """Whether the winners were chosen by their confirmation runs; otherwise by the values of their trials."""


def of(study: StoredStudy, trials: Mapping[str, Sequence[FrozenTrial]] | None = None) -> Selection:
    """What validation has chosen so far in a study; `trials` are those of each space, if they have been read."""
    failed = [trial.user_attrs[TARGET] for trial in results.failures(study, CONFIRMATION)]
    return select(
        study.definition,
        trials or {space: results.trials(study, space) for space in study.definition.spaces},
        results.confirmations(study),
        {(space, trial) for space, _, trial, _ in failed},
    )


def best(study: StoredStudy, space: str | None) -> dict[str, Any]:
    """The winner of a space, or the recommended one of all spaces: JSON.

    Raises:
        StudyError: no trial is complete.
    """
    chosen = of(study)
    winner = chosen.recommended if space is None else chosen.winners.get(space)
    if winner is None:
        raise StudyError(f"the study {study.name!r} has no complete trial yet; 'study status {study.name}' says why")
    tested = [each for each in results.finals(study) if each.finalist == (winner.space, winner.role, winner.number)]
    model = study.folder / model_file(winner.space, winner.number)
    missing = model_missing(study, tested, model)
    return {
        "study": study.name,
        "space": winner.space,
        "trial": winner.number,
        "is_baseline": winner.role == BASELINE,
        study.definition.objective.name: winner.trial.value,
        "confirmed": fmean(winner.scores) if winner.scores else None,
        "best_epoch": winner.best_epoch,
        "test_accuracy": fmean(each.accuracy for each in tested) if tested else None,
        "model_test_accuracy": next((each.accuracy for each in tested if each.seed_index == 0), None),
        "finals": len(tested),
        "values": winner.record.values,
        "model": None if missing else str(model),
        "model_missing": missing or None,
    }


def model_missing(study: StoredStudy, finals: Sequence[FinalRecord], model: Path) -> str:
    """Why a finalist's model is not there, and what to do; empty where it is.

    Args:
        study: Whose finalist it is.
        finals: The finals of the finalist that are done.
        model: The file in which its model is kept.
    """
    first = next((each for each in finals if each.seed_index == 0), None)
    if first is None:
        return f"the finals make it, and 'study resume {study.name}' makes them"
    again = f"the command in the report ('study report {study.name}') trains it again"
    if MODEL in first.missing:
        return f"it could not be kept when it was tested ({first.missing[MODEL]}); {again}"
    return "" if exists(model) else f"the file {model} is gone; {again}"


def select(
    definition: Definition,
    trials: Mapping[str, Sequence[FrozenTrial]],
    runs: Sequence[ConfirmationRecord],
    failed: Collection[tuple[str, int]] = (),
) -> Selection:
    """Choose the winner of each space, and the recommended one among them.

    A candidate is judged after the epoch that is best on average over its confirmation runs, which share their seeds:
    candidates that differ in nothing are equal. As soon as every candidate has its runs, the best mean decides; of the
    candidates within one standard error of it, the one with the fewest parameters is taken (Breiman et al. 1984,
    section 3.4.3). Before that, and without confirmation, the best trial of the search is the winner.

    Args:
        definition: Of the study.
        trials: Every trial of each space, by number.
        runs: The confirmation runs that are done.
        failed: Space and trial of each run that failed; it counts as done.
    """
    by_trial: dict[tuple[str, int], list[ConfirmationRecord]] = {}
    for run in sorted(runs, key=lambda run: run.seed_index):
        by_trial.setdefault((run.space, run.trial), []).append(run)
    candidates = {
        space: [
            _judged(Candidate(space, trial, _record(trial)), by_trial.get((space, trial.number), []), definition)
            for trial in candidates_of(definition, searched)
        ]
        for space, searched in trials.items()
    }
    every = [candidate for found in candidates.values() for candidate in found]
    confirmed = bool(runs) and all(
        len(each.scores) >= CONFIRMATION_SEEDS or (each.space, each.number) in failed for each in every
    )
    winners = {}
    for space, searched in trials.items():
        judged = [candidate for candidate in candidates[space] if candidate.scores and confirmed]
        chosen = winner(judged, definition.objective) or _best(space, definition, searched)
        if chosen is not None:
            winners[space] = chosen
    return Selection(candidates, winners, winner(list(winners.values()), definition.objective), confirmed)


def _judged(candidate: Candidate, runs: Sequence[ConfirmationRecord], definition: Definition) -> Candidate:
    """The candidate as its runs judge it: after the epoch at which their mean is best; after the last one of each where
    they have none in common, or where `fit` returned the objective itself."""
    shared = min((run.epochs for run in runs), default=0)
    offsets = [run.epochs - len(run.curve) for run in runs]
    means: dict[int, float] = {}
    for epoch in range(max(offsets, default=0) + 1, shared + 1):
        values = [run.curve[epoch - offset - 1] for run, offset in zip(runs, offsets, strict=True)]
        known = [value for value in values if value is not None]
        if len(known) == len(runs):
            means[epoch] = fmean(known)
    if not means or any(run.returned for run in runs):
        last = [run.curve[-1] for run in runs if run.curve]
        return replace(candidate, scores=tuple(score for score in last if score is not None))
    best = min(means, key=lambda epoch: (definition.objective.rank(means[epoch]), epoch))
    scores = [run.curve[best - offset - 1] for run, offset in zip(runs, offsets, strict=True)]
    return replace(candidate, scores=tuple(score for score in scores if score is not None), confirmed_epoch=best)


def candidates_of(definition: Definition, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of a space that are trained again before its winner is chosen: its baseline and its best trials, each
    configuration once."""
    baseline = [trial for trial in trials[:1] if results.state(trial) in ("complete", "pruned")]
    found: dict[str, FrozenTrial] = {}
    for trial in (*baseline, *ranked(trials, definition.objective)[: definition.confirm]):
        found.setdefault(_configuration(trial), trial)
    return list(found.values())


def ranked(trials: Sequence[FrozenTrial], objective: Objective) -> list[FrozenTrial]:
    """The complete trials, the best first, the earliest of equals before the others."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE and RECORD in trial.user_attrs]
    valued = [(objective.rank(trial.value), trial.number, trial) for trial in complete if trial.value is not None]
    return [trial for _, _, trial in sorted(valued)]


def winner(candidates: Sequence[Candidate], objective: Objective) -> Candidate | None:
    """The best of some candidates: of those within one standard error of the best mean, the one with the fewest
    parameters. The standard error is that of a mean of one candidate's runs, from the variance within all candidates.
    None where there is none; those without runs are left out if others have some."""
    judged = [each for each in candidates if each.scores] or list(candidates)
    if not judged:
        return None
    best = min(objective.rank(each.score) for each in judged)
    near = [each for each in judged if objective.rank(each.score) <= best + _standard_error(judged)]
    return min(near, key=lambda each: (_parameters(each), objective.rank(each.score), each.number))


def _standard_error(candidates: Sequence[Candidate]) -> float:
    repeated = [each.scores for each in candidates if len(each.scores) > 1]
    if not repeated:
        return 0.0
    freedom = sum(len(scores) - 1 for scores in repeated)
    pooled = sum((len(scores) - 1) * variance(scores) for scores in repeated) / freedom
    return math.sqrt(pooled / min(map(len, repeated)))


def _best(space: str, definition: Definition, trials: Sequence[FrozenTrial]) -> Candidate | None:
    """The best trial of a search; its baseline, where that has the same configuration."""
    best = next(iter(ranked(trials, definition.objective)), None)
    if best is None:
        return None
    baseline = trials[BASELINE_NUMBER]
    is_baseline = baseline.state == TrialState.COMPLETE and _configuration(baseline) == _configuration(best)
    chosen = baseline if is_baseline else best
    return Candidate(space, chosen, _record(chosen))


def _configuration(trial: FrozenTrial) -> str:
    return repr(sorted(_record(trial).values.items()))


def _record(trial: FrozenTrial) -> TrialRecord:
    return TrialRecord.from_json(trial.user_attrs[RECORD])


def _parameters(candidate: Candidate) -> float:
    return math.inf if candidate.record.parameters is None else candidate.record.parameters
