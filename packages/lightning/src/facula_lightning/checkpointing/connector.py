"""What is in a checkpoint, and how each part finds its way back."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.backup_and_restore import find_backup
from facula_lightning.callbacks.model_checkpoint import ModelCheckpoint
from facula_lightning.checkpointing.io import PathLike
from facula_lightning.checkpointing.plain import plain_hparams
from facula_lightning.checkpointing.ranks import gather_states, state_of_rank, wait_for_all
from facula_lightning.loops.state import logger_states, rank_state
from facula_lightning.trainer.call import call_module
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from facula_lightning.version import __version__

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class CheckpointConnector:
    """Collects the state of a run and gives it back."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def save(self, path: PathLike, weights_only: bool, storage_options: object = None, alone: bool = False) -> None:
        """Write a checkpoint: the first process does, of all; ``alone`` of this one, without the others."""
        trainer = self.trainer
        checkpoint = self.collect(weights_only, alone)
        if trainer.is_global_zero or alone:
            trainer.checkpoint_io.save_checkpoint(checkpoint, path, storage_options)
        if not alone:
            wait_for_all(trainer)

    def collect(self, weights_only: bool, alone: bool = False) -> dict[str, Any]:
        """Return the checkpoint: the model's weights and, unless told otherwise, all that training needs to go on.

        Every process must call it, but for one that is ``alone``.
        """
        trainer = self.trainer
        module = trainer._module
        checkpoint: dict[str, Any] = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "facula-lightning_version": __version__,
            "state_dict": module.state_dict(),
            "loops": {"fit_loop": trainer.fit_loop.state_dict()},
        }
        if not weights_only:
            checkpoint["callbacks"] = self._callback_states()
            checkpoint.update(trainer._optimization.state_dict())
            precision = trainer.precision_plugin.state_dict()
            if precision:
                checkpoint[type(trainer.precision_plugin).__qualname__] = precision
            own = rank_state(trainer.fit_loop)
            checkpoint["ranks"] = [own] if alone else gather_states(trainer, own)
            checkpoint["metrics"] = trainer._logging.state_dict()
            for logger in trainer.loggers:
                logger.flush()
            checkpoint["loggers"] = logger_states(trainer.fit_loop)
        for owner in (module, trainer.datamodule):
            if owner is not None and owner.hparams:
                checkpoint[owner.CHECKPOINT_HYPER_PARAMS_NAME] = getattr(owner, "_hparams_name", "kwargs")
                checkpoint[owner.CHECKPOINT_HYPER_PARAMS_KEY] = plain_hparams(owner.hparams)
        if trainer.datamodule is not None:
            state = trainer.datamodule.state_dict()
            if state:
                checkpoint[type(trainer.datamodule).__qualname__] = state
        if not weights_only:
            for callback in trainer.callbacks:
                callback.on_save_checkpoint(trainer, module, checkpoint)
        call_module(trainer, "on_save_checkpoint", checkpoint)
        return checkpoint

    def _callback_states(self) -> dict[str, Any]:
        states = {}
        for callback in self.trainer.callbacks:
            state = callback.state_dict()
            if state:
                states[callback.state_key] = state
        return states

    def resolve_path(self, path: PathLike | None, stage: str, given_model: bool = True) -> str | None:
        """Return the file that ``ckpt_path`` means: a file, "last", "best" or "hpc".

        In a job that SLURM has requeued, None means "hpc". Else, for validate, test and predict, it means the weights as they
        are; for fit, the backup where there is one.
        """
        if path is None and "SLURM_NTASKS" in os.environ:
            from facula_lightning.plugins.environments.slurm import SLURMEnvironment

            if SLURMEnvironment.detect() and newest_hpc_checkpoint(self.trainer.default_root_dir) is not None:
                path = "hpc"
        if path is None:
            return find_backup(self.trainer) if stage == "fit" else None
        text = os.fspath(path)
        trainer = self.trainer
        savers = [each for each in trainer.callbacks if isinstance(each, ModelCheckpoint)]
        if text == "best":
            if not savers:
                raise ValueError(f'`.{stage}(ckpt_path="best")` is set but `ModelCheckpoint` is not configured.')
            best = savers[0].best_model_path
            if not best:
                if trainer.fast_dev_run:
                    raise ValueError(
                        f'You cannot execute `.{stage}(ckpt_path="best")` with `fast_dev_run=True`.'
                        f" Please pass an exact checkpoint path to `.{stage}(ckpt_path=...)`"
                    )
                raise ValueError(
                    f'`.{stage}(ckpt_path="best")` is set but `ModelCheckpoint` is not configured to save the best model.'
                )
            return best
        if text == "hpc":
            found = newest_hpc_checkpoint(trainer.default_root_dir)
            if found is None:
                raise ValueError(
                    f'`.{stage}(ckpt_path="hpc")` is set but no HPC checkpoint was found.'
                    f" Please pass an exact checkpoint path to `.{stage}(ckpt_path=...)`"
                )
            return found
        if text == "last":
            files = {name for saver in savers for name in saver.find_last_checkpoints(trainer)}
            files |= {saver.last_model_path for saver in savers if os.path.isfile(saver.last_model_path)}
            if not files:
                rank_zero_warn(
                    f'.{stage}(ckpt_path="last") is set, but there is no last checkpoint available. No checkpoint will be'
                    " loaded. HINT: Set `ModelCheckpoint(..., save_last=True)`."
                )
                return None
            return max(files, key=lambda name: (os.path.getmtime(name), name))
        return text

    def read(self, path: str) -> dict[str, Any]:
        """Return the checkpoint in a file."""
        rank_zero_info(f"Restoring states from the checkpoint path at {path}")
        return self.trainer.checkpoint_io.load_checkpoint(path, map_location=self.trainer.device)

    def restore_loggers(self, checkpoint: dict[str, Any]) -> None:
        """Let loggers of the same kind, in the same order, go on where they were."""
        for logger, saved in zip(self.trainer.loggers, checkpoint.get("loggers") or []):
            if type(logger).__qualname__ == saved["class"] and saved["state"]:
                logger.load_state_dict(saved["state"])

    def restore_module(self, checkpoint: dict[str, Any]) -> None:
        """Give the module and the data module their state back."""
        trainer = self.trainer
        module = trainer._module
        datamodule = trainer.datamodule
        if datamodule is not None and type(datamodule).__qualname__ in checkpoint:
            datamodule.load_state_dict(checkpoint[type(datamodule).__qualname__])
        call_module(trainer, "on_load_checkpoint", checkpoint)
        module.load_state_dict(checkpoint["state_dict"], strict=module.strict_loading)

    def restore_callbacks(self, checkpoint: dict[str, Any]) -> None:
        """Give the callbacks their state back."""
        trainer = self.trainer
        for callback in trainer.callbacks:
            callback.on_load_checkpoint(trainer, trainer._module, checkpoint)
        states = checkpoint.get("callbacks") or {}
        keys = {key for each in trainer.callbacks for key in (each.state_key, type(each).__qualname__)}
        missing = sorted(set(states) - keys)
        if missing:
            rank_zero_warn(
                "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided during"
                f" `Trainer` instantiation. Please add the following callbacks: {missing}."
            )
        for callback in trainer.callbacks:
            # Old checkpoints know a callback by its class.
            state = states.get(callback.state_key, states.get(type(callback).__qualname__))
            if state is not None:
                callback.load_state_dict(state)

    def restore_training(self, checkpoint: dict[str, Any]) -> None:
        """Give optimizers, schedulers, loops and random generators their state back."""
        trainer = self.trainer
        if "optimizer_states" not in checkpoint:
            raise KeyError(
                f"Trying to go on with training, but the checkpoint {trainer.ckpt_path} contains only the model."
                " This is probably due to `ModelCheckpoint.save_weights_only` being set to `True`."
            )
        trainer._optimization.load_state_dict(checkpoint)
        precision = checkpoint.get(type(trainer.precision_plugin).__qualname__)
        if precision:
            trainer.precision_plugin.load_state_dict(precision)
        own = state_of_rank(trainer, checkpoint["ranks"])
        if own["rng"] is None and own["fetcher"] is not None:
            rank_zero_warn(
                f"The checkpoint {trainer.ckpt_path} was saved by PyTorch Lightning in the middle of an epoch. It does not"
                " hold the state of the random generators or the loader: the first batches of the epoch are skipped, and"
                " the rest of it may come in another order."
            )
        trainer.fit_loop.load_state_dict(checkpoint["loops"]["fit_loop"], own)
        trainer._logging.load_state_dict(checkpoint["metrics"])
        epochs = trainer.fit_loop.epoch_progress.current.completed
        if trainer.max_epochs not in (None, -1) and epochs > trainer.max_epochs:
            raise MisconfigurationException(
                f"You restored a checkpoint with current_epoch={epochs},"
                f" but you have set Trainer(max_epochs={trainer.max_epochs})."
            )


def newest_hpc_checkpoint(folder: PathLike) -> str | None:
    """Return the newest ``hpc_ckpt_N.ckpt`` of a folder, which a job that was to end had saved; None without one."""
    numbers = _hpc_numbers(folder)
    return os.path.join(folder, f"hpc_ckpt_{max(numbers)}.ckpt") if numbers else None


def next_hpc_checkpoint(folder: PathLike) -> str:
    """Return the path for the next ``hpc_ckpt_N.ckpt`` of a folder."""
    return os.path.join(folder, f"hpc_ckpt_{max(_hpc_numbers(folder), default=0) + 1}.ckpt")


def _hpc_numbers(folder: PathLike) -> list[int]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [re.fullmatch(r"hpc_ckpt_(\d+)\.ckpt", name) for name in names]
    return [int(each.group(1)) for each in found if each]
