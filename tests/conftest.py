"""What the tests share."""

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")
if "PYTEST_XDIST_WORKER" in os.environ:  # the tests themselves run side by side
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Under nohup a hangup is ignored, in a script's background job an interrupt; commands that tests start inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis  # before anything is frozen: on import it looks for what refers to trio's generator

from study.system import environment

environment.import_tensorflow()

import servers
import tiny
from helpers import SERVER, Command, placed, trained, with_defaults

from study import cli

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of our own."""
    parser.addoption("--postgresql", action="store_true", help="keep the studies of tests/faults on PostgreSQL")


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """A PostgreSQL server that all tests of a process share."""
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    with servers.serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _where_studies_are_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.config.getoption("--postgresql"):
        monkeypatch.setenv(SERVER, request.getfixturevalue("server").url)
        monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)


@pytest.fixture(autouse=True)
def earlier_tests_are_no_garbage() -> None:
    """Keras collects garbage before each model; looking through all that earlier tests left would cost seconds."""
    gc.freeze()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the default home in it; nothing is cached outside of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "runs"


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in that directory: exit code, standard output, standard error. `run` trains in this process, with
    the defaults of tests."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main([*placed(home, with_defaults(tuple(map(str, words)), workers=0))])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A tiny image data set."""
    return tiny.write_archive(tmp_path / "tiny.npz")


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--pruner", "none")
    return trained(tmp_path_factory.mktemp("finished"), *words)


@pytest.fixture
def finished(home: Path, _finished: Path) -> Path:
    """The default home with a study `a` that is done: two trials of tiny.Tiny, one epoch and one seed each. It is
    trained once for all tests; each has a copy."""
    shutil.copytree(_finished, home)
    return home


@pytest.fixture(scope="session")
def original_mnist() -> Path:
    """The folder of the four original files: `STUDY_MNIST`, or shared/mnist beside the checkout."""
    folder = Path(os.environ.get("STUDY_MNIST", Path(__file__).parents[2] / "shared" / "mnist"))
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"the original MNIST files are not in {folder}; STUDY_MNIST names their folder")
    return folder


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 16 MB, which a test may fill up."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    """Fills a disk, but for some bytes; returns the file that does."""

    def fill_disk(disk: Path, but: int = 0) -> Path:
        free = os.statvfs(disk)
        (disk / "filling").write_bytes(b"x" * (free.f_bavail * free.f_bsize - but))
        return disk / "filling"

    return fill_disk


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a folder in an empty bucket of an object store, on a server of its own."""
    import s3fs
    from moto.server import ThreadedMotoServer

    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    s3fs.S3FileSystem.clear_instance_cache()  # it remembers the server of the previous test
    bucket = f"bucket-{port}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/runs"
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium that reaches no network but this machine."""
    from selenium import webdriver

    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,900",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = str(shutil.which("chromium"))
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
    driver.set_script_timeout(120)  # axe looks at every element, and the tests themselves run side by side
    yield driver
    driver.quit()
