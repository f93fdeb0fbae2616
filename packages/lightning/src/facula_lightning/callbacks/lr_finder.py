"""LearningRateFinder: looks for a learning rate when fit begins, and trains with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import TunerExit

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer
    from facula_lightning.tuner.lr_finder import LRFinder


class LearningRateFinder(Callback):
    """Searches for a learning rate when fit begins, puts it into the model's attribute, and lets fit go on with it.

    The arguments are those of `Tuner.lr_find`. What was found is ``optimal_lr``. A subclass may call ``lr_find(trainer,
    pl_module)`` when it likes, such as at the beginning of some epochs. A resumed run does not search again.
    """

    SUPPORTED_MODES = ("linear", "exponential")

    def __init__(
        self,
        min_lr: float = 1e-8,
        max_lr: float = 1,
        num_training_steps: int = 100,
        mode: str = "exponential",
        early_stop_threshold: float | None = 4.0,
        update_attr: bool = True,
        attr_name: str = "",
    ) -> None:
        mode = mode.lower()
        if mode not in self.SUPPORTED_MODES:
            raise ValueError(f"`mode` should be either of {self.SUPPORTED_MODES}, got {mode!r}")
        self._min_lr = min_lr
        self._max_lr = max_lr
        self._num_training_steps = num_training_steps
        self._mode = mode
        self._early_stop_threshold = early_stop_threshold
        self._update_attr = update_attr
        self._attr_name = attr_name
        self._early_exit = False
        self._resumed = False
        self.optimal_lr: LRFinder | None = None

    def lr_find(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search from where the trainer is; ``optimal_lr`` is what was found."""
        from facula_lightning.tuner.lr_finder import find_lr, use_lr

        self.optimal_lr = find_lr(
            trainer,
            pl_module,
            min_lr=self._min_lr,
            max_lr=self._max_lr,
            num_training=self._num_training_steps,
            mode=self._mode,
            early_stop_threshold=self._early_stop_threshold,
            update_attr=self._update_attr,
            attr_name=self._attr_name,
        )
        if self._early_exit:
            raise TunerExit
        if self._update_attr and self.optimal_lr is not None:
            rate = self.optimal_lr.suggestion()
            if rate is not None:
                use_lr(trainer, pl_module, self._attr_name, rate)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, unless the run goes on that searched before."""
        resumed, self._resumed = self._resumed, False
        if not resumed:
            self.lr_find(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return what was found."""
        found = self.optimal_lr
        if found is None:
            return {}
        settings = (found.mode, found.lr_min, found.lr_max, found.num_training)
        return {"settings": list(settings), "results": {name: list(each) for name, each in found.results.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        from facula_lightning.tuner.lr_finder import LRFinder

        mode, lowest, highest, count = state_dict["settings"]
        self.optimal_lr = LRFinder(mode, lowest, highest, count)
        self.optimal_lr.results = {name: list(each) for name, each in state_dict["results"].items()}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Give the model the rate that the run had found."""
        state = (checkpoint.get("callbacks") or {}).get(self.state_key)
        if not state or trainer.training_stage != "fit":
            return
        from facula_lightning.tuner.attributes import rate_attribute, set_attribute

        self.load_state_dict(state)
        self._resumed = True
        rate = None if self.optimal_lr is None or not self._update_attr else self.optimal_lr.suggestion()
        if rate is not None:
            name = rate_attribute(pl_module, trainer.datamodule, self._attr_name)
            set_attribute(pl_module, trainer.datamodule, name, rate)
