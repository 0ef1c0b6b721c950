"""Training and validation data as one: what the finals of a tuner train on."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

OF_VALIDATION = ("validation_data", "validation_split", "validation_steps", "validation_batch_size", "validation_freq")
"""The arguments of `model.fit` that are about validation."""
PARTS = ("x", "y", "sample_weight")
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def union(positional: tuple[Any, ...], named: dict[str, Any], *, watches: bool) -> Arguments | None:
    """The arguments of `fit` with all that a search trained and validated on as training data; None where that is not
    made of arrays alike, or there is no validation.

    Args:
        positional: `x` and `y`.
        named: The other arguments.
        watches: Keep the validation data too, for a `fit` that looks at them.
    """
    given = dict(zip(PARTS, positional, strict=False)) | {name: named[name] for name in PARTS if name in named}
    train = [given.get(name) for name in PARTS]
    held_out, share = named.get("validation_data"), named.get("validation_split")
    rest = {name: each for name, each in named.items() if watches or name not in OF_VALIDATION}
    if len(positional) > 2 or not are_arrays(train[0]):
        return None
    if held_out is None:
        return (positional, rest) if share and not watches else None
    if not isinstance(held_out, (tuple, list)) or not 1 <= len(held_out) <= len(PARTS):
        return None
    joined = _joined(train, [*held_out, *[None] * (len(PARTS) - len(held_out))])
    if joined is None:
        return None
    whole = dict(zip(PARTS, joined, strict=True))
    return tuple(whole[name] for name in PARTS[: len(positional)]), {
        **rest, **{name: whole[name] for name in PARTS if name in named},
    }  # fmt: skip


def are_arrays(data: Any) -> bool:
    """Whether all of a nested structure is arrays, with an example in each row."""
    leaves = keras.tree.flatten(data)
    return bool(leaves) and all(hasattr(each, "__array__") and len(getattr(each, "shape", ())) > 0 for each in leaves)


def rows(data: Any) -> int:
    """How many examples nested arrays have."""
    return len(keras.tree.flatten(data)[0])


def _alike(first: Any, second: Any) -> bool:
    """Whether two nested structures of arrays differ in the number of examples alone."""
    if not (are_arrays(first) and are_arrays(second)):
        return False
    try:
        keras.tree.assert_same_structure(first, second)
    except (ValueError, TypeError):
        return False
    pairs = zip(keras.tree.flatten(first), keras.tree.flatten(second), strict=True)
    return all(tuple(one.shape[1:]) == tuple(other.shape[1:]) for one, other in pairs)


def _joined(train: list[Any], held_out: list[Any]) -> list[Any] | None:
    """Each part with its validation data behind it; None where one cannot be joined, or only one side has it."""
    found: list[Any] = []
    for one, other in zip(train, held_out, strict=True):
        if one is None and other is None:
            found.append(None)
        elif _alike(one, other):
            found.append(keras.tree.map_structure(_concatenated, one, other))
        else:
            return None
    return found


def _concatenated(one: Any, other: Any) -> Any:
    if tf.is_tensor(one) or tf.is_tensor(other):
        return tf.concat([one, other], axis=0)
    return np.concatenate([np.asarray(one), np.asarray(other)])
