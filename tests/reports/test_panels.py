"""The numbers of the panels, for studies made by hand."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import confirmation_record, final_record, keep_predictions, trial_record
from optuna.trial import FrozenTrial, TrialState, create_trial

from reports import collect, window
from reports.collect import SpaceResults, StudyResults
from reports.panels import (
    best,
    confusion,
    frontier,
    gallery,
    history,
    importances,
    learning_curves,
    pair,
    parallel,
    provenance,
    slices,
    timeline,
    tradeoff,
    trial_table,
)
from study.objective import Objective
from study.paths import MISREAD
from study.records import RECORD

COMPLETE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
Make = Callable[..., Any]

TRIALS = [(COMPLETE, 0.8, trial_record()), (COMPLETE, 0.9, trial_record()), (PRUNED, 0.5, trial_record(epochs=1))]


def read(make: Make, *arguments: Any, **options: Any) -> StudyResults:
    return collect.read(make(*arguments, **options))


def space_of(make: Make, rows: list[Any], **options: Any) -> SpaceResults:
    (space,) = read(make, {"dense": rows}, **options).spaces
    return space


def varied(n: int, **columns: Callable[[int], Any]) -> list[Any]:
    """n complete trials whose values are functions of their number; the later the better."""
    return [
        (COMPLETE, 0.5 + index / 1000, trial_record(values={name: column(index) for name, column in columns.items()}))
        for index in range(n)
    ]


def tuned_and_baseline(tuned: list[int], baseline: list[int]) -> list[Any]:
    """Finals, one for each number of errors on 100 test images; each has a seed of its own."""
    finals = [
        final_record(seed_index=seed, errors=errors, predictions=f"predictions/tuned{seed}.npz")
        for seed, errors in enumerate(tuned)
    ]
    finals += [
        final_record(
            role="baseline", trial=0, seed_index=seed, errors=errors, validation=0.8,
            predictions=f"predictions/baseline{seed}.npz",
        )
        for seed, errors in enumerate(baseline)
    ]  # fmt: skip
    return finals


def predicted(labels: Any, wrong: list[int], sure: float = 0.9) -> Any:
    """Probabilities of two classes (n, 2) that misclassify the images `wrong`."""
    right = np.eye(2)[labels] * (2 * sure - 1) + (1 - sure)
    right[wrong] = right[wrong][:, ::-1]
    return right


def test_a_gallery_without_predictions_says_so(make: Make) -> None:
    results = read(make, {"dense": TRIALS}, tuned_and_baseline([1, 2], [5, 6]))
    assert "missing from the study's folder" in gallery.cards(results, results.spaces[0])[0].caption


def test_the_gallery_begins_with_what_most_seeds_misclassified(make: Make) -> None:
    finals = tuned_and_baseline([1, 2], [])
    labels = np.arange(100) % 2
    stored = make({"dense": TRIALS}, finals, classes=("cat", "dog"))
    keep_predictions(stored.folder, finals[0], predicted(labels, [7], sure=0.6), labels)
    keep_predictions(stored.folder, finals[1], predicted(labels, [3, 7], sure=0.8), labels)
    results = collect.read(stored)
    found = gallery.info(results, "dense")
    assert [(each.number, each.true, each.predicted, each.seeds) for each in found] == [(7, 1, 0, 2), (3, 1, 0, 1)]
    assert found[0].confidence == pytest.approx((0.6 + 0.8) / 2)
    assert set(results.misread_images) == {3, 7}
    (card,) = gallery.cards(results, results.spaces[0])
    assert card.images[0].caption == "dog mistaken for cat by 2 of 2 seeds, 70 % sure of it (test image 7)"


def test_a_gallery_without_the_images_says_so_and_the_numbers_stay(make: Make) -> None:
    finals = tuned_and_baseline([1], [])
    labels = np.arange(100) % 2
    stored = make({"dense": TRIALS}, finals)
    keep_predictions(stored.folder, finals[0], predicted(labels, [7]), labels)
    (stored.folder / MISREAD).unlink()
    results = collect.read(stored)
    (card,) = gallery.cards(results, results.spaces[0])
    assert not card.images
    assert "missing from the study's folder" in card.caption
    assert [each.number for each in gallery.info(results, "dense")] == [7]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_image_becomes_a_small_png(channels: int) -> None:
    source = gallery.png(np.zeros((300, 200, channels), dtype=np.uint8))
    assert source.startswith("data:image/png;base64,")
    assert len(source) < 2_000


def test_learning_curves_draw_the_best_last(make: Make) -> None:
    space = space_of(make, [*TRIALS, (FAIL, None, trial_record(error="no"))])
    curves = learning_curves.info(space, Objective())
    assert [(curve.trial, curve.kind) for curve in curves] == [(0, "complete"), (2, "pruned"), (1, "best")]
    assert curves[-1].values == [0.5, 0.9]


def test_of_many_learning_curves_the_best_are_drawn(make: Make) -> None:
    rows = [
        (COMPLETE, value, trial_record(history={"val_accuracy": [value]}, best_epoch=1, epochs=1))
        for value in (0.9 - index / 1000 for index in range(400))
    ]
    results = read(make, {"dense": rows})
    (card,) = learning_curves.cards(results, results.spaces[0])
    drawn = {trial for trace in card.figures[0].data for trial in trace.customdata if trial is not None}
    assert set(range(40)) <= drawn
    assert len(drawn) < 400
    assert f"Shown are {len(drawn)} of 400 curves" in card.caption


def test_the_history_counts_every_trial_that_ended_and_all_training(make: Make) -> None:
    rows = [(COMPLETE, 0.8, trial_record(seconds=2)), (FAIL, None, trial_record(seconds=1, error="no")),
            (COMPLETE, 0.7, trial_record(seconds=3)), (RUNNING, None, None)]  # fmt: skip
    space = space_of(make, rows)
    points = [(point.trial, point.ended, point.seconds, point.best) for point in history.info(space, Objective())]
    assert points == [(0, 1, 2, 0.8), (1, 2, 3, 0.8), (2, 3, 6, 0.8), (3, 4, 6, 0.8)]
    assert history.info(space, Objective.of("val_loss"))[-1].best == 0.7


def test_the_value_of_any_trial_is_that_of_its_best_epoch(make: Make) -> None:
    """Optuna's value of a pruned trial is the last one, and a running trial has none."""
    better_before = trial_record(history={"val_accuracy": [0.7, None, 0.6]})
    rows = [(COMPLETE, 0.8, trial_record()), (PRUNED, 0.6, better_before), (RUNNING, None, trial_record(history={})),
            (FAIL, None, trial_record(error="no")), (PRUNED, None, trial_record(history={}, epochs=0))]  # fmt: skip
    space = space_of(make, rows)
    del space.trials[4].intermediate_values[1]
    assert [each.value for each in space.outcomes] == [0.8, 0.7, 0.5, None, None]
    assert [row.value for row in trial_table.info(space)] == [0.8, 0.7, 0.5, None, None]


