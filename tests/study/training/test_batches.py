"""The batches of an epoch."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from study.config import PIXELS
from study.images import Images, Rows
from study.training.batches import EVALUATION_BYTES, Batches, evaluation_batch, validation_batches

N = 73
IMAGES = Images(np.random.default_rng(0).integers(0, 256, (N, 6, 6, 1), np.uint8), np.arange(N) % 3)


def test_each_epoch_sees_every_image_once_in_its_own_order() -> None:
    batches = Batches(IMAGES, np.arange(N), 16, seed=7)
    seen = []
    for epoch in (0, 1, 0):
        batches.begin(epoch)
        order = np.concatenate([y.numpy() for _, y in batches.dataset()])
        assert order.tolist() == np.concatenate([batches[number][1] for number in range(batches.count)]).tolist()
        assert sorted(order) == list(range(N))
        seen.append(order.tolist())
    assert seen[0] != seen[1]
    assert seen[0] == seen[2]
    assert [len(y) for _, y in batches.dataset()] == [16] * (N // 16) + [N % 16]
    x, y = batches[0]
    assert np.array_equal(x.numpy(), IMAGES.scaled[y.numpy()])


def test_large_sets_give_the_same_batches() -> None:
    order = np.random.default_rng(3).permutation(N)
    rows: Any = Rows(IMAGES.x[np.argsort(order)], order)
    large = Images(rows, IMAGES.y)
    one, two = (Batches(images, np.arange(N), 16, seed=7, weights=np.ones(N, np.float32)) for images in (IMAGES, large))
    for batches in (one, two):
        batches.begin(1)
    validation = validation_batches(IMAGES, IMAGES.y), validation_batches(large, large.y)
    for found, expected in (*zip(two.dataset(), one.dataset(), strict=True), *zip(*validation, strict=True)):
        assert all(map(np.array_equal, found, expected))
    assert two.dataset().element_spec[0].shape.as_list() == [None, 6, 6, 1]


def test_without_a_seed_the_order_is_that_of_the_images() -> None:
    batches = Batches(IMAGES, np.arange(N), 16, seed=None)
    batches.begin(3)
    assert np.concatenate([y.numpy() for _, y in batches.dataset()]).tolist() == list(range(N))


@pytest.mark.parametrize(("n", "count"), [(N, 1), (1025, 2)])
def test_validation_is_in_order_and_shared_by_trials_that_use_the_plain_labels(n: int, count: int) -> None:
    images = Images(np.resize(IMAGES.x, (n, *IMAGES.x.shape[1:])), np.arange(n) % 3)
    batches = validation_batches(images, images.y)
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert np.array_equal(x, images.scaled)
    assert np.array_equal(y, images.y)
    assert len(batches) == count
    assert validation_batches(images, images.y) is batches
    weighted = validation_batches(images, images.y, np.full(n, 0.5))
    assert isinstance(weighted, tf.data.Dataset)
    assert np.concatenate([weights for _, _, weights in weighted]).tolist() == [0.5] * n


@pytest.mark.parametrize("pixels", PIXELS)
def test_batches_are_scaled_as_the_images_are(pixels: str) -> None:
    images = Images(IMAGES.x, IMAGES.y, pixels=pixels)
    for batch in (Batches(images, images.y, N, seed=None)[0], next(iter(validation_batches(images, images.y)))):
        assert batch[0].dtype == tf.float32
        assert np.array_equal(batch[0], images.scaled)
    assert images.scaled.max() == (1 if pixels == "0..1" else 255)


def test_evaluation_batches_are_bounded_in_memory() -> None:
    def batch(side: int) -> int:
        return evaluation_batch(Images(np.zeros((1, side, side, 3), np.uint8), np.zeros(1, np.int64)))

    assert batch(8) == 1024
    assert batch(4000) == 32
    assert 32 < batch(224) < 1024
    assert batch(224) * 224 * 224 * 3 * 4 <= EVALUATION_BYTES
