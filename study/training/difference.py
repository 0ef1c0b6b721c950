"""What differs between a model as it was built once and as it is built now, in words."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from study.training.description import Part, is_layer, key, shorthand

SHOWN = 3
"""Differences that a message names."""
WIDEST = 80
"""Characters of a part in a message."""
NEAR = 30
"""Characters of what two parts have in common that are shown before what differs."""


def difference(then: str, now: Sequence[Part], details: Sequence[Part] | None = None) -> str:
    """What differs between two models, in words; empty where nothing does, or where they cannot be compared: nothing
    was stored of the first, or another version of Keras built it.

    Args:
        then: The `shorthand` of the first.
        now: The description of the second.
        details: The description of the first, where that was kept.
    """
    if not then:
        return ""
    version, *keys = then.split(" ")
    found = shorthand(now)
    if then == found or version != found.partition(" ")[0]:
        return ""
    old = details if details is not None else [_unknown(each) for each in keys]
    layers = _otherwise(*([each for each in parts if is_layer(each)] for parts in (old, now)))
    was, is_now = ({each["at"]: each for each in parts if not is_layer(each)} for parts in (old, now))
    others = [_pair(was.get(at), is_now.get(at)) for at in {**was, **is_now} if not _same(was.get(at), is_now.get(at))]
    return first_of([*layers, *others]) or "the order of its parts"


def _unknown(token: str) -> Part:
    """A part of which the key alone is known."""
    at, _, stored = token.rpartition("=")
    return {"at": at or "layer", "key": stored}


def _key(part: Part) -> str:
    return part.get("key") or key(part)


def _same(was: Part | None, is_now: Part | None) -> bool:
    return was is not None and is_now is not None and _key(was) == _key(is_now)


def _otherwise(then: Sequence[Part], now: Sequence[Part]) -> list[str]:
    """The layers that are not in both."""
    matcher = SequenceMatcher(None, [*map(_key, then)], [*map(_key, now)], autojunk=False)
    pairs = [
        (was, is_now)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
        for was, is_now in zip_longest(then[a:b], now[c:d])
    ]
    # What follows a layer of another width has other weights, too.
    return [_pair(*pair) for pair in pairs if _differing(*pair) != ["weights"]] or [_pair(*pair) for pair in pairs]


def _differing(was: Part | None, is_now: Part | None) -> list[str] | None:
    """The names under which two parts of the same class differ; None for others."""
    if was is None or is_now is None or was.get("class") != is_now["class"]:
        return None
    names = [name for name in {**is_now, **was} if name != "at" and was.get(name) != is_now.get(name)]
    return [name for name in names if name != "weights"] or names


def _pair(was: Part | None, is_now: Part | None) -> str:
    """A part then and now, in words: of two of the same class, what differs."""
    if is_now is None:
        assert was is not None
        return f"{was['at']}: {_shown(was)} is gone" if "class" in was else f"{'a ' * is_layer(was)}{was['at']} is gone"
    if was is None:
        return f"{is_now['at']}: {_shown(is_now)} is new"
    if "class" not in was:
        return f"{is_now['at']}: {_shown(is_now)} was different"
    only = _differing(was, is_now)
    texts = [_told(each, only) for each in (is_now, was)]
    same = next((index for index, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    beginning = was["class"] + "(" if was["class"] == is_now["class"] else ""
    if same > WIDEST - NEAR:  # what differs would be cut off
        texts = [f"{beginning}…{text[same - NEAR :]}" for text in texts]
    return f"{is_now['at']}: {_cut(texts[0])} was {_cut(texts[1])}"


def _shown(part: Part) -> str:
    """A part by its class and what it is made with."""
    return _cut(_told(part))


def _told(part: Part, only: Sequence[str] | None = None) -> str:
    """The same in full, or some of what it is made with."""
    told = ", ".join(
        f"{name}={value}" for name, value in part.items()
        if name not in ("at", "class") and (only is None or name in only)
    )  # fmt: skip
    return f"{part['class']}({told})" if told else part["class"]


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def first_of(found: Sequence[str]) -> str:
    """The first of what differs, and how many more there are."""
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ", ".join([*found[:SHOWN], *more])
