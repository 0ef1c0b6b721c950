"""What a failing database is said to need: by its error codes, not by words in its messages."""

from pathlib import Path

import optuna
import pytest
import servers
from optuna.exceptions import StorageInternalError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from study.errors import StudyError, StudyFailure
from study.storage.failures import DAMAGED, FAILURES, FULL, UNWRITABLE, driver_error, failure, opening
from study.storage.store import Store

UNKNOWN = "mend the cause"


def said_of(engine_url: str, *statements: str) -> str:
    """What is said of the last statement's failure."""
    engine = create_engine(engine_url, poolclass=NullPool)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        for statement in statements:
            connection.execute(text(statement))
    return remedy(caught.value)


def remedy(error: Exception) -> str:
    """The advice of a failure."""
    assert isinstance(error, FAILURES)
    found = failure(error)
    assert isinstance(found, StudyFailure)
    line = str(found)
    assert line.startswith("the storage failed: ")
    assert line.endswith(", then 'study resume' continues")
    assert "\n" not in line
    return line.partition("what is finished is kept: ")[2].removesuffix(", then 'study resume' continues")


@pytest.mark.parametrize(
    ("pragma", "said"), [("max_page_count = 1", FULL), ("query_only = 1", "make the file and its folder writable")]
)
def test_what_optuna_makes_of_an_error_of_sqlite_is_told_by_its_code(store: Store, pragma: str, said: str) -> None:
    study = optuna.create_study(storage=store.storage)
    with store.storage.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(StorageInternalError) as caught:
        study.set_user_attr("text", "x" * 1_000_000)
    assert remedy(caught.value) == said


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DBAPIError) as caught:
        create_engine(f"sqlite:///{tmp_path}/none/study.db").connect()
    assert remedy(caught.value) == "make the file and its folder readable and writable"


def test_a_damaged_database(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    url = f"sqlite:///{file}"
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
        connection.execute(text("INSERT INTO t VALUES (hex(zeroblob(9999)))"))
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert said_of(url, "SELECT * FROM t").startswith(f"{DAMAGED}, or save what can be read")
    file.write_bytes(b"no database" * 1000)
    assert said_of(url, "SELECT * FROM t").startswith(DAMAGED)


@pytest.mark.parametrize("word", ["full", "readonly", "malformed", "disk", "No space left on device"])
def test_words_in_an_unrelated_error_change_nothing(tmp_path: Path, word: str) -> None:
    url = f"sqlite:///{tmp_path}/{word}.db"
    create = f'CREATE TABLE "database is {word}" ("{word}_name" TEXT NOT NULL UNIQUE)'
    assert said_of(url, f'SELECT "x"."{word}_name" FROM "database is {word}"') == UNKNOWN
    assert said_of(url, create, f'INSERT INTO "database is {word}" VALUES (NULL)') == UNKNOWN
    assert said_of(url, create, create) == UNKNOWN


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("53100", FULL),
        ("25006", UNWRITABLE),
        ("42501", "give its user the rights to the database"),
        ("XX001", DAMAGED),
        ("XX002", "rebuild its index with REINDEX"),
        ("42703", UNKNOWN),
        ("P0001", UNKNOWN),
    ],
)
def test_what_a_server_raises_is_told_by_its_sqlstate(server: servers.Server, state: str, said: str) -> None:
    """Also where its message has another's words."""
    words = 'could not extend file "full_readonly": No space left on device; the database is full, malformed'
    raised = f"DO $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{state}'; END $$"
    assert said_of(server.url, raised) == said


def test_what_a_server_says_of_a_column_named_full(server: servers.Server) -> None:
    table = 'CREATE TEMP TABLE readonly ("full" TEXT NOT NULL)'
    assert said_of(server.url, 'SELECT "full" FROM pg_database') == UNKNOWN
    assert said_of(server.url, table, "INSERT INTO readonly VALUES (NULL)") == UNKNOWN
    assert said_of(server.url, "SET TRANSACTION READ ONLY", "CREATE TABLE t (x TEXT)") == UNWRITABLE


def test_a_driver_s_error_is_found_behind_others() -> None:
    cause = DBAPIError("", None, Exception("lost"))
    wrapped = StorageInternalError("optuna's")
    wrapped.__cause__ = cause
    assert driver_error(cause) is cause
    assert driver_error(wrapped) is cause
    assert driver_error(SQLAlchemyError()) is None
    somebody_elses = ValueError()
    somebody_elses.__cause__ = cause
    assert driver_error(somebody_elses) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the tables are of v9"), "written by another version of Optuna than"),
        (OSError("no route to host"), "cannot be opened: OSError: no route to host; name another one"),
        (DBAPIError("SELECT 1", None, Exception("refused")), "cannot be opened: Exception: refused; name another one"),
        (NoSuchModuleError("Can't load plugin"), "needs a driver: NoSuchModuleError: Can't load plugin; install it"),
        (ModuleNotFoundError("No module named 'x'"), "needs a driver: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_opened_is_a_line(error: Exception, said: str) -> None:
    with pytest.raises(StudyError, match=r"^the storage URL ") as caught, opening("URL"):
        raise error
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
