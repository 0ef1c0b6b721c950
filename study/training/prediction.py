"""What a trained model predicts, and how far its probabilities can be believed."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.images import Images
from study.training.batches import evaluation_batch


def probabilities(model: keras.Model, images: Images) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of a model that returns probabilities, logits, or one sigmoid unit."""
    size = evaluation_batch(images)
    # The model is called directly: `predict` would trace a function for the sake of a few large batches.
    parts = (images.some_scaled(slice(start, start + size)) for start in range(0, len(images), size))
    batches = [np.asarray(model(part, training=False)) for part in parts]
    outputs = np.concatenate(batches).reshape(len(images), -1).astype(np.float64)
    bounded = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[1] == 1:
        positive = outputs if bounded else 1 / (1 + np.exp(-outputs))
        outputs = np.hstack([1 - positive, positive])
    elif not (bounded and np.allclose(outputs.sum(axis=1), 1, atol=1e-2)):  # a softmax in bfloat16 is that far off
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs /= outputs.sum(axis=1, keepdims=True)
    return outputs.astype(np.float32)


def expected_calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], bins: int = 15
) -> float:
    """How far the probability that a model gives its answers is from the share of them that is right (Guo et al. 2017,
    equation 3): the mean over all images of the distance within their bin, 0 to 1.

    Args:
        probabilities: Class probabilities (n, classes).
        labels: The true classes (n,).
        bins: Intervals of equal width, open below, of the answer's probability.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(number, weights=correct - confidence)).sum() / len(labels))
