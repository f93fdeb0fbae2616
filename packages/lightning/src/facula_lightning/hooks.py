"""The places where a module or a data module can step in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.utilities.data import move_data_to_device

if TYPE_CHECKING:
    import facula
    from facula.optim import Optimizer

    from facula_lightning.trainer import Trainer


class ModelHooks:
    """Hooks of a module, all empty; `facula_lightning.Trainer` says when each is called."""

    if TYPE_CHECKING:
        # What the hooks use of the module.
        @property
        def trainer(self) -> Trainer: ...  # noqa: D102
        def zero_grad(self, set_to_none: bool = True) -> None: ...  # noqa: D102

    def on_fit_start(self) -> None:
        """Called at the very beginning of fit."""

    def on_fit_end(self) -> None:
        """Called at the very end of fit."""

    def on_train_start(self) -> None:
        """Called at the beginning of training, after the sanity check."""

    def on_train_end(self) -> None:
        """Called at the end of training, before the logger is closed."""

    def on_validation_start(self) -> None:
        """Called at the beginning of validation."""

    def on_validation_end(self) -> None:
        """Called at the end of validation."""

    def on_test_start(self) -> None:
        """Called at the beginning of testing."""

    def on_test_end(self) -> None:
        """Called at the end of testing."""

    def on_predict_start(self) -> None:
        """Called at the beginning of predicting."""

    def on_predict_end(self) -> None:
        """Called at the end of predicting."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        """Called before a training batch; returning -1 skips the rest of the epoch."""

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Called after a training batch, with what ``training_step`` returned."""

    def on_validation_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called before a validation batch."""

    def on_validation_batch_end(self, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called after a validation batch, with what ``validation_step`` returned."""

    def on_test_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called before a test batch."""

    def on_test_batch_end(self, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called after a test batch, with what ``test_step`` returned."""

    def on_predict_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called before a batch to predict."""

    def on_predict_batch_end(self, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Called after a predicted batch, with what ``predict_step`` returned."""

    def on_validation_model_zero_grad(self) -> None:
        """Called before validation inside fit, to free the gradients' memory."""
        self.zero_grad()

    def on_validation_model_eval(self) -> None:
        """Called when validation begins; puts the module into evaluation mode."""
        self.trainer._module.eval()

    def on_validation_model_train(self) -> None:
        """Called when validation has ended; what it does replaces restoring each submodule's mode."""
        self.trainer._module.train()

    def on_test_model_eval(self) -> None:
        """Called when testing begins; puts the module into evaluation mode."""
        self.trainer._module.eval()

    def on_test_model_train(self) -> None:
        """Called when testing has ended; what it does replaces restoring each submodule's mode."""
        self.trainer._module.train()

    def on_predict_model_eval(self) -> None:
        """Called when predicting begins; puts the module into evaluation mode."""
        self.trainer._module.eval()

    def on_train_epoch_start(self) -> None:
        """Called at the beginning of each training epoch."""

    def on_train_epoch_end(self) -> None:
        """Called at the end of each training epoch."""

    def on_validation_epoch_start(self) -> None:
        """Called before the first validation batch."""

    def on_validation_epoch_end(self) -> None:
        """Called after the last validation batch."""

    def on_test_epoch_start(self) -> None:
        """Called before the first test batch."""

    def on_test_epoch_end(self) -> None:
        """Called after the last test batch."""

    def on_predict_epoch_start(self) -> None:
        """Called before the first batch to predict."""

    def on_predict_epoch_end(self) -> None:
        """Called after the last predicted batch."""

    def on_before_zero_grad(self, optimizer: Optimizer) -> None:
        """Called after ``training_step`` and before gradients are cleared."""

    def on_before_backward(self, loss: facula.Tensor) -> None:
        """Called before ``loss.backward()``."""

    def on_after_backward(self) -> None:
        """Called after ``loss.backward()``, before the optimizer steps."""

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Called before the optimizer steps and before gradients are clipped."""

    def configure_model(self) -> None:
        """Make layers here that should be made when the trainer begins; called before ``configure_optimizers``."""


class DataHooks:
    """Hooks that give data."""

    prepare_data_per_node = True
    allow_zero_length_dataloader_with_multiple_devices = False

    def prepare_data(self) -> None:
        """Download or unpack data here: called once, before ``setup``. Keep no state."""

    def setup(self, stage: str) -> None:
        """Called before fit, validate, test or predict; ``stage`` says which."""

    def teardown(self, stage: str) -> None:
        """Called after fit, validate, test or predict; ``stage`` says which."""

    def train_dataloader(self) -> object:
        """Return the loader to train on."""
        raise NotImplementedError("`train_dataloader` must be implemented to be used with the Lightning Trainer")

    def val_dataloader(self) -> object:
        """Return one loader, or a list of them, to validate on."""
        raise NotImplementedError("`val_dataloader` must be implemented to be used with the Lightning Trainer")

    def test_dataloader(self) -> object:
        """Return one loader, or a list of them, to test on."""
        raise NotImplementedError("`test_dataloader` must be implemented to be used with the Lightning Trainer")

    def predict_dataloader(self) -> object:
        """Return one loader, or a list of them, to predict on."""
        raise NotImplementedError("`predict_dataloader` must be implemented to be used with the Lightning Trainer")

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Return the batch, changed on its way to the device."""
        return batch

    def transfer_batch_to_device(self, batch: Any, device: facula.device, dataloader_idx: int) -> Any:
        """Return the batch on ``device``."""
        return move_data_to_device(batch, device)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Return the batch, changed on the device."""
        return batch


class CheckpointHooks:
    """Hooks that add to a checkpoint."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Called with the whole checkpoint before the module's weights are restored."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Called with the whole checkpoint before it is written; add to it here."""
