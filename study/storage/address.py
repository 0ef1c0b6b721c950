"""Where studies are kept: a home for their files, and a database's URL."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from study.errors import StudyError
from study.paths import ARTIFACTS, CHECKPOINTS, DATABASE, MODELS, PREDICTIONS, whole
from study.storage import postgresql, sqlite
from study.storage.database import shown
from study.system import extras, rights
from study.system.files import is_local, remove, write_whole


@dataclass(frozen=True)
class Address:
    """Where studies are kept. It can be sent to other processes; nothing is opened."""

    home: Path
    """The folder of the studies' folders, or a place in an object store."""
    url: URL
    """Of the database."""

    @classmethod
    def of(cls, home: Path, storage: str | None = None) -> Self:
        """The database `storage` where one is given, `HOME/study.db` otherwise.

        Raises:
            StudyError: a URL that cannot be read or used.
        """
        home = whole(home) if is_local(home) else home
        if storage is not None:
            return cls(home, parse(storage))
        if not is_local(home):
            raise StudyError(f"the object store {home} holds no database; give --storage too")
        return cls(home, URL.create("sqlite", database=str(home / DATABASE)))

    @property
    def is_default(self) -> bool:
        """Whether the database is the home's own."""
        return is_local(self.home) and self.url == Address.of(self.home).url

    @property
    def shown(self) -> str:
        """The URL as it may be printed and stored: without its passwords."""
        url = self.url
        if url.drivername == postgresql.DRIVER:
            url = url.set(drivername="postgresql")
        return shown(url)

    @property
    def serves_many_hosts(self) -> bool:
        """Whether processes of several machines can share the database."""
        return self.url.get_backend_name() == "postgresql"

    def check_writable(self, name: str) -> None:
        """Refuse places that cannot be created or written, before anything is begun.

        Args:
            name: Of the study.

        Raises:
            StudyError: naming what is in the way.
        """
        file = sqlite.file_of(self.url)
        if is_local(self.home):
            own = [self.home / name / part for part in ("", CHECKPOINTS, MODELS, PREDICTIONS)]
            for folder in (self.home, *own, self.home / ARTIFACTS):
                self._refuse(rights.obstacle(folder, is_folder=True))
        else:
            probe = self.home / name / "probe"
            try:
                write_whole(probe, lambda draft: draft.write_bytes(b""))
                remove(probe)
            except OSError as error:
                raise StudyError(
                    f"the home {self.home} cannot be written: {error.strerror}; give another --home"
                ) from None
        if file is None:
            return
        if not self.is_default and not file.absolute().parent.is_dir():
            raise StudyError(f"there is no folder {file.absolute().parent} for the database; create it")
        for needed in sqlite.files_of(file, name):
            self._refuse(rights.obstacle(needed))

    def _refuse(self, obstacle: str | None) -> None:
        if obstacle is not None:
            raise StudyError(
                f"the home {self.home} cannot be written ({obstacle}); make it writable or give another --home"
            )


def has_password(storage: str) -> bool:
    """Whether a PostgreSQL URL has a password, among its parameters too; False for one that cannot be read."""
    try:
        url = make_url(storage)
    except (ArgumentError, ValueError):
        return False
    return url.get_backend_name() in postgresql.NAMES and bool(url.password or url.query.get("password"))


def parse(storage: str) -> URL:
    """A database's URL, with the driver that is used.

    Raises:
        StudyError: one that cannot be read, or whose driver is not installed.
    """
    try:
        url = make_url(storage)
    except (ArgumentError, ValueError):
        raise StudyError(
            "--storage is a database URL such as sqlite:///runs/study.db; the one given cannot be read"
        ) from None
    if url.get_backend_name() in postgresql.NAMES:
        extras.check("--storage postgresql")
        return postgresql.normalized(url)
    if (file := sqlite.file_of(url)) is not None and not str(file).startswith("file:"):
        return url.set(database=str(whole(file)))
    return url
