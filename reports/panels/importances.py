"""How much each hyperparameter matters."""

import warnings
from typing import NamedTuple

import optuna
import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, parameters
from reports.collect import SpaceResults, StudyResults, once
from reports.panels import Card, plotly_text

FEWEST = 20
"""Complete trials; with fewer, importance cannot be distinguished from noise."""
ALIKE = "Target and region quantiles select the same set of trials"
"""How Optuna warns of trials that have no best tenth."""


class Importances(NamedTuple):
    """How well each hyperparameter separates the best trials from the others, the most important first."""

    shares: dict[str, float]
    """By name; their sum is 1."""
    complete: int
    """The number of trials they are computed from."""


@once
def info(space: SpaceResults) -> Importances:
    """PED-ANOVA importances of a space (Watanabe et al. 2023); none for fewer than 20 complete trials, or for trials
    too similar to have a best tenth. A conditional hyperparameter has an Optuna name for each condition: their shares
    are added."""
    complete = space.count(TrialState.COMPLETE)
    if complete < FEWEST:
        return Importances({}, complete)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a condition that only one trial meets
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
    """One bar per hyperparameter."""
    title, found = "Which hyperparameters matter?", info(space)
    if not found.shares and found.complete >= FEWEST:
        return [Card(title, f"The {found.complete:,} complete trials are too similar to tell.")]
    if not found.shares:
        text = f"Importances are shown from {FEWEST} complete trials on; there are {found.complete}, too few to "
        return [Card(title, f"{text}distinguish importance from noise.")]
    shares = list(found.shares.items())[::-1]
    figure = go.Figure()
    figure.add_bar(
        x=[share for _, share in shares], y=[plotly_text(name) for name, _ in shares], orientation="h",
        text=[f"{share:.2f}" for _, share in shares], marker={"color": colors.BEST}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title="share").update_yaxes(automargin=True, type="category")
    caption = (
        "Share of what separates the best tenth of the trials from the others (PED-ANOVA, Watanabe et al. 2023), from "
        f"{found.complete:,} complete trials: what mattered within the range searched, not which value to choose."
    )
    return [Card(title, caption, figures=[figure])]