def test_random_search_is_expected_from_the_trials_that_were_drawn_at_random(make: Make) -> None:
    """The baseline, then draws of 0.7, 0.9 and a trial that was pruned and gains nothing."""
    rows = [(COMPLETE, 0.8, trial_record(seconds=2)), (COMPLETE, 0.7, trial_record(seconds=1)),
            (COMPLETE, 0.9, trial_record(seconds=1)), (PRUNED, 0.85, trial_record(seconds=1))]  # fmt: skip
    later = [(COMPLETE, 0.99, trial_record())] * 10
    drawn = history.random_search(space_of(make, rows), "random")
    assert drawn is not None
    assert (drawn.drawn, drawn.trials, drawn.seconds) == (3, [1, 2, 3, 4], [2, 3, 4, 5])
    chances = [1 - (2 / 3) ** n for n in range(4)]  # that 0.9 is among n draws of three
    assert drawn.best == pytest.approx([0.8 + 0.1 * chance for chance in chances])
    learned = history.random_search(space_of(make, rows + later, name="learned"), "tpe")
    assert learned is not None
    assert learned.drawn == 9  # the first ten trials, of which one is the baseline
    assert history.random_search(space_of(make, rows, name="grid"), "kt-grid") is None
    assert history.random_search(space_of(make, rows[3:], name="pruned"), "random") is None


