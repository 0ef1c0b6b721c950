"""What the installed Optuna must have and do."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import create_trial

from study.system import optuna_private as private
from study.system.optuna_private import FilteredStudy

SINGLE_METHODS = (
    "create_new_study", "delete_study", "_create_new_trial", "set_trial_state_values", "record_heartbeat",
    "_get_stale_trial_ids", "get_heartbeat_interval", "get_heartbeat_stale_trial_callback",
)  # fmt: skip
"""The others that it calls: they create or end something, which must not happen twice, or concern heartbeats."""
VERSION = f"optuna {optuna.__version__}: "


def check() -> list[str]:
    """What the installed version of Optuna lacks or does differently: one line each, none if all is well."""
    found = [
        f"RDBStorage.{name} is missing" for name in (*private.PATIENT_METHODS, *SINGLE_METHODS) if not _defines(name)
    ]
    found += [*_check_backend(), *_check_filter()]
    return [f"optuna {optuna.__version__}: {each}" for each in found]


def _defines(method: str) -> bool:
    """Whether Optuna's database implements a method, rather than inheriting its declaration."""
    return any(method in vars(owner) for owner in RDBStorage.__mro__ if not inspect.isabstract(owner))


def _check_backend() -> list[str]:
    cached = getattr(optuna.storages, "_CachedStorage", None)
    if cached is None:
        return ["storages._CachedStorage is missing"]
    tree = ast.parse(textwrap.dedent(inspect.getsource(cached)))
    called = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_backend"
    }
    if not called:
        return ["storages._CachedStorage._backend is missing"]
    unknown = sorted(called - {*private.PATIENT_METHODS, *SINGLE_METHODS})
    return [f"RDBStorage.{name} is called by Optuna and is neither patient nor single" for name in unknown]


def _check_filter() -> list[str]:
    storage = InMemoryStorage()
    storage.create_new_study([StudyDirection.MINIMIZE], "check")
    study = optuna.Study("check", storage)
    if missing := [name for name in private.READABLE if name.startswith("_") and not hasattr(study, name)]:
        return [f"Study.{name} is missing" for name in missing]
    study.add_trials([optuna.trial.create_trial(value=float(number)) for number in range(2)])
    view = FilteredStudy(study, lambda number: number == 0)
    shown = {
        "Study.get_trials": view.get_trials(),
        "Study.trials": view.trials,
        "Study._get_trials": view._get_trials(use_cache=True),
    }
    return [f"{name} shows hidden trials" for name, trials in shown.items() if [each.number for each in trials] != [0]]


def even(number: int) -> bool:
    return number % 2 == 0


def study_of(trials: int) -> optuna.Study:
    study = optuna.create_study(sampler=TPESampler(seed=0))
    study.add_trials([create_trial(value=float(number)) for number in range(trials)])
    return study


def test_the_installed_version_has_what_the_study_uses() -> None:
    assert check() == []


@pytest.mark.parametrize("name", [*private.PATIENT_METHODS, *SINGLE_METHODS])
def test_a_method_that_the_database_has_no_longer_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RDBStorage, name)
    assert check() == [f"{VERSION}RDBStorage.{name} is missing"]


@pytest.mark.parametrize(
    ("owner", "name", "named"),
    [
        (optuna.Study, "_get_trials", "Study._get_trials"),
        (optuna.Study, "_is_multi_objective", "Study._is_multi_objective"),
        (optuna.storages, "_CachedStorage", "storages._CachedStorage"),
    ],
)
def test_a_missing_name_is_named(owner: Any, name: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(owner, name)
    assert check() == [f"{VERSION}{named} is missing"]


@pytest.mark.parametrize("name", ["_storage", "_study_id", "_directions", "_thread_local"])
def test_a_missing_part_of_a_study_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    init: Callable[..., None] = optuna.Study.__init__

    def without(self: optuna.Study, *args: Any) -> None:
        init(self, *args)
        del self.__dict__[name]

    monkeypatch.setattr(optuna.Study, "__init__", without)
    assert check() == [f"{VERSION}Study.{name} is missing"]


def test_a_new_way_to_the_trials_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def around(self: Any, deepcopy: bool = True, states: Any = None) -> Any:
        return self._storage.get_all_trials(self._study_id, deepcopy, states)

    monkeypatch.setattr(optuna.Study, "get_trials", around)
    assert check() == [f"{VERSION}Study.{name} shows hidden trials" for name in ("get_trials", "trials")]


def test_a_new_method_of_the_database_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class CachedStorage:
        def new(self) -> Any:
            return self._backend.get_novelty()  # type: ignore[attr-defined]

    monkeypatch.setattr(optuna.storages, "_CachedStorage", CachedStorage)
    (complaint,) = check()
    assert complaint.startswith(f"{VERSION}RDBStorage.get_novelty is called by Optuna")


def test_a_filtered_study_shows_its_trials_in_every_way() -> None:
    study = study_of(5)
    view = FilteredStudy(study, even)
    for trials in (view.trials, view.get_trials(deepcopy=False), view._get_trials(use_cache=True)):
        assert [trial.number for trial in trials] == [0, 2, 4]
    assert [trial.number for trial in study.trials] == [0, 1, 2, 3, 4]
    assert isinstance(view, optuna.Study)


def test_a_filtered_study_shares_the_cache_of_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(3)
    reads: list[int] = []
    get_all_trials = InMemoryStorage.get_all_trials

    def counted(self: InMemoryStorage, study_id: int, *args: Any, **kwargs: Any) -> Any:
        reads.append(study_id)
        return get_all_trials(self, study_id, *args, **kwargs)

    study.ask()  # it clears the cache
    monkeypatch.setattr(InMemoryStorage, "get_all_trials", counted)
    for _ in range(3):
        assert len(FilteredStudy(study, even)._get_trials(deepcopy=False, use_cache=True)) == 2
        assert len(study._get_trials(deepcopy=False, use_cache=True)) == 4
    assert len(reads) == 1


@pytest.mark.parametrize("name", ["best_trial", "best_value", "user_attrs", "ask", "_get_best_trial"])
def test_what_could_come_from_hidden_trials_cannot_be_read(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(FilteredStudy(study_of(2), even), name)
