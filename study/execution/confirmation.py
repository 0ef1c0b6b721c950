"""The confirmation of the winners: the best trials of each space, and its baseline, are trained again with fresh seeds.

The value of a search's best trial is the luckiest of many. Trained again on the same images, with seeds that nothing
was chosen by, the candidates are compared on the validation set once more: the mean decides who wins, and how many
epochs its finals train (`selection`).
"""

from optuna.trial import TrialState

from study.config import CONFIRMATION, CONFIRMATION_SEEDS
from study.errors import StudyError
from study.execution.finalists import candidates
from study.execution.loop import Job, Outcome, run_all
from study.execution.planned import Planned, PlannedAttempt, Target
from study.execution.session import Session
from study.records import RECORD, ConfirmationRecord, finite
from study.system import environment
from study.system.progress import PhaseStarted
from study.training.checkpoints import CheckpointFile
from study.training.model_state import parameters


def confirm(session: Session) -> None:
    """Train the candidates of every space again; returns when no other process does either.

    Raises:
        Interrupted: by a signal; the run under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another one continues.
    """
    runs = ConfirmationRuns(session)
    done, total, share = runs.counts()
    if total:
        session.growth.forget()
        session.display.show(PhaseStarted(CONFIRMATION, done, total, share=share))
        run_all(session, [runs])


class ConfirmationRuns(Planned):
    """The confirmation runs of a study, as its searches stand."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, CONFIRMATION)
        self.candidates = candidates(session)

    def plan(self) -> list[Target]:
        return [Target(candidate, index) for index in range(CONFIRMATION_SEEDS) for candidate in self.candidates]

    def attempt(self, job: Job[Target]) -> "ConfirmationAttempt":
        return ConfirmationAttempt(self, job)


class ConfirmationAttempt(PlannedAttempt):
    """A claimed confirmation run."""

    def run(self, checkpoint: CheckpointFile) -> Outcome:
        session, candidate = self._session, self._target.configuration
        model = self._train(session.examples, checkpoint)
        record = ConfirmationRecord(
            space=candidate.space,
            trial=candidate.trial,
            values=candidate.record.values,
            seed_index=self._target.seed_index,
            seed=self.seed,
            epochs=self._log.epochs,
            curve=self._curve(),
            returned=session.definition.objective.name in self._log.result,
            parameters=parameters(model),
            seconds=self._seconds(),
            history=self._log.history,
            worker=session.worker,
            device=environment.device(),
        )
        objective = session.definition.objective
        best = objective.best(value for value in record.curve if value is not None)
        if best is None:
            raise StudyError(f"{objective.name} is not a number in any epoch")
        line = f"{self._target}  {objective.name} {best:.4f}  {record.seconds:.1f} s"
        return Outcome(TrialState.COMPLETE, value=best, attributes={RECORD: record.to_json()}, line=line)

    def _curve(self) -> list[float | None]:
        objective, log = self._session.definition.objective.name, self._log
        if objective in log.result:
            return [finite(log.result[objective])]
        curve = log.history.get(objective, [])
        # A final of a published baseline trains all of its epochs, whichever is the best.
        first = log.epochs if self._target.configuration.is_published else log.first
        return curve[first - 1 :]