@pytest.mark.parametrize(
    "values, better, edge, beyond",
    [
        ([0.9, 0.92, 0.94, 0.1], "maximize", 0.92, 2),
        ([0.9, 0.92, 0.94, 0.91, 0.9], "maximize", 0.9, 0),
        ([1.0, 1.1, 30.0], "minimize", 1.1, 1),
        ([0.5, 0.5, 0.5, 0.1], "maximize", 0.1, 0),
        ([0.5, float("inf")], "minimize", 0.5, 1),
    ],
)
def test_the_window_shows_the_better_half_unless_all_fit(
    values: list[float], better: Any, edge: float, beyond: int
) -> None:
    outcomes = [collect.Outcome(number, "complete", value, 1, {}) for number, value in enumerate(values)]
    found = window.of(outcomes, Objective("x", better))
    assert found is not None
    assert (found.edge, found.beyond) == (edge, beyond)
    low, high = found.axis("x")["range"]  # type: ignore[misc]
    assert all(low < found.place(value) < high for value in values)
    assert window.of([outcomes[0]._replace(value=None)], Objective()) is None


def test_the_confusion_is_summed_over_seeds(make: Make) -> None:
    results = read(make, {"dense": TRIALS, "cnn": []}, tuned_and_baseline([10, 20], [30]), classes=("a", "b"))
    found, untested = (confusion.info(results, space) for space in results.spaces)
    assert found is not None
    assert untested is None
    assert found.counts == [[100, 0], [30, 70]]
    assert found.recalls == pytest.approx([1.0, 0.7])
    assert found.worst == [(30, 1, 0)]
    assert found.classes == ["a", "b"]
    assert confusion.Confusion("it", 1, ["a", "b"], [[3, 1], [0, 0]]).recalls == [0.75, None]
    assert found.seeds == 2


def test_importances_are_hidden_below_ten_trials_that_ended_with_a_value(make: Make) -> None:
    rows = [(COMPLETE, 0.5 + index / 100, trial_record()) for index in range(9)]
    pruned = [(PRUNED, 0.4, trial_record()), (RUNNING, None, trial_record()), (FAIL, None, trial_record(error="no"))]
    results = read(make, {"dense": rows, "cnn": [*rows, *pruned]})
    assert [(found.trials, found.shares == {}) for found in map(importances.info, results.spaces)] == [
        (9, True), (10, False),
    ]  # fmt: skip
    (few,), (many, numbers) = (importances.cards(results, space) for space in results.spaces)
    assert not few.figures
    assert "from 10 complete or pruned trials on; there are 9" in few.caption
    assert many.figures
    assert (numbers.folded, numbers.columns[1:3]) == (True, ("Importance", "The best lie in"))


def test_importances_of_more_trials_are_less_uncertain(make: Make) -> None:
    rows = [(COMPLETE, 0.5 + (index % 7) / 10, trial_record()) for index in range(30)]
    few, many, same = map(importances.info, read(make, {"a": rows[:12], "b": rows * 10, "c": rows * 10}).spaces)
    assert 0 < many.errors["rate"] < few.errors["rate"]
    assert many == same


def test_where_the_best_tenth_lies(make: Make) -> None:
    rows = varied(40, rate=lambda n: n / 100, kind=lambda n: "ab"[n % 4 == 3])
    space, few = read(make, {"dense": rows, "cnn": rows[:9]}).spaces
    rate, kind = slices.info(space)
    words = [importances.in_words(importances.best_of(space, each), each) for each in (rate, kind)]
    assert words == ["0.36 to 0.39", "a (3 of 4) and b (1 of 4)"]
    assert importances.best_of(few, slices.info(few)[0]) is None


def test_importances_are_those_of_the_real_names(make: Make) -> None:
    """Optuna was asked for `rate` once for each condition and on another scale; its shares are added."""
    rows = [(COMPLETE, 0.5 + (index % 7) / 10, trial_record()) for index in range(30)]
    space = space_of(make, rows, asked={"rate": "rate[kind=plain|deep]~reflected"})
    shares = importances.info(space).shares
    assert set(shares) == {"rate", "kind"}
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares) == ["rate", "kind"]


def test_a_condition_that_one_trial_meets_leaves_the_importances(make: Make) -> None:
    """Optuna warns about it."""
    rows = [
        (COMPLETE, 0.5 + (index % 7) / 10, trial_record(values={"rate": 0.1, "kind": "plain"})) for index in range(40)
    ]
    space = space_of(make, rows)
    for trial in space.trials[1:]:  # the first alone has it
        del trial.params["kind"], trial.distributions["kind"]
    assert set(importances.info(space).shares) >= {"rate"}


