"""ProgressBar: what all bars do, whatever draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class ProgressBar(Callback):
    """Base of progress bars: a subclass draws in `begin`, `advance` and `finish`, or in hooks of its own."""

    #: Whether validation within fit has a bar of its own, below that of the epoch.
    shows_validation = False

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._enabled = True
        self._current_loader: int | None = None

    @property
    def trainer(self) -> Trainer:
        """The trainer whose progress is shown; TypeError before there is one."""
        if self._trainer is None:
            raise TypeError(f"The `{type(self).__name__}._trainer` reference has not been set yet.")
        return self._trainer

    @property
    def is_enabled(self) -> bool:
        """Whether the bar draws."""
        return self._enabled

    @property
    def is_disabled(self) -> bool:
        """Whether the bar draws nothing."""
        return not self.is_enabled

    def enable(self) -> None:
        """Draw."""
        self._enabled = True

    def disable(self) -> None:
        """Draw nothing."""
        self._enabled = False

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print without tearing the bar."""
        print(*args, **kwargs)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, int | str | float]:
        """Return what stands beside the bar: the logger's version, and what was logged with ``prog_bar=True``."""
        version = trainer.logger.version if trainer.logger is not None else None
        shown: dict[str, int | str | float] = {}
        if version is not None and version != "":
            shown["v_num"] = version[-4:] if isinstance(version, str) else version
        shown.update(trainer.progress_bar_metrics)
        return shown

    # What bars are called, and how long they are

    @property
    def sanity_check_description(self) -> str:
        """The title of the check before training."""
        return "Sanity Checking"

    @property
    def train_description(self) -> str:
        """The title of training."""
        return "Training"

    @property
    def validation_description(self) -> str:
        """The title of validation."""
        return "Validation"

    @property
    def test_description(self) -> str:
        """The title of testing."""
        return "Testing"

    @property
    def predict_description(self) -> str:
        """The title of prediction."""
        return "Predicting"

    @property
    def total_train_batches(self) -> int | float:
        """The number of batches of a training epoch; infinity where it is not known."""
        return self.trainer.num_training_batches

    @property
    def total_val_batches_current_dataloader(self) -> int | float:
        """The number of batches of the validation loader being read, in the check before training too."""
        trainer = self.trainer
        return self._of_current(trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches)

    @property
    def total_test_batches_current_dataloader(self) -> int | float:
        """The number of batches of the test loader being read."""
        return self._of_current(self.trainer.num_test_batches)

    @property
    def total_predict_batches_current_dataloader(self) -> int | float:
        """The number of batches of the loader being predicted for."""
        return self._of_current(self.trainer.num_predict_batches)

    @property
    def total_val_batches(self) -> int | float:
        """The number of batches of all validation loaders; 0 where this epoch is not to be validated."""
        trainer = self.trainer
        is_due = trainer.training_stage != "fit" or trainer.fit_loop._is_epoch_to_validate()
        return sum(trainer.num_val_batches) if is_due else 0

    def _of_current(self, totals: list[int | float]) -> int | float:
        assert self._current_loader is not None
        return totals[self._current_loader]

    def has_dataloader_changed(self, dataloader_idx: int) -> bool:
        """Return whether another loader than before is read, and remember it."""
        before, self._current_loader = self._current_loader, dataloader_idx
        return before != dataloader_idx

    def reset_dataloader_idx_tracker(self) -> None:
        """Forget which loader was read."""
        self._current_loader = None

    # Drawing

    def begin(self, stage: str, title: str, total: int | float) -> None:
        """Start a bar of ``total`` batches, infinity where that is not known; ``stage`` is train, val, test or predict."""

    def advance(self, stage: str, count: int) -> None:
        """Show that ``count`` batches are done."""

    def finish(self, stage: str) -> None:
        """End a bar."""

    def _begin_loader(self, stage: str, title: str, loaders: list[int | float]) -> None:
        index = self._current_loader or 0
        self.begin(stage, title if len(loaders) == 1 else f"{title} DataLoader {index}", loaders[index])

    # Hooks

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember whose numbers to show."""
        self._trainer = trainer

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's bar."""
        self.begin("train", f"Epoch {trainer.current_epoch}", trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Show a batch."""
        self.advance("train", batch_idx + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the epoch's bar."""
        self.finish("train")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End what is left."""
        self.finish("train")

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar; inside fit the epoch's bar stays."""
        if not self._shows_validation(trainer) or not self.has_dataloader_changed(dataloader_idx):
            return
        if trainer.sanity_checking:
            self._begin_loader("val", self.sanity_check_description, trainer.num_sanity_val_batches)
        else:
            self._begin_loader("val", self.validation_description, trainer.num_val_batches)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        if self._shows_validation(trainer):
            self.advance("val", batch_idx + 1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        if self._shows_validation(trainer):
            self.finish("val")
        self.reset_dataloader_idx_tracker()

    def _shows_validation(self, trainer: Trainer) -> bool:
        return self.shows_validation or trainer.training_stage == "validate"

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar."""
        if self.has_dataloader_changed(dataloader_idx):
            self._begin_loader("test", self.test_description, trainer.num_test_batches)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        self.advance("test", batch_idx + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        self.finish("test")
        self.reset_dataloader_idx_tracker()

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar."""
        if self.has_dataloader_changed(dataloader_idx):
            self._begin_loader("predict", self.predict_description, trainer.num_predict_batches)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        self.advance("predict", batch_idx + 1)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        self.finish("predict")
        self.reset_dataloader_idx_tracker()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal in order."""
        for stage in ("val", "train", "test", "predict"):
            self.finish(stage)
        self.reset_dataloader_idx_tracker()
