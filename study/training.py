"""One configuration: build, fit, score.

`HyperModel.fit(hp, model, x, y, ...)` gets its arrays as KerasTuner gives them. When it hands them on to
`model.fit`, as almost every HyperModel does, the pipeline feeds the same images from memory.
"""

import copy
import inspect
import itertools
import math
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tensorflow.python import pywrap_tfe
from tensorflow.python.framework import ops

from study import model_state
from study.checkpoints import Checkpoint, CheckpointFile
from study.config import Direction
from study.datasets import Images
from study.epochs import Diverged, EpochLog, take_result
from study.errors import StudyError
from study.pipeline import OnLook, evaluation_batch, feed, scalars

OnEpoch = Callable[[int, dict[str, float]], None]
OnBuilt = Callable[[int], None]

MODELS_TOGETHER = 50
"""Models in a row of a stateless space for which TensorFlow's kernels are kept; each brings a few of its own."""
_models = itertools.count()


@dataclass(frozen=True)
class Examples:
    """What a configuration is trained on."""

    train: Images | None
    """Images that the pipeline feeds from memory; None where Keras feeds what `arguments` gives."""
    validation: Images | None
    """What each epoch is validated on; None trains without."""

    def arguments(self, model: keras.Model, epochs: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What `HyperModel.fit` is called with besides callbacks, by position and by name."""
        assert self.train is not None
        classes = int(self.train.y.max()) + 1
        options: dict[str, Any] = {"epochs": epochs}
        if self.validation is not None:
            options["validation_data"] = self.validation.scaled, _targets(model, self.validation.y, classes)
        return (self.train.scaled, _targets(model, self.train.y, classes)), options


class _EpochCallback(keras.callbacks.Callback):
    """Logs each epoch, refuses a diverged one, saves a checkpoint, then tells `on_epoch`, which may end the fit by
    raising. It is the last of the callbacks, so that it sees what the others made of the epoch."""

    def __init__(self, log: EpochLog, on_epoch: OnEpoch, on_look: OnLook | None, file: CheckpointFile | None) -> None:
        super().__init__()
        self._log = log
        self._on_epoch = on_epoch
        self._on_look = on_look
        self._file = file
        self._checkpoint = file.read() if file is not None else None
        self._began = time.monotonic()
        self._fits = 0
        self._others: list[keras.callbacks.Callback] = []
        self._resumable = False

    def first_epoch(self, others: list[keras.callbacks.Callback], epochs: int) -> int | None:
        """Called before a `fit` that the pipeline feeds: Keras's number of the epoch to go on with, if any.

        Only the first `fit` of a trial is saved and gone on with: what a HyperModel does between two of them cannot
        be skipped. One that trains in stages starts again, and so does one whose callbacks cannot be saved.
        """
        self._others = [each for each in others if not getattr(each, "forgets", False)]
        self._fits += 1
        self._resumable = self._fits == 1 and model_state.resumable(self._others)
        if not self._resumable and self._file is not None:
            self._file.remove()
        if not self._resumable or self._checkpoint is None:
            return None
        state = self._checkpoint.state
        return epochs if state["stopped"] else int(state["epoch"]) + 1

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        checkpoint, self._checkpoint = self._checkpoint, None
        if not self._resumable or checkpoint is None:
            return
        state = checkpoint.state
        model_state.put_back_variables(self.model, checkpoint.variables)
        model_state.put_back_callbacks(self._others, state["callbacks"])
        self.model.stop_training = state["stopped"]
        self._log.history, self._log.epochs, self._log.seconds = state["history"], state["epochs"], state["seconds"]
        self._log.saved, self._log.parameters = self._log.epochs, self.model.count_params()
        # It may have been killed before this epoch's end was told.
        self._on_epoch(self._log.epochs, state["scalars"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = scalars(logs)
        self._log.add(values)
        self._log.parameters = self.model.count_params()
        _refuse_diverged(values, f"after epoch {self._log.epochs}")
        if self._file is not None and self._resumable and epoch + 1 < self.params["epochs"]:
            self._save(self._file, epoch, values)
        # Counted here: a `fit` that trains in two stages lets Keras count from 0 twice.
        self._on_epoch(self._log.epochs, values)

    @property
    def on_look(self) -> OnLook | None:
        """What the pipeline tells of the first epoch before its end."""
        on_look = self._on_look
        if on_look is None:
            return None

        def look(logs: dict[str, float]) -> None:
            _refuse_diverged(logs, "within epoch 1")
            on_look(logs)

        return look

    def _save(self, file: CheckpointFile, epoch: int, values: dict[str, float]) -> None:
        log = self._log
        state = {
            "epoch": epoch,
            "stopped": bool(self.model.stop_training),
            "scalars": values,
            "history": {name: list(values) for name, values in log.history.items()},
            "epochs": log.epochs,
            "seconds": log.seconds + time.monotonic() - self._began,
            "callbacks": copy.deepcopy(model_state.copy_callbacks(self._others)),
        }
        file.write(Checkpoint(model_state.copy_variables(self.model), state))
        log.saved = log.epochs


@dataclass(frozen=True)
class SearchData:
    """What a search trains on, and what it is known by."""

    parts: dict[str, str]
    """Shape, type and SHA-256 of every array."""
    examples: Examples


def _refuse_diverged(logs: dict[str, float], when: str) -> None:
    for name in ("loss", "val_loss"):
        if not math.isfinite(logs.get(name, 0.0)):
            raise Diverged(f"{name} is {logs[name]} {when}")


@contextmanager
def _gradients_bound() -> Iterator[None]:
    """TensorFlow registers the gradients of operations that bring their own, such as silu or the sum over replicas,
    each time it traces one, for ever, and with them keeps the graph. Those that are new live as long as their graph."""
    registry = ops.gradient_registry._registry
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            gradient = registry[name]["type"]
            graph = _graph_of(gradient)
            if graph is not None:
                graph.own_gradients = [*getattr(graph, "own_gradients", []), gradient]
                registry[name]["type"] = partial(_call, weakref.ref(gradient, partial(_drop, registry, name)))


@contextmanager
def _kernels_kept(hypermodel: Any) -> Iterator[None]:
    """TensorFlow makes a kernel for an operation when it first meets it with these attributes, in 0.5 ms. Whenever a
    session is cleared or a seed is set it throws all of them away, for that of a random operation remembers how far it
    has drawn. A space that says it is `stateless` has none of these: its kernels stay, and a model is there in two
    thirds of the time."""
    if not getattr(hypermodel, "stateless", False) or next(_models) % MODELS_TOGETHER == 0:
        yield
        return
    clear = pywrap_tfe.TFE_ContextClearCaches
    pywrap_tfe.TFE_ContextClearCaches = lambda context: None
    try:
        yield
    finally:
        pywrap_tfe.TFE_ContextClearCaches = clear


def _graph_of(gradient: Any) -> Any:
    """Where an operation with a gradient of its own was traced; None where it was read from a file."""
    traced = getattr(gradient, "__closure__", None) and inspect.getclosurevars(gradient).nonlocals.get("tape_grad_fn")
    result = inspect.getclosurevars(traced).nonlocals.get("result") if traced else None
    return getattr(result[0] if isinstance(result, (list, tuple)) else result, "graph", None)


def _call(gradient: "weakref.ref[Callable[..., Any]]", *arguments: Any) -> Any:
    found = gradient()
    assert found is not None, "its graph is gone"
    return found(*arguments)


def _drop(registry: dict[str, Any], name: str, _: Any) -> None:
    registry.pop(name, None)


@_gradients_bound()
def fit(
    hypermodel: Any,
    hp: Any,
    examples: Examples,
    *,
    epochs: int,
    seed: int,
    log: EpochLog,
    objective: str = "val_accuracy",
    direction: Direction = "maximize",
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
    on_epoch: OnEpoch = lambda epoch, logs: None,
    on_look: OnLook | None = None,
    on_built: OnBuilt = lambda parameters: None,
    checkpoint: CheckpointFile | None = None,
) -> keras.Model:
    """Build the configuration that `hp` gives and train it.

    Args:
        hypermodel: KerasTuner's HyperModel.
        hp: HyperParameters; the same object is given to `build` and to `fit`, which may declare more.
        examples: What it is trained and validated on.
        epochs: How many.
        seed: Of the initial weights, the order of images, dropout and augmentation.
        log: Filled in epoch by epoch, so that it is there when the fit ends by an exception.
        objective: What a bare number that `HyperModel.fit` returns is, and what its epochs are judged by.
        direction: Which way that is better.
        callbacks: Makes more of them, which come before the study's own.
        on_epoch: Called after each epoch with its number, from 1, and its logs; what it raises ends the fit. A fit
            that goes on from a checkpoint calls it again for the checkpoint's epoch.
        on_look: As `pipeline.feed`'s.
        on_built: Called with the model's parameters before it is trained.
        checkpoint: Where each epoch is saved, and from where the fit goes on.

    Returns:
        The trained model.

    Raises:
        Diverged: the loss is not a number.
        StudyError: `fit` of the HyperModel neither trained with the callbacks nor returned a result.
    """

    def attempt() -> keras.Model:
        callback = _EpochCallback(log, on_epoch, on_look, checkpoint)
        model, result = _fit(hypermodel, hp, examples, epochs, seed, callback, callbacks(), on_built)
        take_result(log, result, epochs, objective, direction)
        log.parameters = model.count_params()
        return model

    try:
        return attempt()
    except model_state.OtherModel as error:
        assert checkpoint is not None
        checkpoint.refuse(str(error))
        checkpoint.remove()
        return attempt()
    finally:
        if checkpoint is not None:
            checkpoint.wait()


def _fit(
    hypermodel: Any,
    hp: Any,
    examples: Examples,
    epochs: int,
    seed: int,
    callback: _EpochCallback,
    callbacks: list[keras.callbacks.Callback],
    on_built: OnBuilt,
) -> tuple[keras.Model, Any]:
    """The trained model, and what `HyperModel.fit` returned."""
    policy = keras.config.dtype_policy()
    with _kernels_kept(hypermodel):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)  # which the session was
    hypermodel.declare_hyperparameters(hp)
    model = hypermodel.build(hp)
    if not isinstance(model, keras.Model):
        raise StudyError(f"build(hp) must return a keras.Model; it returned {type(model).__name__}")
    if model.built:
        on_built(model.count_params())
    arguments, options = examples.arguments(model, epochs)
    feed(
        model, examples.train, examples.validation, seed,
        last=callback, first_epoch=callback.first_epoch, on_look=callback.on_look,
    )  # fmt: skip
    return model, hypermodel.fit(hp, model, *arguments, callbacks=[*callbacks, callback], **options)


def probabilities(model: keras.Model, images: Images) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of a model that gives probabilities, logits, or one sigmoid unit."""
    size, x = evaluation_batch(images), images.scaled
    # A call a batch, not `predict`: nothing is traced for a few large batches.
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


def _targets(model: keras.Model, labels: NDArray[np.int64], classes: int) -> NDArray[Any]:
    """Labels as the model's loss wants them: one-hot for Keras's categorical losses, integers for all others."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    words = (loss if isinstance(loss, str) else "", getattr(loss, "__name__", ""), type(loss).__name__)
    name = " ".join(words).lower()
    one_hot = "categorical" in name and "sparse" not in name
    return keras.utils.to_categorical(labels, classes) if one_hot else labels


def demands_validation(hypermodel: Any) -> bool:
    """Whether `fit` cannot be called without `validation_data`, as in KerasTuner's own example."""
    parameter = inspect.signature(hypermodel.fit).parameters.get("validation_data")
    return parameter is not None and parameter.default is inspect.Parameter.empty
