"""Search spaces: ordinary KerasTuner HyperModels, one file each, and a loader for other people's.

`load("dense")` and `load("package.module:object")` return a `Space`, which makes the HyperModel for an input shape
(height, width, channels) and a number of classes. Images are float32, 0 to 1 by default; labels are
integers.
"""

from search_spaces.loading import SPACES, Space, SpaceError, given, load

__all__ = ["SPACES", "Space", "SpaceError", "given", "load"]
