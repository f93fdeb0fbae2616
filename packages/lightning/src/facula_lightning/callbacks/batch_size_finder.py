"""BatchSizeFinder: looks for the largest batch size when a run begins, and goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import TunerExit

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class BatchSizeFinder(Callback):
    """Searches for the largest batch size that memory allows when fit, validate, test or predict begins, and uses it.

    The arguments are those of `Tuner.scale_batch_size`. What was found is ``optimal_batch_size``. The loaders have to come from
    the model or the data module, which read the attribute ``batch_arg_name``. A subclass may call ``scale_batch_size(trainer,
    pl_module)`` when it likes, such as at the beginning of some epochs. A resumed fit does not search again.
    """

    SUPPORTED_MODES = ("power", "binsearch")

    def __init__(
        self,
        mode: str = "power",
        steps_per_trial: int = 3,
        init_val: int = 2,
        max_trials: int = 25,
        batch_arg_name: str = "batch_size",
        margin: float = 0.05,
        max_val: int = 8192,
    ) -> None:
        mode = mode.lower()
        if mode not in self.SUPPORTED_MODES:
            raise ValueError(f"`mode` should be either of {self.SUPPORTED_MODES}, got {mode!r}")
        if not 0.0 <= margin < 1.0:
            raise ValueError(f"`margin` should be between 0 and 1, got {margin}")
        for name, value in (("steps_per_trial", steps_per_trial), ("init_val", init_val), ("max_val", max_val)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` should be a positive integer, got {value!r}")
        self.optimal_batch_size: int | None = init_val
        self._mode = mode
        self._steps_per_trial = steps_per_trial
        self._init_val = init_val
        self._max_trials = max_trials
        self._batch_arg_name = batch_arg_name
        self._margin = margin
        self._max_val = max_val
        self._early_exit = False
        self._found = False
        self._resumed = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that the batch size can be changed. MisconfigurationException where it cannot."""
        from facula_lightning.tuner.batch_size import check_batch_size

        check_batch_size(trainer, pl_module, stage, self._batch_arg_name)

    def scale_batch_size(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search with the stage that the trainer is in; ``optimal_batch_size`` is what was found."""
        from facula_lightning.tuner.batch_size import find_batch_size, use_batch_size

        self.optimal_batch_size = find_batch_size(
            trainer,
            pl_module,
            self._mode,
            self._steps_per_trial,
            self._init_val,
            self._max_trials,
            self._batch_arg_name,
            self._margin,
            self._max_val,
        )
        self._found = True
        if self._early_exit:
            raise TunerExit
        if self.optimal_batch_size is not None:
            use_batch_size(trainer, pl_module, self._batch_arg_name, self.optimal_batch_size)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, unless the run goes on that searched before."""
        resumed, self._resumed = self._resumed, False
        if not resumed:
            self.scale_batch_size(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, unless the validation is part of a fit."""
        if trainer.training_stage == "validate":
            self.scale_batch_size(trainer, pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search."""
        self.scale_batch_size(trainer, pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search."""
        self.scale_batch_size(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return what was found."""
        return {"batch_size": self.optimal_batch_size} if self._found else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.optimal_batch_size = state_dict["batch_size"]
        self._found = True

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the loaders of a resumed fit have the size that the run had found."""
        state = (checkpoint.get("callbacks") or {}).get(self.state_key)
        if not state or trainer.training_stage != "fit":
            return
        from facula_lightning.tuner.attributes import set_attribute

        self.load_state_dict(state)
        self._resumed = True
        if self.optimal_batch_size is not None:
            set_attribute(pl_module, trainer.datamodule, self._batch_arg_name, self.optimal_batch_size)
