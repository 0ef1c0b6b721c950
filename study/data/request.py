"""What a loader is asked for beside the name of a data set."""

from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyError

DEFAULT_TEST_SHARE = 0.2
SHOWN = 5
"""Names of files or sizes that a message lists at most."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a data set is read; docs/data.md says what each is for."""

    split_seed: int = 0
    manual_dir: str | None = None
    data_dir: str | None = None
    image_size: tuple[int, int] | None = None
    """Height and width that all images are scaled to; None where they share a size."""
    test_share: float | None = None
    """The share of the images that becomes the test set where there is none; None is `DEFAULT_TEST_SHARE`."""
    test_split: str | None = None
    skip_unreadable: bool = False

    @property
    def share(self) -> float:
        """The share of a test set that is cut."""
        return DEFAULT_TEST_SHARE if self.test_share is None else self.test_share

    def cut(self, name: str, has_test: bool) -> str:
        """What names the cut of the test set in a key of the cache; empty where there is one already.

        Raises:
            StudyError: There is one, and a share was asked for.
        """
        if has_test and self.test_share is not None:
            raise StudyError(f"{name} has a test part; leave out --test-share, which cuts one where there is none")
        return "" if has_test else f"-test{self.share}-seed{self.split_seed}"


def located(path: Path, data_dir: str | None) -> Path:
    """Where a file or folder is: at its path, or moved to `data_dir`."""
    moved = None if data_dir is None else Path(data_dir) / path.name
    return moved if moved is not None and not path.exists() and moved.exists() else path


def cannot_be_read(path: Path, error: OSError, option: str) -> StudyError:
    """What to say of a file or folder that cannot be read."""
    return StudyError(
        f"{path} cannot be read: {why(path, error)}; give an existing {option}; where a study's has moved, 'study "
        f"resume NAME --dataset {option}' continues with it"
    )


def why(path: Path, error: OSError) -> str:
    """Why something cannot be read; of a missing one, what is in its place."""
    text = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        here = next(each for each in path.absolute().parents if each.is_dir())
        text += f" ({here} holds {listed(sorted(each.name for each in here.iterdir())) or 'nothing'})"
    return text


def listed(names: list[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
