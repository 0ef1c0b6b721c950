"""Logs for TensorBoard."""

from pathlib import Path

import pytest
import tensorflow as tf
from helpers import Command
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import study

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "2", "--quiet")


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
