"""Whether the precision that was asked for suits the processor."""

import pytest

from study.system import machine
from study.training.description import Part
from study.training.precision import advice

MODELS: dict[str, list[Part]] = {
    "dense": [{"at": "layer 0", "class": "Flatten"}, {"at": "layer 1", "class": "Dense"}],
    "cnn": [{"at": "layer 0", "class": "Conv2D"}, {"at": "layer 1", "class": "Dense"}],
    "of mine": [{"at": "layer 0.1", "class": "Conv1D"}],
}


@pytest.mark.parametrize(
    "precision, has_bfloat16, is_warning",
    [
        ("float32", True, False), ("float32", False, None), ("float32", None, None),
        ("mixed_bfloat16", True, None), ("mixed_bfloat16", False, True), ("mixed_bfloat16", None, None),
        ("mixed_float16", True, None), ("mixed_float16", False, None),
    ],
)  # fmt: skip
def test_what_is_said(
    precision: str, has_bfloat16: bool | None, is_warning: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "computes_bfloat16", lambda: has_bfloat16)
    said = advice(precision, MODELS)
    assert (None if said is None else said.is_warning) is is_warning
    if said is not None:
        assert "networks of convolutions (cnn, of mine)" in said.text
        assert "dense" not in said.text
    assert advice(precision, {"dense": MODELS["dense"]}) is None


def test_a_gpu_has_bfloat16_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "computes_bfloat16", lambda: True)
    monkeypatch.setattr("study.system.environment.device", lambda: "NVIDIA L4")
    assert advice("float32", MODELS) is None
