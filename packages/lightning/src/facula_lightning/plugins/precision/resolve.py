"""From the trainer's argument to a precision."""

from __future__ import annotations

from typing import Literal, get_args

from facula_lightning.plugins.precision.amp import MixedPrecision
from facula_lightning.plugins.precision.double import DoublePrecision
from facula_lightning.plugins.precision.half import HalfPrecision
from facula_lightning.plugins.precision.precision import Precision

PrecisionName = Literal["16-true", "16-mixed", "bf16-true", "bf16-mixed", "32-true", "64-true"]
#: What the trainer's argument may be.
PrecisionInput = Literal[64, 32, 16] | PrecisionName | Literal["64", "32", "16", "bf16"]
NAMES: tuple[str, ...] = get_args(PrecisionName)
_SHORT = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}


def make_precision(precision: str | int | None, device: str) -> Precision:
    """Return the precision that a name (or 16, 32, 64) means, for a kind of device; float32 for None.

    >>> make_precision("bf16", "cpu").precision
    'bf16-mixed'
    """
    given = "32-true" if precision is None else str(precision)
    name = _SHORT.get(given, given)
    if name not in NAMES:
        raise ValueError(f"Precision {precision!r} is invalid. Allowed precision values: {(*NAMES, *_SHORT)}")
    if name.endswith("-mixed"):
        return MixedPrecision(name, device)
    if name in ("16-true", "bf16-true"):
        return HalfPrecision(name)
    return DoublePrecision() if name == "64-true" else Precision()
