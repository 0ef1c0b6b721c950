"""Whether the precision that a study was asked for suits the processor."""

from collections.abc import Mapping, Sequence

from study.system import environment, machine
from study.system.progress import Line
from study.training.description import Part

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")


def advice(precision: str, models: Mapping[str, Sequence[Part]]) -> Line | None:
    """What to say where networks of convolutions would take less time in the other precision; None where a GPU trains,
    and where it is not known what the processor can do.

    Args:
        precision: One of `config.PRECISIONS`: what was asked for.
        models: The descriptions of the spaces' models by their names.
    """
    found = [name for name, parts in models.items() if any(part["class"] in CONVOLUTIONS for part in parts)]
    if not found or environment.device() != "CPU":
        return None
    networks, has_bfloat16 = f"networks of convolutions ({', '.join(found)})", machine.computes_bfloat16()
    if precision == "float32" and has_bfloat16:
        return Line(
            f"this processor computes in bfloat16: {networks} should train faster with --precision mixed_bfloat16; "
            "docs/spaces.md says what that changes"
        )
    if precision == "mixed_bfloat16" and has_bfloat16 is False:
        return Line(
            f"this processor has none of the instructions for bfloat16 ({', '.join(machine.BFLOAT16)}): {networks} "
            "train several times slower with it than with float32",
            is_warning=True,
        )
    return None
