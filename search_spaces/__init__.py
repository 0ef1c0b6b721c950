"""Search spaces: ordinary KerasTuner HyperModels, one file each, and a loader for other people's.

`load("dense")` and `load("package.module:object")` return a `Space`, which makes the HyperModel for an input shape
(height, width, channels) and a number of classes. Images are float32, 0 to 1 by default; labels are
integers. `Cosine` and `OneCycle` are learning rates for your own spaces, `Budget` is for a `fit` outside of a study.
"""

from typing import TYPE_CHECKING, Any

from search_spaces.loading import SPACES, Space, SpaceError, given, load

if TYPE_CHECKING:
    from search_spaces.schedules import Budget, Cosine, OneCycle

__all__ = ["SPACES", "Budget", "Cosine", "OneCycle", "Space", "SpaceError", "given", "load"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `study spaces` needs no Keras."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from search_spaces import schedules

    return getattr(schedules, name)
