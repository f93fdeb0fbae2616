"""In which types a model is kept and its steps compute."""

from facula_lightning.plugins.precision.amp import MixedPrecision
from facula_lightning.plugins.precision.double import DoublePrecision
from facula_lightning.plugins.precision.half import HalfPrecision
from facula_lightning.plugins.precision.precision import Precision
from facula_lightning.plugins.precision.resolve import make_precision

__all__ = ["DoublePrecision", "HalfPrecision", "MixedPrecision", "Precision", "make_precision"]
