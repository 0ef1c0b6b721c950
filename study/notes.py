"""Notes that Optuna's dashboard shows beside a study: what it is, and what came of it."""

import optuna_dashboard
from optuna.storages import BaseStorage

from study import storage as storage_room
from study.config import StudyConfig


def write(storage: BaseStorage, config: StudyConfig, verdict: str) -> None:
    """Give each Optuna study of the definition its note.

    Args:
        storage: Where the study is stored.
        config: What it is.
        verdict: The report's sentence.
    """
    dataset = config.dataset_name.replace("`", "'")
    about = f"`{dataset}`, {config.trials} trials of at most {config.epochs} epochs, `{config.objective}`"
    how = f"sampler `{config.sampler}`, pruner `{config.pruner}`, seed {config.seed}"
    hint = f"`study report {config.name}` writes the report; a trial's `record` has its values, history and error."
    for name in config.study_names:
        text = f"{verdict}\n\n{hint}" if name == config.finals_name else f"{about}; {how}.\n\n{hint}"
        optuna_dashboard.save_note(storage_room.load(storage, name), text)
