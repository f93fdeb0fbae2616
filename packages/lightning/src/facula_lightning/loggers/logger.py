"""Logger: where logged numbers go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from facula_lightning.callbacks.checkpoint import Checkpoint


class Logger(ABC):
    """Base of loggers."""

    #: Whether the logger itself decides when rows are written; `save` of any other is called after each row.
    writes_by_itself = False

    @property
    @abstractmethod
    def name(self) -> str | None:
        """The name of the experiment."""

    @property
    @abstractmethod
    def version(self) -> int | str | None:
        """The version of the experiment: its number, or a name."""

    @property
    def root_dir(self) -> str | None:
        """The folder of all versions."""
        return None

    @property
    def log_dir(self) -> str | None:
        """The folder of this version."""
        return None

    @property
    def save_dir(self) -> str | None:
        """The folder of all experiments."""
        return None

    @property
    def group_separator(self) -> str:
        """What stands between a group and a name."""
        return "/"

    @property
    def experiment(self) -> Any:
        """What the logger writes through."""
        return None

    @abstractmethod
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record numbers at a step."""

    def log_record(self, metrics: dict[str, float], axes: Mapping[str, float | None], x: str = "step") -> None:
        """Record numbers at a point of the axes "step", "epoch", "samples" and "tokens", to be drawn over the axis ``x``.

        Unless overridden `log_metrics` is called, with the place on that axis as the step. An axis that is not known is None.
        """
        place = axes[x]
        self.log_metrics(metrics=metrics, step=None if place is None else int(place))

    @abstractmethod
    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Record hyper-parameters."""

    def log_graph(self, model: object, input_array: object = None) -> None:
        """Record the model's graph, where the logger can."""

    def save(self) -> None:
        """Write what waits."""

    def state_dict(self) -> dict[str, Any]:
        """Return where the logger is, so that a resumed run can go on there; empty when it cannot."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken: what was logged after that will be logged again."""

    def flush(self) -> None:
        """Write what waits at once: called before a checkpoint, so that the log reaches as far as it."""
        self.save()

    def finalize(self, status: str) -> None:
        """Write everything; ``status`` is "success" or "failed"."""
        self.save()

    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:
        """Called after a callback saved a checkpoint."""


class DummyExperiment:
    """An object all of whose methods do nothing."""

    def __getattr__(self, name: str) -> object:
        return self._nothing

    def __getitem__(self, index: int) -> DummyExperiment:
        return self

    def _nothing(self, *args: object, **kwargs: Any) -> None:
        return None


class DummyLogger(Logger):
    """A logger that records nothing."""

    def __init__(self) -> None:
        self._experiment = DummyExperiment()

    @property
    def experiment(self) -> DummyExperiment:
        """An object all of whose methods do nothing."""
        return self._experiment

    @property
    def name(self) -> str:
        """Empty."""
        return ""

    @property
    def version(self) -> str:
        """Empty."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Do nothing."""

    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Do nothing."""
