"""Learning rate schedules."""

from facula.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from facula.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from facula.optim.lr_scheduler.cyclic import CyclicLR, OneCycleLR
from facula.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from facula.optim.lr_scheduler.plateau import ReduceLROnPlateau
from facula.optim.lr_scheduler.schedule import LRScheduler

#: The name it had before.
_LRScheduler = LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
