"""Finalists x seeds on the test set."""

import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
from helpers import Command, opened, trained

from study.config import FINALS
from study.records import FinalRecord, unpacked
from study.storage import results
from study.storage.predictions import misread_images

RUN = ("--space", "tiny:Tiny", "--space", "tiny:TinyOther", "--trials", "3", "--epochs", "3", "--seed", "4")
"""Tuning finds something better than the baseline of the first space alone: there are three finalists."""


def stored(home: Path, name: str) -> list[FinalRecord]:
    return results.finals(opened(home, name))


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study with one seed of its finals, beside its data."""
    return trained(tmp_path_factory.mktemp("one-seed"), *RUN, "--seeds", "1")


@pytest.fixture
def searched(home: Path, one_seed: Path) -> Path:
    """A copy of that home."""
    shutil.copytree(one_seed, home)
    return home


def test_finals_of_a_study(command: Command, searched: Path, one_seed: Path) -> None:
    home, before = searched, stored(searched, "a")
    assert [final.seed_index for final in before] == [0, 0, 0]
    code, output, _ = command("resume", "a", "--seeds", "3")
    assert code == 0
    finals = stored(home, "a")
    assert finals[: len(before)] == before  # more seeds are added to those that are done
    assert [final.seed_index for final in finals] == [0, 0, 0, 1, 1, 1, 2, 2, 2]  # seed by seed
    assert len(finals) == len({(final.finalist, final.seed_index) for final in finals}) == 9
    assert {(final.space, final.role) for final in finals} == {
        ("tiny:Tiny", "baseline"), ("tiny:Tiny", "tuned"), ("tiny:TinyOther", "baseline"),
    }  # fmt: skip
    seeds, missed = {final.seed_index: final.seed for final in finals}, set[int]()
    misread = misread_images(home / "a")
    assert all(final.seed == seeds[final.seed_index] for final in finals)  # paired
    assert seeds[0] != seeds[1]
    for final in finals:
        # The baseline trains for its published epochs, the winner for its best epoch count.
        if final.role == "baseline":
            assert (final.trial, final.epochs) == (0, 2)
        confusion = np.array(final.confusion)
        assert confusion.sum() == final.test_images == 45
        assert confusion.sum() - confusion.trace() == final.errors
        assert "val_accuracy" in final.history  # a space of one's own may read it
        with np.load(home / "a" / final.predictions) as kept:
            assert kept["probabilities"].shape == (45, 3)
            wrong = np.flatnonzero(kept["probabilities"].argmax(axis=1) != kept["labels"])
            assert kept["misread"].tolist() == wrong.tolist()
            assert set(wrong.tolist()) <= misread.keys()
            missed |= set(wrong.tolist())
            true = kept["probabilities"][np.arange(45), kept["labels"]]
            right = kept["probabilities"].argmax(axis=1) == kept["labels"]
            assert unpacked(final.correct, 45).tolist() == right.tolist()
        assert final.loss == pytest.approx(-np.log(true).mean(), rel=1e-3)
    with np.load(one_seed.parent / "tiny.npz") as given:
        assert {index: image.tolist() for index, image in misread.items()} == {
            index: given["x_test"][index].tolist() for index in missed
        }
    for name in ("tiny:Tiny tuned", "tiny:TinyOther baseline"):
        assert name in output


def test_a_final_that_is_lost_is_made_again_as_it_was(command: Command, searched: Path) -> None:
    study = opened(searched, "a")
    before, attributes = stored(searched, "a"), study.part(FINALS).user_attrs
    optuna.delete_study(study_name="a/finals", storage=study.store.storage)
    empty = optuna.create_study(study_name="a/finals", storage=study.store.storage, direction="maximize")
    for key, value in attributes.items():
        empty.set_user_attr(key, value)
    code, output, _ = command("evaluate", "a")
    assert code == 0
    assert output.count("final  ") == 3
    for old, new in zip(before, stored(searched, "a"), strict=True):
        assert (old.finalist, old.errors, old.loss, old.confusion) == (
            new.finalist, new.errors, new.loss, new.confusion,
        )  # fmt: skip
    assert command("evaluate", "a")[1].count("final  ") == 0


def test_a_final_that_fails_does_not_keep_the_others_from_being_made(
    command: Command, home: Path, archive: Path
) -> None:
    code, output, error = command(
        "run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:FailingFinals", "--space", "tiny:TinyOther",
        "--trials", "1", "--epochs", "1", "--seeds", "1",
    )  # fmt: skip
    assert code == 1
    assert "of the finals failed (tiny:FailingFinals baseline, seed 0: RuntimeError: more than 80 images)" in error
    assert "'study evaluate a' tries again" in error
    assert error.count("\n") == 1
    assert {final.space for final in stored(home, "a")} == {"tiny:TinyOther"}
    assert (home / "a" / "report.html").is_file()
    assert "tiny:TinyOther baseline" in output


def test_a_space_that_demands_validation_data_reaches_its_finals(command: Command, home: Path, archive: Path) -> None:
    code, _, error = command(
        "run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Demanding", "--trials", "1", "--epochs", "1",
        "--seeds", "1",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert len(stored(home, "a")) == 1  # the only trial is the baseline
