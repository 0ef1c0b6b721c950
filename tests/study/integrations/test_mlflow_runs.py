"""A study as MLflow's runs."""

from pathlib import Path

import finals
import mlflow
from helpers import Command

import study

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "2", "--quiet")


def test_runs_for_mlflow(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    uri = f"sqlite:///{home}/mlflow.db"
    assert command("export", "a", "--to", "mlflow", "-o", uri) == (0, f"5 new runs: {uri}\n", "")
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
    tested = found.finals[found.finals.seed_index == 1]
    assert runs("a/finals")["tiny:Tiny baseline, seed 1"].data.metrics["test_accuracy"] == tested.test_accuracy.item()


def test_finals_of_a_tuner_have_what_evaluate_returned(command: Command, home: Path) -> None:
    kind = finals.regression()
    tested = finals.searched(home, kind, max_trials=1).finals(*kind.test, seeds=1, verbose=0)
    uri = f"sqlite:///{home}/mlflow.db"
    assert command("export", "any", "--to", "mlflow", "-o", uri) == (0, f"2 new runs: {uri}\n", "")
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("any/finals").experiment_id])
    assert run.info.run_name == "build baseline, seed 0"
    assert run.data.metrics["test_mae"] == tested.mae.item()


def test_a_run_that_mlflow_refuses_costs_no_other(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "spare:Wordy", "--dataset", f"npz:{archive}", *RUN, "--seeds", "1", "--sampler", "random")
    assert command("run", "a", *words, "--trials", "4", "--pruner", "none")[0] == 0
    uri = f"sqlite:///{home}/mlflow.db"
    long = study.load("a").trials["hp.kind"] == "long"
    assert 0 < long.sum() < 4
    code, output, error = command("export", "a", "--to", "mlflow", "-o", uri)
    assert (code, output) == (1, "")
    assert error.count("\n") == 1
    assert f"refused {long.sum()}, the first of them spare:Wordy trial {long.idxmax()}: MlflowException" in error
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("a/spare:Wordy").experiment_id
    finished = [run for run in client.search_runs([experiment]) if run.info.status == "FINISHED"]
    assert len(finished) == 4 - long.sum()


def test_a_server_that_is_no_mlflow_is_said_in_a_line(command: Command, finished: Path, archive: Path) -> None:
    code, output, error = command("export", "a", "--to", "mlflow", "-o", f"file://{archive}/runs")
    assert (code, output) == (2, "")
    assert error.count("\n") == 1
    assert "cannot be used: " in error
