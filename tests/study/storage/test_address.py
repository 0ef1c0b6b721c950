"""Where studies are kept: what is read of a URL, shown of it, and refused."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import StudyError
from study.storage.address import Address, has_password
from study.system import extras

HOME = Path("runs")


def test_a_home_has_a_database_of_its_own() -> None:
    assert Address.of(HOME).url.render_as_string() == f"sqlite:///{HOME.absolute()}/study.db"
    assert Address.of(HOME).is_default
    assert Address.of(HOME, "sqlite:///runs/study.db").is_default
    assert not Address.of(HOME, "sqlite:///other.db").is_default
    assert not Address.of(HOME).serves_many_hosts
    assert Address.of(HOME, "postgresql://host/db").serves_many_hosts


def test_it_can_be_sent_to_other_processes() -> None:
    address = Address.of(HOME, "postgresql://me:s3cret@host/db")
    assert pickle.loads(pickle.dumps(address)) == address
    assert address.url.password == "s3cret"


@pytest.mark.parametrize("part", ["{user}:{password}@host/db", "{user}@host/db?password={password}"])
@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_is_shown_without_its_password(kind: str, part: str) -> None:
    address = Address.of(HOME, f"{kind}://" + part.format(user="me", password="s3cret"))
    assert address.shown.endswith("://me:***@host/db")
    assert address.shown.startswith("postgres")
    assert "s3cret" not in address.shown
    assert "s3cret" not in repr(address)


def test_nor_is_the_password_of_a_key_shown() -> None:
    address = Address.of(HOME, "postgresql://me@host/db?sslpassword=s3cret&x=1")
    assert "s3cret" not in address.shown
    assert "x=1" in address.shown


@pytest.mark.parametrize(
    ("url", "has"),
    [
        ("postgresql://u:p@h/db", True),
        ("postgres://u@h/db?password=p", True),
        ("postgresql://u@h/db", False),
        ("postgresql://u:@h/db?password=", False),
        ("postgresql://u@h/db?x=a:b@c", False),
        ("mysql://u:p@h/db", False),
        ("sqlite:///a:b@c.db", False),
        ("nonsense", False),
    ],
)
def test_a_password_is_found_before_anything_is_opened(url: str, has: bool) -> None:
    assert has_password(url) == has


def test_a_password_that_takes_the_url_apart_is_refused_unsaid() -> None:
    with pytest.raises(StudyError, match="write it as %40") as caught:
        Address.of(HOME, "postgresql://me:s3@cret@host/db")
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://me:s3cret@host:abc/db"])
def test_a_url_that_cannot_be_read_is_refused_unsaid(url: str) -> None:
    with pytest.raises(StudyError, match="--storage is a database URL such as") as caught:
        Address.of(HOME, url)
    assert url not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_driver_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.NEEDED, "--storage postgresql", ("no_such_package", "postgres"))
    with pytest.raises(StudyError, match=r"pip install 'keras-study\[postgres\]'"):
        Address.of(HOME, "postgresql://me@host/db")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_home_without_the_right_to_write(home: Path) -> None:
    """As another user where the tests run as root: permissions do not bind root."""
    home.mkdir()
    home.chmod(0o555)
    home.parent.chmod(0o755)
    user = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
    code = (
        "import os, sys; os.chdir('/'); from pathlib import Path; from study.storage.address import Address\n"
        "try: Address.of(Path(sys.argv[1])).check_writable('a')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    for folder in home.parents:
        if not os.stat(folder).st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    if any(not os.stat(folder).st_mode & 0o001 for folder in Path(sys.prefix).parents):
        pytest.skip("the environment's folder is closed to other users")
    output = subprocess.run([*user, sys.executable, "-c", code, str(home)], capture_output=True, text=True)
    assert output.stdout.startswith(f"StudyError the home {home} cannot be written"), output
