"""How each space's search went: Optuna's own plots."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optuna
from optuna import visualization
from optuna.trial import TrialState

from reports.collect import SpaceResults, StudyResults
from reports.panels import Card

FEWEST_FOR_IMPORTANCES = 20


class Importances(NamedTuple):
    """How much each hyperparameter tells the best trials from the others (PED-ANOVA), and from how many trials."""

    shares: dict[str, float]
    complete: int


def info(space: SpaceResults) -> Importances:
    """Importances of a space; none below 20 complete trials, where they would be noise."""
    complete = space.count(TrialState.COMPLETE)
    if complete < FEWEST_FOR_IMPORTANCES:
        return Importances({}, complete)
    return Importances(optuna.importance.get_param_importances(space.study), complete)


def cards(results: StudyResults) -> list[Card]:
    """For each space: optimisation history, importances, slices, parallel coordinates."""
    return [card for space in results.spaces for card in _of_space(space, results.config.objective)]


def _of_space(space: SpaceResults, objective: str) -> list[Card]:
    complete, pruned, failed = map(space.count, (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    counts = f"{complete} complete, {pruned} pruned and {failed} failed trials."
    title = f"{space.name}: optimisation history"
    if not complete:
        return [Card(title, f"There will be something to see once a trial is complete. {counts}")]
    history = _card(
        title, f"{objective} of each complete trial, and the best so far. {counts}",
        visualization.plot_optimization_history, space, target_name=objective,
    )  # fmt: skip
    slices = _card(
        f"{space.name}: slices", f"{objective} against each hyperparameter; darker points are later trials.",
        visualization.plot_slice, space, target_name=objective,
    )  # fmt: skip
    parallel = _card(
        f"{space.name}: parallel coordinates", "A line is a trial; drag along an axis to choose some.",
        visualization.plot_parallel_coordinate, space, target_name=objective,
    )  # fmt: skip
    return [history, _importances(space), slices, parallel]


def _importances(space: SpaceResults) -> Card:
    title, found = f"{space.name}: importances", info(space)
    if found.complete < FEWEST_FOR_IMPORTANCES:
        return Card(
            title,
            f"Shown from {FEWEST_FOR_IMPORTANCES} complete trials on; there are {found.complete}, too few to tell "
            "importance from noise.",
        )
    return _card(
        title,
        "Share of what tells the best tenth of the trials from the others (PED-ANOVA, Watanabe et al. 2023), from "
        f"{found.complete} complete trials.",
        visualization.plot_param_importances,
        space,
    )


def _card(title: str, caption: str, plot: Callable[..., Any], space: SpaceResults, **options: Any) -> Card:
    figure = plot(space.study, **options)
    figure.update_layout(title=None)
    return Card(title, caption, figure=figure)
