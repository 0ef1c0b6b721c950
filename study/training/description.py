"""What a model is (layers, loss, metrics, optimizer), described alike whenever and wherever the same code builds it.

Left out is what may be another in each process, or in each build: names that Keras gives, seeds, addresses, the order
of dictionaries and sets. Of a Lambda layer's code, and of a class that gives no `get_config`, the name is all there is;
of an array, its shape.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import keras

from study.training.parts import parts

Part = dict[str, str]
"""A layer, or what the model was compiled with: `at` says where it is, `class` what, and the rest how it is made."""
WHOLE = "model"
LONGEST = 200
"""Characters of a value; of a longer one the beginning is kept, and a hash of the whole."""
STRUCTURE = {"layers", "input_layers", "output_layers", "build_input_shape"}
"""What the configuration of a model has of its layers, which are described one by one."""
PLAIN = {"trainable": "True", "dtype": "float32"}
"""What is left out of a layer because it is nearly always so."""


def description(model: keras.Model) -> list[Part]:
    """The parts of a model that was just built, the layers first; what cannot be asked is left out."""
    found: list[Part] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of lambdas
        for some in (_network(model, WHOLE, {id(model)}), _compiled(model)):
            with suppress(Exception):  # whatever the properties of a user's class raise
                found += some  # as far as it comes
    return found


def is_layer(part: Part) -> bool:
    """Whether it is a part of the network, and not of what that was compiled with."""
    return part["at"].startswith((WHOLE, "layer"))


def key(part: Part) -> str:
    """A short hash of a part, wherever it is."""
    content = json.dumps(sorted((name, value) for name, value in part.items() if name != "at"))
    return hashlib.sha256(content.encode()).hexdigest()[:6]


def shorthand(found: Sequence[Part]) -> str:
    """A description as a record stores it: the version of Keras and the `key` of each part, with the name of what is no
    layer."""
    named = ("" if is_layer(part) else f"{part['at']}=" for part in found)
    return " ".join([keras.__version__, *(name + key(part) for name, part in zip(named, found, strict=True))])


def _network(model: keras.Model, at: str, seen: set[int]) -> Iterator[Part]:
    """A model, which is at that place, and its layers."""
    found = getattr(model, "operations", None) or model.layers
    seen.update(map(id, found))
    # That of a Sequential model says nothing but its layers.
    config = {} if type(model) is keras.Sequential else _config(model)
    own = {name: value for name, value in config.items() if name not in STRUCTURE}
    yield _part(at, model, own, model.layers)
    before = _connections(config)
    for index, operation in enumerate(found):
        place = f"layer {index}" if at == WHOLE else f"{at}.{index}"
        for part in _operation(operation, place, seen):
            yield part | {"from": before[index]} if part["at"] == place and index in before else part


def _operation(operation: Any, at: str, seen: set[int]) -> Iterator[Part]:
    """A layer of a model, or another operation between its tensors, and the layers within it."""
    if isinstance(operation, keras.Model):
        yield from _network(operation, at, seen)
        return
    inner = [each for each in parts(operation) if isinstance(each, keras.layers.Layer) and id(each) not in seen]
    seen.update(map(id, inner))
    yield _part(at, operation, _config(operation), inner)
    for index, each in enumerate(inner):
        yield _part(f"{at}.{index}", each, {} if isinstance(each, keras.Model) else _config(each), inner)


def _part(at: str, each: Any, config: Mapping[str, Any], inner: Iterable[Any] = ()) -> Part:
    """An object by its class, its configuration and the shapes of its own weights, which are not those of `inner`."""
    found = {"at": at, "class": type(each).__name__} | dict(_items(config, type(each).__name__))
    if isinstance(each, keras.layers.Layer):
        found = {name: value for name, value in found.items() if PLAIN.get(name) != value}
        others = {id(weight) for layer in inner if layer is not each for weight in layer.weights}
        if shapes := [tuple(weight.shape) for weight in each.weights if id(weight) not in others]:
            found["weights"] = _short(", ".join(map(str, shapes)))
    return found


def _connections(config: Mapping[str, Any]) -> dict[int, str]:
    """Where each operation of a graph of layers gets its input from, by its number, as far back as it lies; without
    those that get it from the operation before."""
    layers = config.get("layers", ())
    names = {str(each.get("name")): index for index, each in enumerate(layers) if isinstance(each, dict)}
    found = {}
    for index, each in enumerate(layers):
        calls = each.get("inbound_nodes") if isinstance(each, dict) else None
        plain = [{"args": [{"before": 1}], "kwargs": {}}]
        if calls and (came := _traced(calls, names, index)) != plain:
            found[index] = _short(_text(came))
    if (ends := config.get("output_layers")) and layers and (came := _ends(ends, names, len(layers))) != "1":
        found[len(layers) - 1] = f"{found.get(len(layers) - 1, '')} to the output: {came}".strip()
    return found


def _traced(value: Any, names: Mapping[str, int], index: int) -> Any:
    """The arguments of a call, with each tensor as the distance to the operation that it comes from."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, *which = value["config"]["keras_history"]
            return {"before": index - names[name]} | ({"output": which} if any(which) else {})
        return {name: found for name, each in value.items() if (found := _traced(each, names, index)) is not None}
    if isinstance(value, (list, tuple)):
        return [_traced(each, names, index) for each in value]
    return value


