"""NumPy archives: cached, moved, bad and hostile ones."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from study.data import archives, cache, datasets
from study.errors import StudyError
from study.system import memory


def load(file: Path) -> datasets.Dataset:
    return datasets.load(f"npz:{file}", 0, data_dir=str(file.parent / "data"))


@pytest.fixture(params=["small", "large"])
def sized(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the archives of a test count as."""
    if request.param == "large":
        monkeypatch.setattr(archives, "SMALL", 0)
    return str(request.param)


def compressed(file: Path) -> Path:
    """The same archive, compressed."""
    with np.load(file) as given:
        arrays = dict(given)
    np.savez_compressed(file, **arrays)
    return file


def test_an_archive_that_is_copied_is_copied_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 0)
    file = compressed(tiny.write_archive(tmp_path / "a.npz"))
    first = load(file)
    assert first.input_shape == (tiny.SIDE, tiny.SIDE, 1)
    assert first.num_classes == tiny.CLASSES
    assert load(file).parts == first.parts
    (copy,) = cache.copies(str(tmp_path / "data"))
    assert (copy.source, copy.in_use) == (f"npz:{file}", True)
    compressed(tiny.write_archive(file, seed=1))
    assert load(file).parts != first.parts
    assert len(cache.copies(str(tmp_path / "data"))) == 2


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"x_train": np.asfortranarray(np.arange(90 * 36, dtype=np.uint8).reshape(90, 6, 6))},
        {"x_train": np.arange(90 * 36).reshape(90, 6, 6) % 256},
        {"x_train": np.eye(90, 36, dtype=np.uint8).reshape(90, 6, 6), "x_test": np.eye(45, 36).reshape(-1, 6, 6)},
        {"y_train": np.arange(90, dtype=float) % 3},
        {"x_val": np.arange(30 * 36, dtype=np.uint8).reshape(30, 6, 6), "y_val": np.arange(30) % 3},
    ],
)
def test_a_copy_is_made_of_a_large_archive_alone_with_the_same_images(
    made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny.write_archive(tmp_path / "a.npz", **made)
    small = load(file)
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(archives, "SMALL", 0)
    large = load(file)
    assert len(cache.copies(str(tmp_path / "data"))) == 1
    compressed(file)
    for other in (large, load(file)):
        assert (other.parts, other.remark) == (small.parts, small.remark)
        for one, two in ((small.train_and_validation, other.train_and_validation), (small.test(), other.test())):
            assert np.array_equal(one.x, two.x)
            assert np.array_equal(one.y, two.y)


def test_arrays_that_are_not_compressed_need_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    monkeypatch.setattr(archives, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 100)
    assert len(load(file).train) == 75
    with pytest.raises(StudyError, match=r"takes 0\.0 GB of memory, and 0\.0 GB are left"):
        load(compressed(file))


def test_an_archive_may_be_written_anew_once_it_is_read(sized: str, tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    first, again = load(file), load(file)
    images, test = first.train.x.copy(), first.test().x.copy()
    file.write_bytes(b"")
    assert np.array_equal(again.train.x, images)
    assert np.array_equal(again.test().x, test)


def test_a_moved_archive_is_found_in_the_data_dir(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    parts = load(file).parts
    (tmp_path / "data").mkdir(exist_ok=True)
    shutil.move(file, tmp_path / "data" / "a.npz")
    assert load(file).parts == parts


def bad_archives() -> dict[str, tuple[dict[str, Any], str]]:
    n = 90
    images = np.zeros((n, 6, 6), np.uint8)
    labels = np.arange(n) % 3
    return {
        "a flat shape": (
            {"x_train": np.zeros((n, 35))},
            "x_train must be .* 35 numbers are no square grey image",
        ),
        "another test shape": ({"x_test": np.zeros((45, 5, 5), np.uint8)}, "training images are .* make them the same"),
        "too few labels": ({"y_train": labels[:-1]}, "y_train must be one label per image"),
        "labels from words": ({"y_train": labels.astype(str)}, "two kinds, y_train is text and y_test int64"),
        "other words": (
            {"y_train": labels.astype(str), "y_test": np.full(45, "7")},
            "y_test has the label '7', which y_train lacks",
        ),
        "broken labels": ({"y_train": labels + 0.5}, "y_train must be integer labels counted from 0"),
        "negative labels": ({"y_train": labels - 1}, "y_train must be integer labels counted from 0"),
        "NaN pixels": ({"x_train": np.full((n, 6, 6), np.nan)}, "x_train has pixels that are NaN or infinite"),
        "other pixels": ({"x_train": np.full((n, 6, 6), 300)}, "from 0 to 255, or 0 to 1.* int64 from 300 to 300"),
        "channels first": (
            {"x_train": np.zeros((n, 2, 32, 32))},
            r"channels come first, give np\.moveaxis\(x, 1, -1\)",
        ),
        "probabilities": ({"y_train": np.eye(3)[labels] / 2 + 1 / 6}, "y_train has rows that are not one-hot"),
        "labels of several lines": ({"y_train": np.full(n, "a\nb\x1b[31m" * 99)}, "two kinds, y_train is text"),
        "complex labels": ({"y_train": labels + 0j}, "must be integer labels counted from 0"),
        "infinite labels": (
            {"y_train": np.where(labels == 2, np.inf, labels)},
            "must be integer labels counted from 0",
        ),
        "huge labels": ({"y_train": labels.astype(np.uint64) + 2**63}, "must be integer labels counted from 0"),
        "too few test labels": ({"y_test": labels[:44]}, "y_test must be one label per image"),
        "no test images": ({"x_test": images[:0], "y_test": labels[:0]}, "x_test must be images"),
        "a number for images": ({"x_train": np.array(3)}, "x_train must be images"),
        "a number for labels": ({"y_train": np.array(3)}, "y_train must be one label per image"),
        "columns as pixels": ({"x_train": np.zeros(n, [("red", "u1")]).reshape(n, 1, 1)}, "training images are"),
        "an unknown test label": ({"y_test": np.full(45, 7)}, "y_test has the label 7"),
        "a class of one": ({"y_train": np.r_[3, labels[1:]]}, "class 3 has 1"),
        "a class of none": ({"y_train": np.where(labels == 1, 2, labels)}, "class 1 has 0"),
        "one class": ({"y_train": labels * 0}, "y_train has one class"),
    }


@pytest.mark.parametrize("case", bad_archives())
def test_a_bad_archive_is_refused_and_leaves_nothing(case: str, sized: str, tmp_path: Path) -> None:
    arrays, said = bad_archives()[case]
    file = tiny.write_archive(tmp_path / "bad.npz", **arrays)
    with pytest.raises(StudyError, match=said) as caught:
        load(file)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "given, lacks", [(["x_train"], "y_train"), (["x_test", "y_test"], "x_train, y_train"),
                     (["x_train", "y_train", "x_test"], "y_test"), (["x_train", "y_train", "y_val"], "x_val")]
)  # fmt: skip
def test_an_archive_without_arrays_that_belong_together(given: list[str], lacks: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **dict.fromkeys(given, np.zeros((3, 2, 2))))
    with pytest.raises(StudyError, match=f"x_train and y_train at least; it lacks {lacks}$"):
        load(tmp_path / "bad.npz")


X = np.random.default_rng(0).integers(0, 256, (60, 9, 9, 1)).astype(np.uint8)
Y = np.arange(60) % 3
WORDS = np.array(["cat", "dog", "émeu"])
FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "words": (lambda x: x, lambda y: WORDS[y], ""),
    "bytes of words": (lambda x: x, lambda y: np.char.encode(WORDS[y], "utf-8"), ""),
    "words in a column": (lambda x: x, lambda y: WORDS[y][:, None], ""),
    "one-hot": (lambda x: x, lambda y: np.eye(3)[y], ""),
    "one-hot booleans": (lambda x: x, lambda y: np.eye(3, dtype=bool)[y], ""),
    "bytes": (lambda x: x, lambda y: y.astype(np.uint8)[:, None], ""),
    "flat rows": (lambda x: x.reshape(len(x), 81), lambda y: y, "x_train has rows of 81 pixels: read as 9x9, grey"),
    "channels first": (
        lambda x: np.moveaxis(x, -1, 1),
        lambda y: y,
        r"x_test has its channels first, \(20, 1, 9, 9\): read as \(20, 9, 9, 1\)",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_in_other_forms_is_the_same(form: str, sized: str, tmp_path: Path) -> None:
    images, labels, said = FORMS[form]
    np.savez(tmp_path / "plain.npz", x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=Y[40:])
    np.savez(
        tmp_path / "other.npz",
        x_train=images(X[:40]), y_train=labels(Y[:40]), x_test=images(X[40:]), y_test=labels(Y[40:]),
    )  # fmt: skip
    plain, other = load(tmp_path / "plain.npz"), load(tmp_path / "other.npz")
    assert other.parts == plain.parts
    assert re.search(said, other.remark)
    assert other.class_names == (tuple(WORDS) if "words" in form else ())


def test_colour_that_comes_first_is_moved(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (60, 3, 8, 10)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x_train=colour[:40], y_train=Y[:40], x_test=colour[40:], y_test=Y[40:])
    assert np.array_equal(load(tmp_path / "a.npz").test().x, colour[40:].transpose(0, 2, 3, 1))


def test_a_class_may_be_missing_in_the_test_set(tmp_path: Path) -> None:
    data = load(tiny.write_archive(tmp_path / "a.npz", y_test=np.arange(45) % 2))
    assert (data.num_classes, data.test().y.max()) == (3, 1)


def test_the_validation_set_may_be_given(sized: str, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        x_train=X[:30], y_train=Y[:30], x_val=X[30:40], y_val=Y[30:40], x_test=X[40:], y_test=Y[40:],
    )  # fmt: skip
    data = load(tmp_path / "a.npz")
    for part, rows in ((data.train, slice(0, 30)), (data.validation, slice(30, 40)), (data.test(), slice(40, 60))):
        assert np.array_equal(part.x, X[rows])
        assert np.array_equal(part.y, Y[rows])
    assert len(data.train_and_validation) == 40


def shared(folder: Path, share: float | None, seed: int = 0) -> datasets.Dataset:
    np.savez(folder / "a.npz", x_train=X, y_train=WORDS[Y])
    return datasets.load(f"npz:{folder / 'a.npz'}", seed, data_dir=str(folder / "data"), test_share=share)


@pytest.mark.parametrize("share, images", [(None, 12), (0.2, 12), (0.5, 30), (0.01, 3)])
def test_without_a_test_part_a_share_is_cut_for_it(
    share: float | None, images: int, sized: str, tmp_path: Path
) -> None:
    data = shared(tmp_path, share)
    assert np.bincount(data.test().y).tolist() == [images // 3] * 3
    whole = sorted(image.tobytes() for image in X)
    assert sorted(image.tobytes() for part in (data.train, data.validation, data.test()) for image in part.x) == whole
    assert f"has no test part: {images} of 60 images, drawn by the split seed, are kept for the test" in data.remark
    assert shared(tmp_path, share).parts == data.parts
    assert shared(tmp_path, share, seed=1).parts["x_test"] != data.parts["x_test"]


def test_a_share_of_a_set_with_a_test_part_is_refused(sized: str, tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "a.npz")
    with pytest.raises(StudyError, match=r"a\.npz has a test part; leave out --test-share"):
        datasets.load(f"npz:{file}", 0, test_share=0.2)


@pytest.mark.parametrize("share", [0.95, 0.99])
def test_a_share_that_leaves_too_few_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=f"--test-share {share} cannot be cut .* the smallest, cat, has 20"):
        shared(tmp_path, share)


def test_what_was_made_of_the_pixels_is_said_whenever_they_are_read(sized: str, tmp_path: Path) -> None:
    shares = np.random.default_rng(0).random((90, 6, 6, 1))
    file = tiny.write_archive(tmp_path / "shares.npz", x_train=shares, x_test=shares[:45])
    for _ in range(2):  # decoded, and from the cache
        assert load(file).remark.endswith("both are multiplied by 255")
    assert load(tiny.write_archive(tmp_path / "bytes.npz")).remark == ""


def test_labels_of_every_kind_of_integer(tmp_path: Path) -> None:
    labels = np.arange(90) % 3
    parts = load(tiny.write_archive(tmp_path / "plain.npz")).parts
    for kind in ("i1", "u2", ">i4", "u8", "f2", "f4", ">f8", "longdouble"):
        file = tiny.write_archive(tmp_path / "other.npz", y_train=labels.astype(kind)[:, None])
        assert load(file).parts == parts


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_a_file_that_is_not_an_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(StudyError, match="is not a NumPy archive"):
        load(tmp_path / "bad.npz")


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "bad.npz", y_train=np.array([{}] * 90))
    with pytest.raises(StudyError, match="is not a NumPy archive of numbers"):
        load(file)


@pytest.mark.parametrize("array", ["x_train", "class_names"])
@pytest.mark.parametrize("damage", ["a byte", "the end"])
def test_a_damaged_member_is_a_line(array: str, damage: str, sized: str, tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "bad.npz", class_names=np.array(["a", "b", "c"]))
    with zipfile.ZipFile(file) as archive:
        begin = archive.getinfo(f"{array}.npy").header_offset + 40
    content = bytearray(file.read_bytes())
    content[begin + 150] ^= 255
    file.write_bytes(content if damage == "a byte" else content[: begin + 150])
    with pytest.raises(StudyError, match="is not a NumPy archive of numbers") as caught:
        load(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_under_every_compression_is_a_line(method: int, sized: str, tmp_path: Path) -> None:
    whole = tiny.write_archive(tmp_path / "whole.npz")
    for name in ("good", "bad"):
        with zipfile.ZipFile(whole) as given, zipfile.ZipFile(tmp_path / f"{name}.npz", "w", method) as packed:
            for member in given.namelist():
                packed.writestr(member, given.read(member))
            begin = packed.getinfo("x_train.npy").header_offset + 100
    assert load(tmp_path / "good.npz").parts == load(whole).parts
    content = bytearray((tmp_path / "bad.npz").read_bytes())
    content[begin : begin + 40] = bytes(40)
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(StudyError, match="is not a NumPy archive of numbers"):
        load(tmp_path / "bad.npz")


def test_an_encrypted_archive(sized: str, tmp_path: Path) -> None:
    file = tiny.write_archive(tmp_path / "bad.npz")
    content = bytearray(file.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        begin = -1
        while (begin := content.find(signature, begin + 1)) >= 0:
            content[begin + flags] |= 1
    file.write_bytes(content)
    with pytest.raises(StudyError, match=r"is not a NumPy archive of numbers .*encrypted"):
        load(file)


def _deflated(file: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)


def test_an_archive_that_is_larger_than_the_memory_is_not_read(tmp_path: Path) -> None:
    """It only says that it is: of 100 TB."""
    file = tiny.write_archive(tmp_path / "small.npz")
    with zipfile.ZipFile(file) as given, _deflated(tmp_path / "large.npz") as large:
        for member in given.namelist():
            large.writestr(member, given.read(member))
        large.getinfo("x_train.npy").file_size = 10**14
    with pytest.raises(StudyError, match=r"large\.npz takes 100000\.0 GB of memory, and \d+\.\d GB are left; give"):
        load(tmp_path / "large.npz")
    assert not (tmp_path / "data").exists()


def test_a_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.npz cannot be read: No such file"):
        load(tmp_path / "none.npz")


def test_class_names_come_with_the_archive(tmp_path: Path) -> None:
    named = tiny.write_archive(tmp_path / "named.npz", class_names=np.array(["cat", "<b>", "dog"]))
    assert load(named).class_names == ("cat", "<b>", "dog")
    assert load(named).class_names == ("cat", "<b>", "dog")  # from the cache too
    assert load(tiny.write_archive(tmp_path / "bare.npz")).class_names == ()


@pytest.mark.parametrize(
    "names",
    [np.array(["a", "b"]), np.array([1, 2, 3]), np.array([["a", "b", "c"]]), np.array([1, "b", None], dtype=object)],
)
def test_class_names_that_do_not_fit_are_refused(tmp_path: Path, names: Any) -> None:
    with pytest.raises(StudyError, match=r"class_names must be one text per class, shape \(3,\)"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=names))


def test_equal_class_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="class_names must be different texts"):
        load(tiny.write_archive(tmp_path / "named.npz", class_names=np.array(["cat", "dog", "cat"])))
