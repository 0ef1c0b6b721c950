"""Deletes a study with all that is kept of it."""

from study.errors import StudyError
from study.integrations import artifacts
from study.storage import results
from study.storage.store import StoredStudy, creation_lock, shrink
from study.system.files import remove_folder


def delete(study: StoredStudy) -> int:
    """Delete a study's artifacts, its folder and its trials; return how many bytes they took. A deletion that is
    interrupted is finished by the next one.

    Raises:
        StudyError: a process trains it.
    """
    bytes_before: int = results.progress(study)["bytes"]

    def remove() -> None:
        if results.is_trained(study):
            raise StudyError(f"{study.name!r} is running; stop it first (Ctrl-C where it runs), then delete it")
        artifacts.remove(study)
        remove_folder(study.folder)
        with creation_lock(study.store.address):
            study.store.delete_study(study.name)

    study.exclusively(remove)
    shrink(study.store.address)
    return bytes_before
