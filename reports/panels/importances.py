"""How much each hyperparameter matters."""

import warnings
from functools import cache
from typing import NamedTuple

import optuna
import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, parameters
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, plotly_text

FEWEST = 20
"""Complete trials; with fewer, importance cannot be told from noise."""
ALIKE = "Target and region quantiles select the same set of trials"
"""Optuna's words for trials that have no best tenth."""


class Importances(NamedTuple):
    """How much each hyperparameter tells the best trials from the others, the most important first."""

    shares: dict[str, float]
    """By name; they add up to 1."""
    complete: int
    """Trials that they rest on."""


@cache
def info(space: SpaceResults) -> Importances:
    """PED-ANOVA importances of a space (Watanabe et al. 2023); none below 20 complete trials, and of trials too alike
    to have a best tenth. Optuna asks a conditional hyperparameter under a name for each condition: their shares are
    added up."""
    complete = space.count(TrialState.COMPLETE)
    if complete < FEWEST:
        return Importances({}, complete)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a condition that one trial meets
        warnings.filterwarnings("error", ALIKE, UserWarning)
        try:
            found = optuna.importance.get_param_importances(space.study)
        except UserWarning:
            return Importances({}, complete)
    names = list(dict.fromkeys(name for record in space.records.values() for name in record.values))
    shares: dict[str, float] = {}
    for asked, share in found.items():
        name = parameters.real_name(asked, names)
        shares[name] = shares.get(name, 0.0) + share
    return Importances(dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))), complete)


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """A bar each."""
    title, found = "Which hyperparameters matter?", info(space)
    if not found.shares and found.complete >= FEWEST:
        return [Card(title, f"The {found.complete:,} complete trials are too alike to tell.")]
    if not found.shares:
        return [
            Card(
                title,
                f"Importances are shown from {FEWEST} complete trials on; there are {found.complete}, too few to tell "
                "importance from noise.",
            )
        ]
    shares = list(found.shares.items())[::-1]
    figure = go.Figure(
        go.Bar(
            x=[share for _, share in shares],
            y=[plotly_text(name) for name, _ in shares],
            orientation="h",
            text=[f"{share:.2f}" for _, share in shares],
            marker={"color": colors.BEST},
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(title="share").update_yaxes(automargin=True, type="category")
    caption = (
        "Share of what tells the best tenth of the trials from the others (PED-ANOVA, Watanabe et al. 2023), from "
        f"{found.complete:,} complete trials. It says what mattered in the range searched, not which value to take."
    )
    rows = [(name, f"{share:.3f}") for name, share in found.shares.items()]
    return [Card(title, caption, ("Hyperparameter", "Share"), rows, figures=[figure])]
