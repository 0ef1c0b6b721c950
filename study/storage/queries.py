"""What the database is asked in SQL, where Optuna would read every trial of a study.

The tables are those of Optuna's schema `database.SCHEMA`; another schema is never opened.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, DateTime, Integer, String, text

from study.objective import Direction
from study.records import OWNER, RECORD, is_excluded
from study.storage.store import UNFINISHED, Store

FINISHED = "state IN ('COMPLETE', 'PRUNED', 'FAIL')"
STUDY = "study_id = (SELECT study_id FROM studies WHERE study_name = :name)"


@dataclass(frozen=True)
class Running:
    """A running trial."""

    number: int
    trial_id: int
    owner: dict[str, Any]
    """Its user attribute `OWNER`; empty where it has none."""


@dataclass(frozen=True)
class UnderWay:
    """What must be known of an Optuna study to claim one of its trials."""

    begun: int
    """Trials that have ended or are running, without the enqueued ones that wait."""
    running: list[Running]
    """By number."""
    waiting: list[int]
    """Enqueued trials, by their identifiers in the storage."""
    ended_below: int
    """Every trial with a smaller number has ended."""
    is_there: bool = True
    """Whether the Optuna study is, at all."""

    @property
    def finished(self) -> int:
        """Trials that have ended."""
        return self.begun - len(self.running)


class Times(NamedTuple):
    """When a trial began and ended, UTC; None before it has."""

    began: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class Overview:
    """An Optuna study in numbers."""

    counts: dict[str, int]
    """Trials by the name of their state."""
    excluded: int
    """Pruned ones whose model was too large to be trained."""
    best: tuple[int, float] | None
    """Number and value of the best complete trial that has a record, the earliest of equals."""
    owners: list[dict[str, Any]]
    """The owner attribute of each running trial; empty where it has none."""
    last_failure: dict[str, Any] | None
    """The record of the last failed trial."""


def under_way(store: Store, study_name: str) -> UnderWay:
    """The running trials of an Optuna study, and how many there are in all: one statement, so one moment."""
    newest = (
        f"SELECT max(number) AS newest, (SELECT count(*) FROM studies WHERE study_name = :name) AS studies "
        f"FROM trials WHERE {STUDY}"
    )
    unfinished = (
        "SELECT state, number, trials.trial_id, value_json FROM trials LEFT JOIN trial_user_attributes a "
        f"ON a.trial_id = trials.trial_id AND a.key = :owner WHERE {STUDY} AND {UNFINISHED}"
    )
    asked = text(f"SELECT * FROM ({newest}) n LEFT JOIN ({unfinished}) u ON 1 = 1 ORDER BY number")

    def read(connection: Connection) -> UnderWay:
        rows = connection.execute(asked, {"name": study_name, "owner": OWNER}).all()
        total = 0 if rows[0].newest is None else rows[0].newest + 1
        running = [
            Running(row.number, row.trial_id, json.loads(row.value_json or "{}"))
            for row in rows
            if row.state == "RUNNING"
        ]
        waiting = [row.trial_id for row in rows if row.state == "WAITING"]
        first = rows[0].number
        ended_below = total if first is None else first
        return UnderWay(total - len(waiting), running, waiting, ended_below, is_there=rows[0].studies > 0)

    return store.ask(read)


def times(store: Store, study_name: str, number: int | None = None) -> dict[int, Times]:
    """When the trials of an Optuna study, or the one of a number, began and ended, by number.

    Optuna stores UTC, and returns local time without its zone: it is another time in another zone, and in the hour that
    comes twice when daylight saving time ends it is taken for the earlier one.
    """
    condition = "" if number is None else "AND number = :number"
    asked = text(f"SELECT number, datetime_start, datetime_complete FROM trials WHERE {STUDY} {condition}").columns(
        number=Integer, datetime_start=DateTime, datetime_complete=DateTime
    )
    rows = store.ask(lambda connection: connection.execute(asked, {"name": study_name, "number": number}).all())
    return {row[0]: Times(*(time and time.replace(tzinfo=UTC) for time in row[1:])) for row in rows}


def last_ended(store: Store, study_name: str, most: int) -> list[tuple[str, float]]:
    """The state of the finished trials with the largest numbers, and when they ended, seconds since 1970."""
    ended = text(
        f"SELECT state, datetime_complete FROM trials WHERE {STUDY} AND {FINISHED} ORDER BY number DESC LIMIT :most"
    ).columns(state=String, datetime_complete=DateTime)
    rows = store.ask(lambda connection: connection.execute(ended, {"name": study_name, "most": most}).all())
    return [(state, ended.replace(tzinfo=UTC).timestamp() if ended else 0.0) for state, ended in rows]


def overview(store: Store, study_name: str, direction: Direction) -> Overview:
    """An Optuna study in numbers: as objects Optuna reads 1,000 trials in a third of a second."""
    attribute = "LEFT JOIN trial_user_attributes a ON a.trial_id = trials.trial_id AND a.key ="
    asked = {
        "counts": f"SELECT state, COUNT(*) FROM trials WHERE {STUDY} GROUP BY state",
        "owners": f"SELECT value_json FROM trials {attribute} :owner WHERE {STUDY} AND state = 'RUNNING'",
        "failures": f"SELECT value_json FROM trials {attribute} :record WHERE {STUDY} AND state = 'FAIL' "
        "ORDER BY number DESC LIMIT 1",
        "too large": f"SELECT value_json FROM trials {attribute} :record WHERE {STUDY} AND state = 'PRUNED' "
        "AND value_json NOT LIKE :fits",
    }
    given = {"name": study_name, "record": RECORD, "owner": OWNER, "fits": '%"exceeds": ""%'}
    rows = store.ask(lambda connection: {
        what: connection.execute(text(sql), given).all() for what, sql in asked.items()
    })  # fmt: skip
    failure = next((value for (value,) in rows["failures"]), None)
    return Overview(
        counts=dict(map(tuple, rows["counts"])),
        excluded=sum(is_excluded({RECORD: json.loads(value)}) for (value,) in rows["too large"]),
        best=best(store, study_name, direction),
        owners=[json.loads(value or "{}") for (value,) in rows["owners"]],
        last_failure=json.loads(failure) if failure else None,
    )


def best(store: Store, study_name: str, direction: Direction, first: int = 0) -> tuple[int, float] | None:
    """Number and value of the best complete trial that has a record, the earliest of equals, from number `first` on."""
    order = "DESC" if direction == "maximize" else "ASC"
    found = text(
        "SELECT number, value FROM trials JOIN trial_values v ON v.trial_id = trials.trial_id "
        f"JOIN trial_user_attributes a ON a.trial_id = trials.trial_id AND a.key = :record WHERE {STUDY} "
        f"AND number >= :first AND state = 'COMPLETE' AND value_type = 'FINITE' ORDER BY value {order}, number LIMIT 1"
    )
    given = {"name": study_name, "record": RECORD, "first": first}
    row = store.ask(lambda connection: connection.execute(found, given).first())
    return None if row is None else (row[0], row[1])


SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}
"""What asks a database of that kind for its size in bytes."""


def share(store: Store, study_names: list[str]) -> int:
    """The bytes of a database that some Optuna studies take, by the number of their trials; 0 where its kind is not
    known."""
    counted = text("SELECT study_name, COUNT(*) FROM trials JOIN studies USING (study_id) GROUP BY study_name")

    def ask(connection: Connection) -> int:
        if (size := SIZES.get(connection.dialect.name)) is None:
            return 0
        trials: dict[str, int] = dict(map(tuple, connection.execute(counted).all()))
        own = sum(trials.get(name, 0) for name in study_names)
        total: int = connection.execute(text(size)).scalar_one()
        return round(total * own / max(sum(trials.values()), 1))

    return store.ask(ask)


def replace_attribute(store: Store, trial_id: int, key: str, old: str, new: str) -> bool:
    """Replace one JSON text by another as a user attribute of a trial: compare and swap.

    Returns:
        Whether the old one, or already the new one, was there.
    """
    change = text(
        "UPDATE trial_user_attributes SET value_json = :new "
        "WHERE trial_id = :trial AND key = :key AND value_json IN (:old, :new)"
    )

    def replace(connection: Connection) -> bool:
        changed = connection.execute(change, {"trial": trial_id, "key": key, "old": old, "new": new})
        connection.commit()
        return changed.rowcount == 1

    return store.ask(replace)
