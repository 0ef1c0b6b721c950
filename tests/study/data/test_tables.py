"""Tables of labels and pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from study.data import cache, datasets, tables
from study.errors import StudyError

X = np.random.default_rng(0).integers(0, 256, (30, 16)).astype(np.uint8)
Y = np.arange(30) % 3
PIXELS = [f"pixel{number}" for number in range(16)]


def load(file: Path, **words: Any) -> datasets.Dataset:
    return datasets.load(f"csv:{file}", 0, data_dir=str(file.parent / "data"), **words)


def table(labels: Any = Y, pixels: Any = X, names: list[str] | None = None) -> pandas.DataFrame:
    found = pandas.DataFrame(pixels, columns=names or PIXELS)
    found.insert(0, "label", labels)
    return found


def write(file: Path, made: pandas.DataFrame, header: bool = True) -> Path:
    made.to_csv(file, index=False, header=header)
    return file


def images(data: datasets.Dataset) -> list[tuple[bytes, int]]:
    """All images with their labels, in no order."""
    parts = (data.train_and_validation, data.test())
    return sorted((image.tobytes(), int(label)) for part in parts for image, label in zip(part.x, part.y, strict=True))


MEANT = sorted((image.tobytes(), int(label)) for image, label in zip(X, Y, strict=True))
FORMS: dict[str, tuple[pandas.DataFrame, bool]] = {
    "Kaggle's": (table(), True),
    "without names": (table(), False),
    "names that are numbers": (table(names=[str(number) for number in range(16)]), True),
    "the label last": (table()[[*PIXELS, "label"]], True),
    "a label of another name": (table().rename(columns={"label": "Class"}), True),
    "a first column of any name": (table().rename(columns={"label": "digit"}), True),
    "shares": (table(pixels=X / 255), True),
    "labels with a point": (table(Y.astype(float)), True),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_read_rightly(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 7)
    made, header = FORMS[form]
    data = load(write(tmp_path / "a.csv", made, header))
    assert images(data) == MEANT
    assert (data.input_shape, data.class_names) == ((4, 4, 1), ())
    assert "has rows of 16 pixels: read as 4x4, grey" in data.remark
    assert "has no test part: 6 of 30 images" in data.remark


@pytest.mark.parametrize(
    "labels, names", [(np.array(["cat", "dog", "3"]), ("3", "cat", "dog")), (np.array([8, 9, 10]), ("8", "9", "10"))]
)
def test_labels_that_do_not_count_from_0_are_names(labels: Any, names: tuple[str, ...], tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.csv", table(labels[Y])))
    assert data.class_names == names
    assert images(data) == sorted((image, names.index(str(labels[y]))) for image, y in MEANT)


def test_a_table_is_decoded_once_for_each_cut(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", table())
    assert load(file).parts == load(file).parts
    assert load(file, test_share=0.5).test_images == 15
    assert [copy.source for copy in cache.copies(str(tmp_path / "data"))] == [f"csv:{file}"] * 2


def changed(line: int, text: str) -> str:
    """Kaggle's table with another line, counted from 0, which is that of the names."""
    lines = table().to_csv(index=False).splitlines()
    lines[line] = text
    return "\n".join(lines)


BAD = {
    "a row too short": (changed(8, "1,2,3"), r"row 8 of .*a\.csv has 3 of 17 values"),
    "a row too long": (changed(8, "1" + ",2" * 20), "Expected 17 fields in line 9, saw 21"),
    "all rows too long": (
        table().to_csv(index=False).replace("\n", ",7\n").replace("15,7", "15", 1),
        "names 17 columns",
    ),
    "a pixel of NaN": (changed(8, "1" + ",nan" + ",2" * 15), r"row 8 of .* has 16 of 17 values"),
    "no label": (changed(8, ",2" * 16), r"row 8 of .* has 16 of 17 values"),
    "words": (changed(8, "1" + ",two" * 16), "column 'pixel0' of .* holds no numbers but"),
    "no square": (table()[["label", *PIXELS[:15]]].to_csv(index=False), "15 numbers are no square grey image"),
    "one class": (table(Y * 0).to_csv(index=False), "has one class"),
    "too dark": (changed(8, "1" + ",-300" * 16), "pixels must be from 0 to 255"),
    "nothing": ("", "is not a table of labels and pixels, separated by commas; it begins"),
    "one column": ("label\n1\n2\n", "is not a table of labels and pixels, separated by commas; it begins"),
    "names alone": ("label,a,b,c,d\n", "is not a table of labels and pixels"),
    "bytes": ("\0\1\2,\3\n", "is not a table of labels and pixels"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    content, said = BAD[case]
    file = tmp_path / "a.csv"
    file.write_text(content)
    with pytest.raises(StudyError, match=said) as refused:
        load(file)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bytes(range(128, 256)) * 9)
    with pytest.raises(StudyError, match="is not a table of labels and pixels"):
        load(tmp_path / "a.csv")
