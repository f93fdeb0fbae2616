"""What a trainer is doing: its status, its method that runs, and the stage within it."""

from __future__ import annotations

from dataclasses import dataclass

from facula_lightning.utilities.enums import LightningEnum


class TrainerStatus(LightningEnum):
    """How far a method of the trainer is."""

    INITIALIZING = "initializing"
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"

    @property
    def stopped(self) -> bool:
        """Whether the method has come to an end."""
        return self in (TrainerStatus.FINISHED, TrainerStatus.INTERRUPTED)


class TrainerFn(LightningEnum):
    """The methods of the trainer."""

    FITTING = "fit"
    VALIDATING = "validate"
    TESTING = "test"
    PREDICTING = "predict"


class RunningStage(LightningEnum):
    """What is done within a method: fit trains and validates."""

    TRAINING = "train"
    SANITY_CHECKING = "sanity_check"
    VALIDATING = "validate"
    TESTING = "test"
    PREDICTING = "predict"

    @property
    def evaluating(self) -> bool:
        """Whether the stage evaluates."""
        return self in (RunningStage.VALIDATING, RunningStage.TESTING, RunningStage.SANITY_CHECKING)


@dataclass(frozen=True)
class TrainerState:
    """What a trainer was doing when it was asked; ``stage`` is None between two methods.

    >>> TrainerState(TrainerStatus.FINISHED, TrainerFn.FITTING).finished
    True
    """

    status: TrainerStatus = TrainerStatus.INITIALIZING
    fn: TrainerFn | None = None
    stage: RunningStage | None = None

    @property
    def finished(self) -> bool:
        """Whether the method came to its end."""
        return self.status is TrainerStatus.FINISHED

    @property
    def stopped(self) -> bool:
        """Whether the method has come to an end, its own or another."""
        return self.status.stopped


def state_of(status: str, method: str | None, running: bool, validating: bool, sanity_checking: bool) -> TrainerState:
    """Return the state of a trainer whose last or present ``method`` is, or is not, ``running``."""
    function = None if method is None else TrainerFn(method)
    if not running or function is None:
        stage = None
    elif function is not TrainerFn.FITTING:
        stage = RunningStage(function.value)
    elif sanity_checking:
        stage = RunningStage.SANITY_CHECKING
    else:
        stage = RunningStage.VALIDATING if validating else RunningStage.TRAINING
    return TrainerState(TrainerStatus(status), function, stage)
