"""The cache of decoded arrays."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import users

from study.data import cache
from study.data.arrays import ARRAYS, REMARK
from study.errors import StudyError
from study.images import Arrays
from study.system.files import mine
from study.system.processes import short_host


def decode(make: cache.Make | None = None) -> Arrays:
    return {name: np.arange(4) for name in ARRAYS}


def fail(make: cache.Make) -> Arrays:
    raise StudyError("nothing to decode")


def test_arrays_are_decoded_once_and_mapped(tmp_path: Path) -> None:
    cache.load("key", str(tmp_path), decode)
    again = cache.load("key", str(tmp_path), fail)
    assert {name: array.tolist() for name, array in again.items()} == {name: [0, 1, 2, 3] for name in ARRAYS}
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in again.values())
    assert os.listdir(tmp_path / "arrays") == ["key"]
    assert sorted(os.listdir(tmp_path / "arrays" / "key")) == ["x_test.npy", "x_train.npy", "y_test.npy", "y_train.npy"]


def test_a_remark_comes_back(tmp_path: Path) -> None:
    for read in (lambda _: decode() | {REMARK: np.array("said")}, fail):
        assert str(cache.load("key", str(tmp_path), read)[REMARK]) == "said"
    assert REMARK not in cache.load("other", str(tmp_path), decode)


def test_the_default_folder_is_that_of_tensorflow_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    cache.load("key", None, decode)
    assert (tmp_path / "arrays" / "key").is_dir()


def test_what_cannot_be_decoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="nothing to decode"):
        cache.load("key", str(tmp_path / "new"), fail)
    assert not os.listdir(tmp_path)


def test_arrays_that_need_not_fit_into_memory_are_made_in_their_files(tmp_path: Path) -> None:
    def decode_large(make: cache.Make) -> Arrays:
        made = make("x_train", (3, 2, 2, 1))
        assert isinstance(made, np.memmap)
        made[:] = 7
        return decode() | {"x_train": made}

    assert cache.load("key", str(tmp_path), decode_large)["x_train"].tolist() == np.full((3, 2, 2, 1), 7).tolist()


def test_arrays_for_which_the_disk_has_no_room_leave_nothing(full_disk: Path) -> None:
    def decode_large(make: cache.Make) -> Arrays:
        return decode() | {"x_train": make("x_train", (20, 1000, 1000, 1))}

    with pytest.raises(StudyError, match=r"no room for the decoded images .*: 20 MB are needed and .* MB free"):
        cache.load("key", str(full_disk / "data"), decode_large)
    assert not os.listdir(full_disk)


def test_a_faster_process_wins(tmp_path: Path) -> None:
    def decode_slowly(make: cache.Make) -> Arrays:
        cache.load("key", str(tmp_path), decode)
        return {name: np.zeros(1) for name in ARRAYS}

    assert cache.load("key", str(tmp_path), decode_slowly)["x_train"].tolist() == [0, 1, 2, 3]
    assert os.listdir(tmp_path / "arrays") == ["key"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "arrays").write_text("a file")
    with pytest.raises(StudyError, match=r"cannot be cached in .*arrays/key: .*; give another --data-dir"):
        cache.load("key", str(tmp_path), decode)


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: b"torn", lambda whole: whole[:-1]])
def test_a_damaged_cache_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    cache.load("key", str(tmp_path), decode)
    file = tmp_path / "arrays" / "key" / "x_train.npy"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StudyError, match=r"arrays/key are damaged .* delete that folder"):
        cache.load("key", str(tmp_path), decode)


@pytest.fixture(autouse=True)
def _no_copies_of_other_tests() -> Iterator[None]:
    with cache.releasing():
        yield


def copies(folder: Path) -> list[tuple[str, bool]]:
    """What they were made of, and whether they are in use."""
    return [(copy.source, copy.in_use) for copy in cache.copies(str(folder))]


def free(folder: Path) -> list[bool]:
    return [cache.free(copy) for copy in cache.copies(str(folder))]


def test_copies_are_found_with_what_they_were_made_of(tmp_path: Path) -> None:
    assert cache.copies(str(tmp_path)) == []
    with cache.releasing():
        cache.load("b", str(tmp_path), decode, "npz:/data/my images.npz")
        cache.load("a", str(tmp_path), decode)
    first, second = cache.copies(str(tmp_path))
    assert (first.source, second.source) == ("a", "npz:/data/my images.npz")
    assert second.folder == tmp_path / "arrays" / "b"
    assert second.size == sum(file.stat().st_size for file in second.folder.iterdir()) > 4 * 128
    (second.folder / "x_test.npy").unlink()  # not a copy any more
    assert copies(tmp_path) == [("a", False)]


def test_a_copy_is_in_use_until_the_run_ends(tmp_path: Path) -> None:
    with cache.releasing():
        arrays = cache.load("key", str(tmp_path), decode)
        assert copies(tmp_path) == [("key", True)]
        assert free(tmp_path) == [False]
    assert copies(tmp_path) == [("key", False)]
    assert free(tmp_path) == [True]
    assert list((tmp_path / "arrays").iterdir()) == []
    assert arrays["x_train"].tolist() == [0, 1, 2, 3]  # who has it mapped can still read it
    assert cache.load("key", str(tmp_path), decode)["x_train"].tolist() == [0, 1, 2, 3]  # decoded again


USE = """
import sys
from study.data import cache
arrays = cache.load("key", sys.argv[1], None)
print("ready", flush=True)
input()
"""


def test_a_killed_process_uses_nothing_any_more(tmp_path: Path) -> None:
    with cache.releasing():
        cache.load("key", str(tmp_path), decode)
    words = [sys.executable, "-c", USE, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert free(tmp_path) == [False]
        process.kill()
        process.wait()
        assert free(tmp_path) == [True]


def test_what_a_killed_process_left_half_written_is_deleted(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead = tmp_path / "arrays" / f"draft-{short_host()}-{process.pid}-x"
    alive = tmp_path / "arrays" / f"{mine()}x"
    for folder in (dead, alive):
        (folder / "arrays").mkdir(parents=True)
        (folder / "arrays" / "x_train.npy").touch()
    assert cache.copies(str(tmp_path)) == []
    assert list((tmp_path / "arrays").iterdir()) == [alive]


def test_a_copy_that_is_freed_while_it_is_looked_for(tmp_path: Path) -> None:
    stop = threading.Event()

    def free_again_and_again() -> None:
        while not stop.is_set():
            free(tmp_path)

    thread = threading.Thread(target=free_again_and_again)
    thread.start()
    try:
        for _ in range(100):
            with cache.releasing():
                assert cache.load("key", str(tmp_path), decode)["x_train"].tolist() == [0, 1, 2, 3]
    finally:
        stop.set()
        thread.join()


def test_a_copy_of_somebody_else_stays() -> None:
    with users.shared() as folder:
        with cache.releasing():
            cache.load("key", str(folder), decode)
        place = folder / "arrays"
        words = ("-m", "study", "datasets", "--free", "--data-dir", str(folder))
        for mode, what in ((0o755, f"{place / 'key'} cannot be deleted"), (0o700, f"{place} cannot be read")):
            place.chmod(mode)
            (place / "key").chmod(mode)
            code, said = users.run(users.BOB, folder, *words)
            assert code == 2
            assert said.startswith(f"study: {what}: Permission denied ({place}")
            assert said.count("\n") == 1
        assert copies(folder) == [("key", False)]
