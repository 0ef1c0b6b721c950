"""The first screen: which model to use, how good it is, what to do next, and what it was found with."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reports import commands
from reports.collect import StudyResults
from reports.panels import (
    Bar,
    Card,
    Command,
    best,
    checks,
    counted,
    duration,
    evaluation,
    listed,
    number,
    percent,
    verdict,
)
from reports.panels.verdict import Row
from study.config import UNLIMITED
from study.storage import results as stored
from study.storage.reasons import nothing_succeeded


class Spent(NamedTuple):
    """What the study has cost so far."""

    trials: dict[str, int]
    """By state, of all spaces."""
    confirmations: int
    """Confirmation runs that are done."""
    finals: int
    seconds: float
    """Of training, summed over all of these."""


class Next(NamedTuple):
    """What to do next."""

    why: str
    command: str


def spent(results: StudyResults) -> Spent:
    """Everything that was trained, as far as it has ended."""
    states = [stored.state(trial) for space in results.spaces for trial in space.trials]
    tested = [final.seconds for final in results.finals] + [final.seconds for final in results.evaluations]
    confirmed = stored.confirmations(results.study)
    searched = [record.seconds for space in results.spaces for record in space.records.values()]
    return Spent(
        trials={state: states.count(state) for state in dict.fromkeys(states)},
        confirmations=len(confirmed),
        finals=results.tests,
        seconds=sum(searched) + sum(tested) + sum(run.seconds for run in confirmed),
    )


def next_step(results: StudyResults) -> Next | None:
    """What would tell more: the rest of the study, more seeds, or a longer search; None where all trials failed."""
    told, definition, address = verdict.info(results), results.definition, results.study.store.address
    if stored.is_trained(results.study):
        return Next("It is running. To see how far it is", commands.status(definition, address))
    if told.command is not None:
        return Next(told.purpose, told.command)
    if nothing_succeeded(trial for space in results.spaces for trial in space.trials):
        return None
    if any(space.ended < definition.trials for space in results.spaces):
        return Next("To continue", commands.resume(definition, address))
    longer = commands.resume(definition, address, trials=2 * definition.trials)
    why = f"To continue the search, {2 * definition.trials:,} trials in each space instead of {definition.trials:,}"
    return Next(why, longer)


def cards(results: StudyResults) -> list[Card]:
    """The recommendation, and the finalists as bars."""
    found = verdict.info(results)
    lead, *others = found.statements
    rows, step = verdict.finalists(results), next_step(results)
    code = best.load(results)
    given = [] if code is None else [Command(code, f"To classify an image with {_model(results)}:")]
    given += [] if step is None else [Command(step.command, f"Next step. {step.why}:")]
    size = _size(results, rows) if code is None else ()
    statements = [*size, *others, *_progress(results), *_warnings(results, rows)]
    shown = [Card("Which model should I use?", lead=lead, statements=statements, commands=given)]
    if rows:
        shown.append(_comparison(results, rows))
    return [*shown, *evaluation.cards(results)]


def cost(results: StudyResults) -> list[Card]:
    """What was trained, for how long, on what."""
    return [Card("What did it cost?", _cost(results))]


def _size(results: StudyResults, rows: Sequence[Row]) -> Iterator[str]:
    """How large the recommended model is."""
    if rows and results.recommended is not None and rows[0].finalist == " ".join(results.recommended):
        yield f"It has {number(rows[0].parameters)} parameters."


def _model(results: StudyResults) -> str:
    """Which of the recommended finalist's models is kept, its size, and how good it is by itself."""
    chosen = results.selection.recommended
    finals = [] if chosen is None else results.finals_of_winner(chosen.space)
    if not finals:
        return "this model"
    which = f"the saved model, the first of {len(finals)} trainings" if len(finals) > 1 else "its model"
    return f"{which} ({number(finals[0].parameters)} parameters, test accuracy {percent(finals[0].accuracy)})"


def _progress(results: StudyResults) -> Iterator[str]:
    """How far an unfinished search is."""
    ended = sum(space.ended for space in results.spaces)
    planned = len(results.spaces) * results.definition.trials
    if ended < planned and results.definition.trials < UNLIMITED:
        begun = [trial.datetime_start for space in results.spaces for trial in space.trials if trial.datetime_start]
        since = f", since {min(begun):%Y-%m-%d %H:%M} UTC" if begun else ""
        yield f"{ended:,} of {planned:,} trials have ended{since}."


def _warnings(results: StudyResults, rows: Sequence[Row]) -> Iterator[str]:
    """That something should be looked at before a tested model is used."""
    if (rows or results.evaluations) and checks.loud_ones(results):
        yield f"{checks.found_in_words(results)}: see 'What to check' below."


def _comparison(results: StudyResults, rows: Sequence[Row]) -> Card:
    """Each finalist with its interval, the recommended one last."""
    chosen = None if results.recommended is None else " ".join(results.recommended)
    spans = {row.finalist: _span(row) for row in rows}
    low, high = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    step = 0.01 if high - low > 0.02 else 0.001
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    high = high if high > low else low + step

    def bar(row: Row) -> Bar:
        begin, end = spans[row.finalist]
        first, middle, last = ((each - low) / (high - low) for each in (begin, row.accuracy, end))
        return Bar(row.finalist, percent(row.accuracy), first, middle, last, _note(row), row.finalist == chosen)

    bars = [bar(row) for row in sorted(rows, key=lambda row: (row.finalist == chosen, row.accuracy))]
    caption = "Mean test accuracy (the dot) of each finalist, and its 95 % interval for new images like these."
    if any(row.new_images is None for row in rows):
        caption = (
            "Mean test accuracy (the dot) of each finalist. There are intervals from 3 seeds on; with fewer, the line "
        )
        caption += "is the range of the seeds."
    alone = " or ".join(space.name for space in results.untuned)
    caption += f" There is no tuned {alone}: the baseline won." if alone else ""
    ends = (f"{100 * low:.4g} %", f"{100 * high:.4g} %")
    return Card("How do the finalists compare?", caption, bars=bars, ends=ends)


def _span(row: Row) -> tuple[float, float]:
    return (row.least, row.most) if row.new_images is None else (row.new_images.low, row.new_images.high)


def _note(row: Row) -> str:
    """The interval in numbers."""
    low, high = (f"{100 * bound:.2f}" for bound in _span(row))
    if row.new_images is None:
        return f"range {low} to {high} %" if row.seeds > 1 else "1 seed"
    return f"{low} to {high} %"


def _cost(results: StudyResults) -> str:
    """Trials, time and machine in a line."""
    found, machine = spent(results), results.environment
    states = [f"{count:,} {state}" for state, count in found.trials.items()]
    trials = counted(sum(found.trials.values()), "trial") + (f" ({', '.join(states)})" if states else "")
    runs = [counted(found.confirmations, "confirmation run") + " (winners trained again)" * bool(found.confirmations)]
    runs.append(counted(found.finals, "final") + " (trained and tested)" * bool(found.finals))
    spaces = counted(len(results.spaces), "search space")
    workers = counted(results.resources.workers or 1, "worker")
    text = f"{listed([trials, *runs])} in {spaces}: {duration(found.seconds)} of training on {workers}"
    accelerator = machine.get("accelerator")
    parts = [
        str(machine["processor"]) if "processor" in machine else "",
        counted(machine["cores"], "core") if "cores" in machine else "",
        "" if accelerator is None else "no GPU" if accelerator == "none" else str(accelerator),
    ]
    return f"{text}; {', '.join(filter(None, parts))}." if any(parts) else f"{text}."
