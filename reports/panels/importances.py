"""How much each hyperparameter matters, and where its best values lie."""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import optuna
import plotly.graph_objects as go
from optuna.trial import FrozenTrial, TrialState, create_trial

from reports import colors, parameters
from reports.collect import SpaceResults, StudyResults, once
from reports.panels import Card, listed, number, plotly_text
from reports.parameters import Parameter
from study.records import Value

FEWEST = 10
"""Trials that ended with a value; with fewer, importance cannot be distinguished from noise."""
BEST_SHARE, FEWEST_BEST = 0.1, 3
"""The best trials of which it is said where they lie: a tenth, but at least so many."""
SAMPLES, MOST = 8, 100
"""Of the bootstrap, and the trials of each; the error of more trials is smaller by the square root of their number."""
MOST_BARS = 8
ALIKE = "Target and region quantiles select the same set of trials"
"""How Optuna warns of trials that have no best tenth."""


class Importances(NamedTuple):
    """How well each hyperparameter separates the best trials from the others, the most important first."""

    shares: dict[str, float]
    """By name; their sum is 1."""
    errors: dict[str, float]
    """The standard error of each share, from bootstrap samples of the trials."""
    trials: int
    """The number of trials they are computed from: the complete ones, and the pruned ones as they were then."""


@once
def info(space: SpaceResults) -> Importances:
    """PED-ANOVA importances of a space (Watanabe et al. 2023); none for fewer than 10 trials, or for trials too similar
    to have a best tenth. A conditional hyperparameter has an Optuna name for each condition: their shares are added."""
    ended = _ended(space)
    shares = _shares(space, ended) if len(ended) >= FEWEST else {}
    ordered = dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))
    return Importances(ordered, _errors(space, ended, list(ordered)), len(ended))


class Best(NamedTuple):
    """Where the values of a hyperparameter lie in the best trials."""

    trials: int
    """How many they are, whether they have it or not."""
    values: list[Value]


def best_of(space: SpaceResults, parameter: Parameter) -> Best | None:
    """Its values in the best tenth of the complete and pruned trials; None for fewer than 10 of them."""
    ranked = sorted(
        (each for each in space.outcomes if each.value is not None and each.state in ("complete", "pruned")),
        key=lambda each: space.objective.rank(each.value or 0.0),
    )
    if len(ranked) < FEWEST:
        return None
    best = ranked[: max(FEWEST_BEST, math.ceil(BEST_SHARE * len(ranked)))]
    return Best(len(best), [each.values[parameter.name] for each in best if parameter.name in each.values])


def in_words(best: Best | None, parameter: Parameter) -> str:
    """Where they lie: a range, or how often each choice is among them; a dash where they are unknown."""
    if best is None or not best.values:
        return "–"
    if parameter.numeric:
        return " to ".join(dict.fromkeys((number(min(best.values)), number(max(best.values)))))
    ordered = sorted(set(best.values), key=lambda value: (-best.values.count(value), str(value)))
    return listed([f"{number(value)} ({best.values.count(value):,} of {best.trials:,})" for value in ordered[:3]])


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One bar and one line per hyperparameter."""
    title, found = "Which hyperparameters matter?", info(space)
    if not found.shares and found.trials >= FEWEST:
        return [Card(title, f"The {found.trials:,} trials are too similar to tell.")]
    if not found.shares:
        text = f"Importances are shown from {FEWEST} complete or pruned trials on; there are {found.trials}, too few "
        return [Card(title, f"{text}to distinguish importance from noise.")]
    shares = list(found.shares.items())[:MOST_BARS][::-1]
    figure = go.Figure()
    figure.add_bar(
        x=[share for _, share in shares], y=[plotly_text(name) for name, _ in shares], orientation="h",
        error_x={
            "array": [min(found.errors.get(name, 0.0), 1 - share) for name, share in shares],
            "arrayminus": [min(found.errors.get(name, 0.0), share) for name, share in shares], "color": colors.COMPLETE,
        },
        marker={"color": colors.BEST}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title="share", rangemode="nonnegative").update_yaxes(automargin=True, type="category")
    caption = (
        "Share of what separates the best tenth of the trials from the others (PED-ANOVA, Watanabe et al. 2023), with "
        f"its standard error, from {found.trials:,} complete and pruned trials: what mattered within the range "
        "searched."
    )
    caption += f" Shown are the first {MOST_BARS} of {len(found.shares):,}." if len(found.shares) > MOST_BARS else ""
    rows = [
        (each.name, _shown(found, each.name), in_words(best_of(space, each), each), parameters.searched(space, each))
        for each in sorted(parameters.of(space), key=lambda each: -found.shares.get(each.name, 0.0))
        if each.name in found.shares
    ]
    columns = ("Hyperparameter", "Importance", "The best lie in", "Searched")
    note = f"The best are a tenth of the complete and pruned trials, but at least {FEWEST_BEST}."
    return [
        Card(title, caption, figures=[figure]),
        Card("Where do the best values lie, in numbers?", note, columns, rows, folded=True),
    ]


def _shown(found: Importances, name: str) -> str:
    error = found.errors.get(name)
    return f"{found.shares[name]:.2f}" + ("" if error is None else f" ± {error:.2f}")


def _ended(space: SpaceResults) -> list[FrozenTrial]:
    """The complete and the pruned trials, complete for Optuna: one that was pruned before it had a value is as bad as
    the worst."""
    values = {each.trial: each.value for each in space.outcomes}
    known = [value for value in values.values() if value is not None and math.isfinite(value)]
    if not known:
        return []
    worst = max(known, key=space.objective.rank)
    return [
        create_trial(value=worst if values[trial.number] is None else values[trial.number], params=trial.params,
                     distributions=trial.distributions)
        for trial in space.trials if trial.number in values and trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    ]  # fmt: skip


def _shares(space: SpaceResults, trials: Sequence[FrozenTrial]) -> dict[str, float]:
    study = optuna.create_study(direction=space.objective.direction)
    study.add_trials(trials)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a condition that only one trial meets
        warnings.filterwarnings("error", ALIKE, UserWarning)
        try:
            found = optuna.importance.get_param_importances(study)
        except UserWarning:
            return {}
    names = list(dict.fromkeys(name for record in space.records.values() for name in record.values))
    shares: dict[str, float] = {}
    for asked, share in found.items():
        name = parameters.real_name(asked, names)
        shares[name] = shares.get(name, 0.0) + share
    return shares


def _errors(space: SpaceResults, trials: list[FrozenTrial], names: list[str]) -> dict[str, float]:
    """The bootstrap's standard error of each share; empty where too few samples have a best tenth."""
    if not names:
        return {}
    n, drawn = min(len(trials), MOST), np.random.default_rng(0)
    samples = ([trials[index] for index in drawn.integers(0, len(trials), n)] for _ in range(SAMPLES))
    found = [shares for sample in samples if (shares := _shares(space, sample))]
    if len(found) < SAMPLES // 2:
        return {}
    scale = math.sqrt(n / len(trials))
    return {name: scale * float(np.std([each.get(name, 0.0) for each in found], ddof=1)) for name in names}