def test_slices_have_real_values_and_the_bounds_of_the_search(make: Make) -> None:
    declared = {
        "rate if kind in ['a']": {"kind": "Float", "min_value": 1e-4, "max_value": 1e-2, "sampling": "log"},
        "rate if kind in ['b']": {"kind": "Float", "min_value": 1e-3, "max_value": 1e-1, "sampling": "log"},
        "size": {"kind": "Choice", "values": [32, 64, 128]},
        "same": {"kind": "Fixed", "value": 1},
    }
    rows = varied(5, rate=lambda n: 0.001 * (n + 1), size=lambda n: [128, 32, 64][n % 3], same=lambda n: 1)
    rate, size = slices.info(space_of(make, rows, declared=declared))
    assert (rate.name, rate.numeric, rate.log, rate.low, rate.high) == ("rate", True, True, 1e-4, 1e-1)
    assert rate.values == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.005])
    assert (size.name, size.numeric, size.choices) == ("size", False, [32, 64, 128])


def test_bounds_of_what_the_defaults_do_not_reach_are_those_that_optuna_was_asked_for(make: Make) -> None:
    rows = varied(5, rate=lambda n: 0.001 * (n + 1), kind=lambda n: n)
    other = {"x": {"kind": "Fixed", "value": 1}}
    rate, kind = slices.info(space_of(make, rows, declared=other, asked={"rate": "rate[kind=1|2]~reflected"}))
    assert (rate.numeric, rate.log, rate.low, rate.high) == (True, False, 0.0, 1.0)
    assert (kind.numeric, kind.low) == (False, None)


def test_parallel_coordinates_show_every_complete_trial(make: Make) -> None:
    """A conditional hyperparameter passes below its axis where a trial does not have it."""
    rows = varied(6, rate=lambda n: n / 10, same=lambda n: 1) + varied(
        4, rate=lambda n: n / 10, same=lambda n: 1, units=lambda n: 5 * n
    )
    found = parallel.info(space_of(make, rows))
    assert found is not None
    assert [each.trial for each in found.outcomes] == list(range(10))
    assert {parameter.name: values for parameter, values in found.columns} == {
        "rate": pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0, 0.1, 0.2, 0.3]),
        "units": [None] * 6 + [0, 5, 10, 15],
    }
    units = parallel.dimension(*found.columns[1])
    assert units["values"] == pytest.approx([-0.15 * 15] * 6 + [0, 5, 10, 15])
    assert dict(zip(units["ticktext"], units["tickvals"], strict=True)) == pytest.approx(
        {"0": 0, "5": 5, "10": 10, "15": 15, "–": -0.15 * 15}
    )