def _ends(value: Any, names: Mapping[str, int], count: int) -> str:
    """Which operations give the output, counted from the last."""
    if isinstance(value, (list, tuple)) and len(value) == 3 and value[0] in names:
        which = "" if not any(value[1:]) else f" {value[1:]}"
        return f"{count - names[value[0]]}{which}"
    entries = value.values() if isinstance(value, dict) else value
    return ", ".join(_ends(each, names, count) for each in entries)


def _compiled(model: keras.Model) -> Iterator[Part]:
    """What a model is compiled with, and further optimizers that it has."""
    optimizer = getattr(model, "optimizer", None)
    if isinstance(optimizer, keras.optimizers.Optimizer):
        yield _part("optimizer", optimizer, _config(optimizer))
    try:
        given = model.get_compile_config() or {}
    except Exception:  # whatever a user's loss or metric raises that has no configuration
        given = {"loss": getattr(model, "loss", None)}
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if (value := given.get(name)) is not None:
            yield {"at": name, "class": _short(_text(value))}
    known = set(map(id, parts(optimizer))) if optimizer is not None else set()
    others = [each for each in parts(model) if isinstance(each, keras.optimizers.Optimizer) and id(each) not in known]
    for index, each in enumerate(others):
        yield _part(f"optimizer.{index}", each, _config(each))


def _config(each: Any) -> Mapping[str, Any]:
    """The configuration of a Keras object; empty where its class gives none."""
    try:
        config = each.get_config()
    except Exception:  # a user's class may raise anything
        return {}
    return config if isinstance(config, dict) else {}


def _items(config: Mapping[str, Any], kind: str, *, ordered: bool = False) -> Iterator[tuple[str, str]]:
    """What a configuration says, without names that Keras gives, seeds, and what is not set."""
    for name in sorted(config, key=str) if ordered else config:
        value = config[name]
        if value is not None and not str(name).endswith("seed") and (name != "name" or _is_meant(value, kind)):
            yield str(name), _short(_text(value))


def _is_meant(name: Any, kind: str) -> bool:
    """Whether the name of an object of that class is more than a name: that of a type or of a metric."""
    if kind.endswith("DTypePolicy"):
        return True
    given = re.sub(r"_\d+$", "", str(name)).replace("_", "").lower()
    metric = getattr(keras.metrics, kind, None)
    return metric is not None and issubclass(metric, keras.metrics.Metric) and given != kind.lower()


def _text(value: Any) -> str:
    """A value of a configuration, alike in every process."""
    if isinstance(value, dict):
        return _object(value) if "class_name" in value else f"{{{_joined(value, '')}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"[{', '.join(sorted(map(_text, value)))}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return re.sub(r"0x[0-9a-f]+", "0x", value)
    if value is None or isinstance(value, (bool, int)):
        return str(value)
    if (shape := getattr(value, "shape", None)) is not None:
        return _array(shape, getattr(value, "dtype", ""))
    return str(getattr(value, "__name__", type(value).__name__))


def _object(value: Mapping[str, Any]) -> str:
    """An object as Keras has serialized it."""
    kind, config = str(value["class_name"]), value.get("config")
    if kind == "__lambda__":
        return "a lambda"
    if kind in ("__numpy__", "__tensor__") and isinstance(config, dict):
        return _array(keras.ops.shape(config["value"]), config.get("dtype"))
    if kind == "function" or not isinstance(config, dict):
        return _text(config)
    if kind.endswith("DTypePolicy"):
        return str(config.get("name", kind))
    inside = "" if "layers" in config else _joined(config, kind)
    return f"{kind}({inside})"


def _joined(config: Mapping[str, Any], kind: str) -> str:
    return ", ".join(f"{name}={text}" for name, text in _items(config, kind, ordered=True))


def _array(shape: Any, dtype: Any) -> str:
    return f"{dtype} array of shape {tuple(shape)}"


def _short(text: str) -> str:
    """A text of at most `LONGEST` characters that differs where the whole does."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 10]}… {hashlib.sha256(text.encode()).hexdigest()[:8]}"
