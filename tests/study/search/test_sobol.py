"""Quasi-random search keyed by trial number."""

import warnings
from typing import Any

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import QMCSampler
from searches import sampler

from study.search.sobol import SobolByTrial

TABLE = [
    ("c", -0.6987778552623313, 0.00029963659073871, 0.5, 384, 101, True, 5, 7, None),
    ("c", 1.5144276712089777, 0.0018626495312987653, 0.2, 448, 5, False, 5, 8, None),
    ("b", -0.5889067566022277, 0.04104055368641157, 0.30000000000000004, 288, 1, True, 5, None, 0.11559974612522915),
    ("a", 0.6010221168398857, 0.00044583001496407726, 0.0, 96, 316, False, 5, None, None),
    ("a", -0.9310099827125669, 0.000997295511403146, 0.0, 64, 64, True, 5, None, None),
    ("c", 1.0439020153135061, 0.01623564399149873, 0.30000000000000004, 384, 13, False, 5, 4, None),
    ("c", 0.07726709265261889, 0.00014683594066134588, 0.2, 480, 2, True, 5, 1, None),
    ("a", 1.8172561936080456, 0.05184301764074861, 0.5, 160, 949, False, 5, None, None),
    ("a", -0.3006908083334565, 0.00021411163991779422, 0.4, 416, 230, True, 5, None, None),
    ("c", 0.6892396528273821, 0.07568656536777722, 0.0, 224, 1, False, 5, 5, None),
    ("b", 0.1910543004050851, 0.0006828292767348393, 0.4, 128, 8, True, 5, None, 0.5838891190489904),
    ("a", 1.4159104973077774, 0.011138963871599298, 0.2, 320, 40, False, 5, None, None),
]
"""What 12 trials drew when the sampler was a subclass of Optuna's (5.0.0)."""


def drawn(trial: optuna.Trial) -> tuple[Any, ...]:
    """Parameters of every kind; `size` is conditional and known from trial 0 on, `depth` is drawn independently."""
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return (
        kind,
        trial.suggest_float("x", -1.0, 2.0),
        trial.suggest_float("rate", 1e-4, 1e-1, log=True),
        trial.suggest_float("dropout", 0.0, 0.5, step=0.1),
        trial.suggest_int("units", 32, 512, step=32),
        trial.suggest_int("width", 1, 1000, log=True),
        trial.suggest_categorical("flag", [True, False]),
        trial.suggest_int("only", 5, 5),
        trial.suggest_int("size", 1, 9) if kind == "c" else None,
        trial.suggest_float("depth", 0.1, 0.9, log=True) if kind == "b" else None,
    )


def test_trials_draw_what_they_always_drew() -> None:
    study = optuna.create_study(sampler=sampler("qmc"))
    found = []
    for _ in TABLE:
        trial = study.ask()
        found.append(drawn(trial))
        study.tell(trial, 0.0)
    assert found == TABLE


def test_a_sobol_sequence_fills_the_space_and_a_trial_keeps_its_point() -> None:
    study = optuna.create_study(sampler=sampler("qmc"))
    points = []
    for _ in range(16):
        trial = study.ask()
        points.append((trial.suggest_float("x", 0, 1), trial.suggest_int("y", 1, 8)))
        again = optuna.Trial(study, trial._trial_id)  # like a process that resumes it
        assert (again.suggest_float("x", 0, 1), again.suggest_int("y", 1, 8)) == points[-1]
        study.tell(trial, 0.0)
    # Each 8 points of the sequence that begin at a multiple of 8 lie in different eighths of each axis.
    assert sorted(int(x * 8) for x, _ in points[8:]) == list(range(8))
    assert sorted(y for _, y in points[8:]) == list(range(1, 9))


def distributions() -> st.SearchStrategy[BaseDistribution]:
    """Distributions of every kind, single values included."""
    low, width, step = st.integers(1, 40), st.integers(0, 60), st.integers(1, 9)
    return st.one_of(
        st.builds(lambda n: CategoricalDistribution([f"choice {index}" for index in range(n)]), st.integers(1, 6)),
        st.builds(lambda a, b, c: IntDistribution(a, a + b * c, step=c), low, width, step),
        st.builds(lambda a, b: IntDistribution(a, a + b, log=True), low, width),
        st.builds(lambda a, b: FloatDistribution(a / 7, (a + b) / 7, log=True), low, width),
        st.builds(lambda a, b: FloatDistribution(a - 20.3, a + b / 3), low, width),
        st.builds(lambda a, b: FloatDistribution(a / 10, (a + b) / 10, step=0.1), low, width),
    )


@given(st.lists(distributions(), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.integers(1, 5))
@settings(max_examples=150)
def test_the_points_are_optunas_counted_by_trial(dimensions: list[BaseDistribution], seed: int, trials: int) -> None:
    space = {f"p{index}": distribution for index, distribution in enumerate(dimensions)}
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        theirs = QMCSampler(scramble=True, seed=seed)
    study = optuna.create_study()
    for _ in range(trials):
        trial = study.ask()
        frozen = study.trials[trial.number]
        expected = theirs.sample_relative(study, frozen, space)
        found = SobolByTrial(seed, 0).sample_relative(study, frozen, space)
        free = [name for name in space if not space[name].single()]  # Optuna never draws a single value
        assert [found[name] for name in free] == [expected[name] for name in free]