def test_ticks_of_parallel_coordinates_are_values_on_their_scale(make: Make) -> None:
    declared = {"rate": {"kind": "Float", "min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
                "kind": {"kind": "Choice", "values": ["b", "a"]}}  # fmt: skip
    rows = varied(9, rate=lambda n: 10 ** (-4 + 3 * n / 8), kind=lambda n: "ab"[n % 2])
    found = parallel.info(space_of(make, [*rows, *varied(1, rate=lambda n: float("inf"))], declared=declared))
    assert found is not None
    rate, kind = (parallel.dimension(*column) for column in found.columns)
    assert rate["values"][:9] == pytest.approx([-4 + 3 * n / 8 for n in range(9)])
    texts = parallel.dimension(found.columns[0][0]._replace(log=False), [1000.0 + n / 10 for n in range(9)])["ticktext"]
    assert texts == ["1000", "1000.2", "1000.3", "1000.5", "1000.6", "1000.8"]
    assert rate["ticktext"] == ["0.0001", "0.0003981", "0.001585", "0.00631", "0.02512", "0.1", "–"]
    assert (kind["values"], kind["ticktext"]) == ([0, 1, 0, 1, 0, 1, 0, 1, 0, -0.15], ["a", "b", "–"])


def test_the_pair_is_of_trials_that_have_both(make: Make) -> None:
    rows = varied(40, rate=lambda n: n / 10, kind=lambda n: "ab"[n % 2]) + varied(5, rate=lambda n: n / 10)
    found = pair.info(space_of(make, rows))
    assert found is not None
    assert {found.first.name, found.second.name} == {"rate", "kind"}
    assert found.first.trials == found.second.trials == list(range(40))


def test_the_timeline_has_a_bar_for_each_trial_that_began(make: Make) -> None:
    space = space_of(make, [*TRIALS, (RUNNING, None, None)])
    moment = datetime(2026, 1, 1)
    trials = [_ended(trial, moment, 10 * index) for index, trial in enumerate(space.trials[:3])]
    running = space.trials[3]
    running.datetime_start = moment + timedelta(seconds=15)
    bars = timeline.info(dataclasses.replace(space, trials=[*trials, running]))
    assert [(bar.trial, bar.state, bar.began, bar.seconds) for bar in bars] == [
        (0, "complete", 0, 4), (1, "complete", 10, 4), (2, "pruned", 20, 4), (3, "running", 15, 9),
    ]  # fmt: skip


def _ended(trial: FrozenTrial, moment: datetime, after: int) -> FrozenTrial:
    trial.datetime_start = moment + timedelta(seconds=after)
    trial.datetime_complete = moment + timedelta(seconds=after + 4)
    return trial


def test_the_best_configuration_comes_with_the_command_that_trains_it(make: Make) -> None:
    rows = [
        (COMPLETE, 0.7, trial_record(values={"kind": "plain", "rate": 0.1})),
        (COMPLETE, 0.8, trial_record(values={"kind": "it's", "rate": 0.5}, best_epoch=3, epochs=4)),
    ]
    finals = [
        final_record(seed_index=0, seed=11, errors=9, epochs=3, fit_epochs=8),
        final_record(seed_index=1, seed=12, errors=3, epochs=3, fit_epochs=8),
        final_record(role="baseline", trial=0, epochs=6),
    ]
    results = read(make, {"dense": rows, "cnn": []}, finals, dataset="mnist", split_seed=5)
    found = best.info(results, results.spaces[0])
    assert found is not None
    values = """'{"kind": "it'"'"'s", "rate": 0.5}'"""
    # Planned for as many epochs as its trial, and ended where that was best; with the seed of the model that is kept.
    words = f"study train --space dense --dataset mnist --values {values} --epochs 8 --seed 11 --stop-after 3"
    assert found.command == f"{words} --pruner sha --split-seed 5"
    assert found.epochs == [6, 3]
    (card,) = best.cards(results, results.spaces[0])
    assert card.rows == [
        ("rate", "0 to 1", "0.1", "0.5"),
        ("kind", "plain, <b>deep</b>", "plain", "it's"),
        ("Epochs of the finals", "–", "6", "3"),
    ]
    assert [command.text for command in card.commands] == [found.command]
    assert best.info(results, results.spaces[1]) is None


def test_a_pruned_baseline_that_its_confirmation_runs_made_the_winner(make: Make) -> None:
    rows = [(TrialState.PRUNED, None, trial_record(epochs=0, best_epoch=None, history={}))]
    rows += [(TrialState.COMPLETE, 0.8, trial_record())]
    runs = [
        confirmation_record(trial=trial, seed_index=index, curve=[0.5, value])
        for trial, value in enumerate((0.9, 0.7))
        for index in (0, 1)
    ]
    results = read(make, {"dense": rows}, confirmations=runs)
    card, same = best.cards(results, results.spaces[0])
    assert card.rows == []
    assert (same.folded, [row[0] for row in same.rows]) == (True, ["rate", "kind"])
    assert card.caption.startswith(
        "Trial 0, val_accuracy 0.9000 on average over its confirmation runs, best after 2 epochs. It is the baseline: "
    )


def test_costs_are_those_of_the_finalists(make: Make) -> None:
    (tuned, baseline) = tradeoff.info(read(make, {"dense": TRIALS}, tuned_and_baseline([10] * 3, [20])))
    assert (tuned.error, baseline.error) == pytest.approx((0.1, 0.2))
    assert tuned.low is not None
    assert tuned.high is not None
    assert tuned.low < tuned.error < tuned.high
    assert (baseline.low, baseline.high) == (None, None)  # a single seed has no interval
    assert (tuned.parameters, tuned.seconds) == (111, 2.0)


def test_published_results_are_of_the_same_images(make: Make) -> None:
    assert tradeoff.published(read(make, {"dense": []}, name="own")) == ()
    mnist = read(make, {"dense": []}, dataset="mnist")
    (keras_io,) = [each for each in tradeoff.published(mnist) if each.parameters == 34_826]
    assert (keras_io.accuracy, keras_io.n) == (0.9922, "one run")


def sized(*rows: tuple[float, int, int | None]) -> list[Any]:
    """Complete trials by value, parameters and multiply-adds."""
    return [
        (COMPLETE, value, trial_record(parameters=parameters, multiply_adds=multiply_adds,
                                       history={"val_accuracy": [value]}))
        for value, parameters, multiply_adds in rows
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=12), st.booleans())
@settings(max_examples=30)
def test_what_lies_on_the_frontier_is_what_no_other_trial_equals(rows: list[tuple[int, int]], maximize: bool) -> None:
    trials = [
        create_trial(value=value / 10, user_attrs={RECORD: trial_record(parameters=size).to_json()})
        for value, size in rows
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    objective = Objective() if maximize else Objective.of("val_loss")
    space = SpaceResults("dense", trials, objective, None, {})
    found = {each.trial for each in frontier.info(space)["parameters"]}
    ranks = [(objective.rank(value / 10), size) for value, size in rows]
    for number, (rank, size) in enumerate(ranks):
        equals = [
            other for other, (its, smaller) in enumerate(ranks)
            if its <= rank and smaller <= size and ((its, smaller) != (rank, size) or other < number)
        ]  # fmt: skip
        assert (number in found) is not equals
    assert frontier.info(space)["multiply_adds"] == []


def test_a_smaller_trial_that_is_as_good_is_named(make: Make) -> None:
    """One standard error of 0.99, of 1,000 images, is 0.0031."""
    rows = sized((0.986, 100, None), (0.988, 200, 9), (0.99, 400, 8), (0.985, 300, 7))
    rows.append((PRUNED, 0.995, trial_record(parameters=50, history={"val_accuracy": [0.995]})))
    parts = {"x_train": "5000x8x8x1 uint8 0123", "validation": "1000 int64 0123"}
    results = dataclasses.replace(read(make, {"dense": rows}), fingerprint={"details": {"data": parts}})
    (space,) = results.spaces
    assert [each.trial for each in frontier.info(space)["parameters"]] == [0, 1, 2]
    assert [each.trial for each in frontier.info(space)["multiply_adds"]] == [3, 2]
    (card,) = frontier.cards(results, space)
    assert "Trial 1, with 200 parameters instead of 400, lies within one standard error" in card.caption
    assert len(card.figures) == 2


def test_the_trial_table_has_every_trial(make: Make) -> None:
    rows = [*TRIALS, (FAIL, None, trial_record(error="no luck", best_epoch=None)), (RUNNING, None, None)]
    found = trial_table.info(space_of(make, rows))
    assert [row.state for row in found] == ["complete", "complete", "pruned", "failed", "running"]
    assert found[3].error == "no luck"
    assert found[4].epochs is None


def test_provenance(make: Make) -> None:
    results = read(make, {"dense": TRIALS}, tuned_and_baseline([1], [2]), seed=7, timeout=90.0, manual_dir="/x")
    found = provenance.info(results)
    assert found["definition"]["seed"] == 7
    assert "manual_dir" not in found["definition"]
    assert found["resources"]["manual_dir"] == "/x"
    assert found["environment"] == {"keras": "3"}
    assert found["fingerprints"]["data"] == "abc"
    assert found["test_evaluations"] == 2
    assert found["commands"] == {
        "start": "study run made --space dense --seed 7 --workers 1 --timeout 90",
        "resume": f"study resume made --home {results.study.store.home}",
        "report": f"study report made --home {results.study.store.home}",
    }
    study, machine = (dict(card.rows) for card in provenance.cards(results))
    assert (study["seed"], study["fingerprint (SHA-256): data"]) == ("7", "abc")
    assert (machine["manual_dir"], machine["memory_limit"], machine["keras"]) == ("/x", "–", "3")


def test_every_panel_says_something_about_a_study_that_has_hardly_begun(make: Make) -> None:
    results = read(make, {"dense": []})
    for panel in (history, importances, slices, parallel, pair, frontier, learning_curves, timeline):
        for card in panel.cards(results, results.spaces[0]):
            assert card.caption
            assert not card.figures
