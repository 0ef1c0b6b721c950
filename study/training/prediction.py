"""What a trained model predicts."""

import keras
import numpy as np
from numpy.typing import NDArray

from study.images import Images
from study.training.batches import evaluation_batch


def probabilities(model: keras.Model, images: Images) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of a model that returns probabilities, logits, or one sigmoid unit."""
    size, x = evaluation_batch(images), images.scaled
    # The model is called directly: `predict` would trace a function for the sake of a few large batches.
    batches = [np.asarray(model(x[start : start + size], training=False)) for start in range(0, len(x), size)]
    outputs = np.concatenate(batches).reshape(len(images), -1).astype(np.float64)
    bounded = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[1] == 1:
        positive = outputs if bounded else 1 / (1 + np.exp(-outputs))
        outputs = np.hstack([1 - positive, positive])
    elif not (bounded and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)):
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs /= outputs.sum(axis=1, keepdims=True)
    return outputs.astype(np.float32)
