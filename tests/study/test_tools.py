"""What a study leaves for the tools that people have: artifacts, TensorBoard's logs, MLflow's runs."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import tensorflow as tf
from helpers import Command
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import study
from study import extras
from study import storage as storage_room
from study.artifacts import CELL, MARGIN, confusion_picture

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "2", "--quiet")


def test_finals_keep_predictions_picture_and_the_best_model(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    found = study.load("a")
    finals = storage_room.load(found.storage, "a/finals")
    models = []
    for trial in finals.trials:
        kept = {meta.filename: meta for meta in get_all_artifact_meta(trial, storage=found.storage)}
        models += [name for name in kept if name.endswith(".keras")]
        (predictions,) = (name for name in kept if name.endswith(".npz"))
        assert kept["confusion.png"].mimetype == "image/png"
        assert len(kept) == len(set(kept)) <= 3
        store = FileSystemArtifactStore(home / "artifacts")
        copy = home / "copy"
        download_artifact(artifact_store=store, file_path=str(copy), artifact_id=kept[predictions].artifact_id)
        assert copy.read_bytes() == (home / "a" / "predictions" / predictions).read_bytes()
        copy.unlink()
    assert 1 <= len(models) <= 2  # the winner's, whenever a seed was better than those before it


def test_the_picture_of_a_confusion_matrix() -> None:
    picture = np.asarray(confusion_picture([[9, 1], [0, 10], [5, 5]]))
    assert picture.shape == (MARGIN + 3 * CELL, MARGIN + 2 * CELL, 3)

    def shade(row: int, column: int) -> int:
        return int(picture[MARGIN + row * CELL + 3, MARGIN + column * CELL + 3, 0])

    shades = [[shade(row, column) for column in range(2)] for row in range(3)]
    assert np.abs(np.array(shades) - [[26, 230], [255, 0], [128, 128]]).max() <= 1
    Image.fromarray(picture).verify()


def test_logs_for_tensorboard(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--pruner", "none", "--tensorboard", "logs")[0] == 0
    for row in study.load("a").trials.to_dict("records"):
        folder = Path("logs") / "a" / "tiny-Tiny" / f"trial-{row['number']}"
        logs = EventAccumulator(str(folder / "validation")).Reload()
        accuracy = [
            (event.step, float(tf.make_ndarray(event.tensor_proto))) for event in logs.Tensors("epoch_accuracy")
        ]
        assert [step for step, _ in accuracy] == [0, 1]
        assert max(value for _, value in accuracy) == pytest.approx(row["value"])
        assert EventAccumulator(str(folder / "train")).Reload().Tensors("epoch_loss")
        told = HParamsPluginData.FromString(logs.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
        assert told.session_start_info.hparams["rate"].number_value == pytest.approx(row["hp.rate"])
        assert told.session_start_info.hparams["batch_size"].number_value == row["hp.batch_size"]


def test_runs_for_mlflow(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    uri = f"sqlite:///{home}/mlflow.db"
    assert command("export", "a", "--to", "mlflow", "-o", uri) == (0, f"7 new runs: {uri}\n", "")
    assert command("export", "a", "--to", "mlflow", "-o", uri) == (0, f"0 new runs: {uri}\n", "")
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = study.load("a")

    def runs(name: str) -> dict[str, mlflow.entities.Run]:
        experiment = client.get_experiment_by_name(name)
        return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}

    trials = runs("a/tiny:Tiny")
    for row in found.trials.to_dict("records"):
        run = trials[f"trial {row['number']}"]
        assert run.data.params["rate"] == str(row["hp.rate"])
        history = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [metric.step for metric in history] == list(range(1, int(row["epochs"]) + 1))
        if row["state"] == "complete":
            assert run.info.status == "FINISHED"
            assert run.data.metrics["best_val_accuracy"] == row["value"]
    tested = found.finals[(found.finals.role == "tuned") & (found.finals.seed_index == 1)]
    assert runs("a/finals")["tiny:Tiny tuned, seed 1"].data.metrics["test_accuracy"] == tested.test_accuracy.item()


@pytest.mark.parametrize(
    "words, package",
    [
        (("run", "a", "--tensorboard", "logs"), "tensorboard"),
        (("run", "a", "--sampler", "gp"), "torch"),
        (("export", "a", "--to", "mlflow"), "mlflow"),
    ],
)
def test_what_is_not_installed_is_named(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], package: str
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    code, _, error = command(*words)
    assert code == 2
    assert f"needs {package}: pip install 'keras-study[" in error
    assert not home.exists()
