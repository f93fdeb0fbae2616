"""CrashCapsule: everything that is needed to see a failure again."""

from __future__ import annotations

import os
import platform
import traceback
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor
from facula.optim import Optimizer

from facula_lightning.callbacks.callback import Callback
from facula_lightning.checkpointing.plain import NotPlain, plain
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from facula_lightning.utilities.seed import collect_rng_states
from facula_lightning.version import __version__

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class NonFiniteError(FloatingPointError):
    """Raised where a loss or a gradient is infinite or not a number."""


class CrashCapsule(Callback):
    """Writes a capsule when training fails: a checkpoint of the state before the batch, with the batch and the error.

    ``python -m facula_lightning replay CAPSULE`` does that batch again, and a run can be resumed from it. With
    ``check_finite`` a loss or a gradient that is infinite or not a number ends training before the optimizer steps, so the
    weights in a capsule are the last good ones; leave it off where a gradient scaler deals with them. The folder is
    ``capsules`` in the trainer's unless ``dirpath`` names another.

    >>> CrashCapsule("failures").dirpath
    'failures'
    """

    repeats_interrupted_batches = True

    def __init__(self, dirpath: str | os.PathLike[str] | None = None, check_finite: bool = True) -> None:
        self.dirpath = None if dirpath is None else os.fspath(dirpath)
        self.check_finite = check_finite
        self.path: str | None = None
        self._batch: Any = None
        self._batch_idx = -1
        self._rng: dict[str, Any] | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember the batch and where the generators are."""
        self._batch, self._batch_idx = batch, batch_idx
        self._rng = collect_rng_states()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Check the loss."""
        if self.check_finite and not facula.isfinite(loss.detach()).all():
            raise NonFiniteError(
                f"the loss of batch {self._batch_idx} in epoch {trainer.current_epoch} is {loss.item()}"
            )

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Check the gradients."""
        if not self.check_finite:
            return
        names = {id(parameter): name for name, parameter in pl_module.named_parameters()}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and not facula.isfinite(parameter.grad).all():
                    name = names.get(id(parameter), "a parameter")
                    raise NonFiniteError(
                        f"the gradient of {name} in batch {self._batch_idx} of epoch {trainer.current_epoch} is not finite"
                    )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Forget the batch."""
        self._batch = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the capsule."""
        if trainer.training_stage != "fit" or trainer.sanity_checking or not isinstance(exception, Exception):
            return
        folder = self.dirpath or os.path.join(trainer.default_root_dir, "capsules")
        rank = f"-rank={trainer.global_rank}" if trainer.world_size > 1 else ""
        path = os.path.join(folder, f"epoch={trainer.current_epoch}-batch={self._batch_idx}{rank}.capsule")
        try:
            checkpoint = trainer._checkpoints.collect(weights_only=False, alone=True)
            checkpoint["capsule"] = self._describe(trainer, pl_module, exception)
            trainer.checkpoint_io.save_checkpoint(checkpoint, path)
        except Exception as error:
            # The failure that is to be seen is the first one.
            rank_zero_warn(f"No capsule could be written ({type(error).__name__}: {error})")
            return
        self.path = path
        rank_zero_info(f"To see the failure again: python -m facula_lightning replay {path}")

    def _describe(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> dict[str, Any]:
        kind = type(module)
        batch: Any = None
        try:
            batch = plain(self._batch)
        except NotPlain as error:
            rank_zero_warn(f"The capsule is without its batch: {error}")
        return {
            "batch": batch,
            "batch_idx": self._batch_idx,
            "repeatable": trainer.fit_loop.interrupted_batch and batch is not None,
            "rng": self._rng,
            "exception": {
                "type": type(exception).__name__,
                "message": str(exception),
                "traceback": "".join(traceback.format_exception(exception)),
            },
            "model": {"module": kind.__module__, "class": kind.__qualname__},
            "trainer": {
                **{"precision": trainer.precision, "accumulate_grad_batches": trainer.accumulate_grad_batches},
                **{"gradient_clip_val": trainer.gradient_clip_val},
                **{"gradient_clip_algorithm": trainer.gradient_clip_algorithm},
            },
            "check_finite": self.check_finite,
            "versions": {
                **{"facula": facula.__version__, "facula-lightning": __version__},
                **{"python": platform.python_version(), "platform": platform.platform()},
            },
        }
