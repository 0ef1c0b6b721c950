"""Search spaces that never come back, by their hyperparameter `kind`."""

import itertools
import threading
import time
from contextlib import suppress
from typing import Any

import keras
import tiny


def hang(kind: str) -> None:
    """Do what a kind means; `good` is nothing."""
    match kind:
        case "sleeps":
            time.sleep(3600)
        case "loops":
            while True:
                pass
        case "waits":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        case "tries again":
            while True:
                with suppress(Exception):
                    time.sleep(3600)
        case "never gives up":
            while True:
                with suppress(BaseException):
                    time.sleep(3600)
        case "in C":  # where no signal is heard, and no other thread runs
            sum(itertools.repeat(0))


HEARING = ("good", "sleeps", "loops", "waits", "tries again")
"""Kinds that a signal ends."""
DEAF = ("good", "sleeps", "in C", "never gives up")
"""The last two only end with their process."""


class Built(tiny.Tiny):
    """Hangs while the model is built."""

    kinds: tuple[str, ...] = HEARING

    def build(self, hp: Any) -> keras.Model:
        hang(hp.Choice("kind", list(self.kinds)))
        return tiny.compiled()

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=90, **kwargs)


class Deaf(Built):
    """The same where no signal helps."""

    kinds = DEAF


class Fitted(Built):
    """Hangs in its second epoch."""

    kinds = ("good", "sleeps")

    def build(self, hp: Any) -> keras.Model:
        hp.Choice("kind", list(self.kinds))
        return tiny.compiled()

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        def begin(epoch: int, logs: Any) -> None:
            if epoch == 1:
                hang(hp.get("kind"))

        hangs = keras.callbacks.LambdaCallback(on_epoch_begin=begin)
        return model.fit(*args, batch_size=90, callbacks=[hangs, *callbacks], **kwargs)


class DeafFitted(Fitted):
    """The same where no signal helps."""

    kinds = ("good", "in C")


class Long(Fitted):
    """Trains for too long, in epochs that are short."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        wait = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.5))
        more = [wait] if hp.get("kind") != "good" else []
        return model.fit(*args, batch_size=90, callbacks=[*more, *callbacks], **kwargs)


class Finals(Built):
    """Hangs on the images of the finals, which are more than those of the search."""

    how = "sleeps"

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled()

    def fit(self, hp: Any, model: keras.Model, x: Any, *args: Any, **kwargs: Any) -> Any:
        if len(x) > 80:
            hang(self.how)
        return model.fit(x, *args, batch_size=90, **kwargs)


class DeafFinals(Finals):
    """The same where no signal helps."""

    how = "in C"


def defaults(hp: Any) -> keras.Model:
    """Its defaults cannot be built."""
    hang("sleeps")
    return tiny.compiled()


def deaf_defaults(hp: Any) -> keras.Model:
    """The same where no signal helps."""
    hang("in C")
    return tiny.compiled()
