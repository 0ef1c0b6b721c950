"""Notes that Optuna's dashboard shows beside a study: what it is, and what came of it."""

import optuna_dashboard

from study.config import FINALS
from study.storage.store import StoredStudy


def write(study: StoredStudy, verdict: str) -> None:
    """Give each Optuna study of a study its note; `verdict` is the report's sentence."""
    what = study.definition
    dataset = what.dataset_name.replace("`", "'")
    about = f"`{dataset}`, {what.trials} trials of at most {what.epochs} epochs, `{what.objective.name}`"
    how = f"sampler `{what.sampler}`, pruner `{what.pruner}`, seed {what.seed}"
    hint = f"`study report {study.name}` writes the report; a trial's `record` has its values, history and error."
    for part in what.parts:
        text = f"{verdict}\n\n{hint}" if part == FINALS else f"{about}; {how}.\n\n{hint}"
        optuna_dashboard.save_note(study.part(part), text)
