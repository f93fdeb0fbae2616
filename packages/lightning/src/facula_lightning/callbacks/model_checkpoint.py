"""ModelCheckpoint: saving the best, the last or every state of a run."""

from __future__ import annotations

import math
import os
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_lightning.callbacks.checkpoint import Checkpoint
from facula_lightning.callbacks.names import format_name
from facula_lightning.checkpointing.io import remove_checkpoint
from facula_lightning.checkpointing.ranks import all_agree
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class ModelCheckpoint(Checkpoint):
    """Saves checkpoints: the ``save_top_k`` best by ``monitor``, or the newest without one, and the last.

    The default name is ``epoch=0-step=100.ckpt``; ``filename`` may hold ``{epoch}``, ``{step}`` and logged metrics with
    formats. At most one of ``every_n_train_steps``, ``every_n_epochs`` and ``train_time_interval`` says when.

    >>> ModelCheckpoint(monitor="val_loss", filename="{epoch:02d}").format_checkpoint_name({"epoch": 2})
    'epoch=02.ckpt'
    """

    CHECKPOINT_JOIN_CHAR = "-"
    CHECKPOINT_EQUALS_CHAR = "="
    CHECKPOINT_NAME_LAST = "last"
    FILE_EXTENSION = ".ckpt"
    STARTING_VERSION = 1

    def __init__(
        self,
        dirpath: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        monitor: str | None = None,
        verbose: bool = False,
        save_last: bool | str | None = None,
        save_top_k: int = 1,
        save_on_exception: bool = False,
        save_weights_only: bool = False,
        mode: str = "min",
        auto_insert_metric_name: bool = True,
        every_n_train_steps: int | None = None,
        train_time_interval: timedelta | None = None,
        every_n_epochs: int | None = None,
        save_on_train_epoch_end: bool | None = None,
        enable_version_counter: bool = True,
    ) -> None:
        if mode not in ("min", "max"):
            raise MisconfigurationException(f"`mode` can be min, max but got {mode}")
        if save_top_k < -1:
            raise MisconfigurationException(f"Invalid value for save_top_k={save_top_k}. Must be >= -1")
        for name, value in (("every_n_train_steps", every_n_train_steps), ("every_n_epochs", every_n_epochs)):
            if value is not None and value < 0:
                raise MisconfigurationException(f"Invalid value for {name}={value}. Must be >= 0")
        triggers = (bool(every_n_train_steps), bool(every_n_epochs), train_time_interval is not None)
        if sum(triggers) > 1:
            raise MisconfigurationException(
                f"Combination of parameters every_n_train_steps={every_n_train_steps}, every_n_epochs={every_n_epochs} and"
                f" train_time_interval={train_time_interval} should be mutually exclusive."
            )
        if monitor is None and save_top_k not in (-1, 0, 1):
            raise MisconfigurationException(
                f"ModelCheckpoint(save_top_k={save_top_k}, monitor=None) is not a valid configuration."
                " No quantity for top_k to track."
            )
        if every_n_train_steps is None and every_n_epochs is None and train_time_interval is None:
            every_n_epochs = 1
        self.dirpath = None if dirpath is None else os.path.realpath(os.path.expanduser(dirpath))
        self.filename = filename
        self.monitor = monitor
        self.verbose = verbose
        self.save_last = save_last
        self.save_top_k = save_top_k
        self.save_on_exception = self.repeats_interrupted_batches = save_on_exception
        self.save_weights_only = save_weights_only
        self.mode = mode
        self.auto_insert_metric_name = auto_insert_metric_name
        self.enable_version_counter = enable_version_counter
        self._every_n_train_steps = every_n_train_steps or 0
        self._every_n_epochs = every_n_epochs or 0
        self._train_time_interval = train_time_interval
        self._save_on_train_epoch_end = save_on_train_epoch_end
        self._last_global_step_saved = 0
        self._last_checkpoint_saved = ""
        self._last_time = 0.0
        self._waits_for_metric = False
        #: The file that the one being saved takes the place of.
        self._replaced = ""
        self.kth_value = facula.tensor(math.inf if mode == "min" else -math.inf)
        self.current_score: Tensor | None = None
        self.best_k_models: dict[str, Tensor] = {}
        self.kth_best_model_path = ""
        self.best_model_score: Tensor | None = None
        self.best_model_path = ""
        self.last_model_path = ""

    @property
    def every_n_epochs(self) -> int:
        """After how many epochs a checkpoint is saved; 0 for never by epochs."""
        return self._every_n_epochs

    @property
    def state_key(self) -> str:
        """The name of the callback's state in a checkpoint."""
        return self._generate_state_key(
            monitor=self.monitor,
            mode=self.mode,
            every_n_train_steps=self._every_n_train_steps,
            every_n_epochs=self._every_n_epochs,
            train_time_interval=self._train_time_interval,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the best checkpoints so far and their scores."""
        names = (
            *("monitor", "best_model_score", "best_model_path", "current_score", "dirpath", "kth_best_model_path"),
            *("kth_value", "last_model_path"),
        )
        return {
            **{name: getattr(self, name) for name in names},
            "best_k_models": dict(self.best_k_models),
            "last_saved": [self._last_global_step_saved, self._last_checkpoint_saved, self._waits_for_metric],
            "replaced": self._replaced,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; in another folder, only the best checkpoint's path is kept."""
        if self.dirpath is None or state_dict.get("dirpath", self.dirpath) == self.dirpath:
            for name in ("best_model_score", "kth_best_model_path", "kth_value", "best_k_models", "last_model_path"):
                setattr(self, name, state_dict.get(name, getattr(self, name)))
            self.current_score = state_dict.get("current_score")
            self._replaced = state_dict.get("replaced", "")
            if "last_saved" in state_dict:
                self._last_global_step_saved, self._last_checkpoint_saved, self._waits_for_metric = state_dict[
                    "last_saved"
                ]
        else:
            rank_zero_warn(
                f"The dirpath has changed from {state_dict.get('dirpath')!r} to {self.dirpath!r}, therefore"
                " `best_model_score`, `kth_best_model_path`, `kth_value`, `last_model_path` and `best_k_models` won't be"
                " reloaded. Only `best_model_path` will be reloaded."
            )
        self.best_model_path = state_dict["best_model_path"]

    # When

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Decide on the folder."""
        self.dirpath = trainer.strategy.broadcast(self._resolve_folder(trainer))
        if stage == "fit" and self.save_top_k != 0 and os.path.isdir(self.dirpath) and os.listdir(self.dirpath):
            rank_zero_warn(f"Checkpoint directory {self.dirpath} exists and is not empty.")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; delete what a run that was killed meanwhile had replaced and not deleted."""
        self._last_time = time.monotonic()
        replaced, self._replaced = self._replaced, ""
        self._remove(trainer, replaced, self._last_checkpoint_saved)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Save when a number of steps or a time has passed."""
        if self._should_skip(trainer):
            return
        by_step = self._every_n_train_steps > 0 and trainer.global_step % self._every_n_train_steps == 0
        by_time = False
        if self._train_time_interval is not None:
            passed = time.monotonic() - self._last_time >= self._train_time_interval.total_seconds()
            by_time = trainer.strategy.broadcast(passed)
        if not (by_step or by_time):
            return
        if by_time:
            self._last_time = time.monotonic()
        candidates = self._candidates(trainer)
        if self.monitor is not None and self.monitor not in candidates:
            # Validation may bring the metric.
            self._waits_for_metric = True
            return
        self._save_top_k(trainer, candidates)
        self._save_last(trainer, candidates)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after a number of epochs, unless that waits for validation."""
        if not self._should_skip(trainer) and self._saves_on_train_epoch_end(trainer):
            self._save_by_epoch(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation."""
        if self._should_skip(trainer):
            return
        if self._waits_for_metric:
            self._waits_for_metric = False
            candidates = self._candidates(trainer)
            self._save_top_k(trainer, candidates)
            self._save_last(trainer, candidates)
        elif not self._saves_on_train_epoch_end(trainer):
            self._save_by_epoch(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the last checkpoint where none was saved."""
        if self.save_last and not self._last_checkpoint_saved and not trainer.fast_dev_run:
            self._save_last(trainer, self._candidates(trainer))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save what there is, when told to."""
        if not self.save_on_exception or trainer.training_stage != "fit" or trainer.sanity_checking:
            return
        candidates = self._candidates(trainer)
        path = self.format_checkpoint_name(candidates, prefix="exception")
        self._save(trainer, path)
        rank_zero_info(f"{type(exception).__name__}: {exception}; saved a checkpoint to {path}")

    def _save_by_epoch(self, trainer: Trainer) -> None:
        candidates = self._candidates(trainer)
        if self._every_n_epochs >= 1 and (trainer.current_epoch + 1) % self._every_n_epochs == 0:
            self._save_top_k(trainer, candidates)
        if self._last_global_step_saved == trainer.global_step or (
            self.save_last == "link" and self._last_checkpoint_saved
        ):
            self._save_last(trainer, candidates)

    def _should_skip(self, trainer: Trainer) -> bool:
        return (
            bool(trainer.fast_dev_run)
            or trainer.training_stage != "fit"
            or trainer.sanity_checking
            or self._last_global_step_saved == trainer.global_step
        )

    def _saves_on_train_epoch_end(self, trainer: Trainer) -> bool:
        if self._save_on_train_epoch_end is not None:
            return self._save_on_train_epoch_end
        if not trainer.enable_validation:
            return True
        # Where validation does not come once with every epoch, a checkpoint follows each validation.
        return trainer.check_val_every_n_epoch == 1 and trainer.val_check_interval == 1.0

    # What

    def _candidates(self, trainer: Trainer) -> dict[str, Tensor]:
        found = dict(trainer.callback_metrics)
        found["epoch"] = facula.tensor(int(found.get("epoch", trainer.current_epoch)))
        found["step"] = facula.tensor(int(found.get("step", trainer.global_step)))
        # All processes go by the numbers of the first.
        return trainer.strategy.broadcast(found)

    def _save_top_k(self, trainer: Trainer, candidates: dict[str, Tensor]) -> None:
        if self.save_top_k == 0:
            return
        if self.monitor is None:
            self._save_newest(trainer, candidates)
            return
        if self.monitor not in candidates:
            message = (
                f"`ModelCheckpoint(monitor={self.monitor!r})` could not find the monitored key in the returned metrics:"
                f" {list(candidates)}. HINT: Did you call `log({self.monitor!r}, value)` in the `LightningModule`?"
            )
            if trainer.fit_loop.epoch_progress.current.ready and trainer.enable_validation is False:
                raise MisconfigurationException(message)
            if trainer.fit_loop.validation.results.items or not trainer.enable_validation:
                raise MisconfigurationException(message)
            rank_zero_warn(message)
            return
        score = candidates[self.monitor].detach().cpu()
        if all_agree(trainer, self.check_monitor_top_k(trainer, score)):
            self._save_best(trainer, score, candidates)
        elif self.verbose:
            rank_zero_info(
                f"Epoch {int(candidates['epoch'])}, global step {int(candidates['step'])}: {self.monitor!r} was not in top"
                f" {self.save_top_k}"
            )

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Return whether a score is among the best so far."""
        if current is None:
            return False
        if self.save_top_k == -1 or len(self.best_k_models) < self.save_top_k:
            return True
        worst = self.best_k_models[self.kth_best_model_path].item()
        return current.item() < worst if self.mode == "min" else current.item() > worst

    def _save_newest(self, trainer: Trainer, candidates: dict[str, Tensor]) -> None:
        path = trainer.strategy.broadcast(self._free_name(candidates, self.best_model_path))
        # The path is part of the state that is saved.
        previous, self.best_model_path = self.best_model_path, path
        self._save(trainer, path, previous if self.save_top_k == 1 else "")

    def _save_best(self, trainer: Trainer, score: Tensor, candidates: dict[str, Tensor]) -> None:
        k = len(self.best_k_models) + 1 if self.save_top_k == -1 else self.save_top_k
        removed = None
        if len(self.best_k_models) == k:
            removed = self.kth_best_model_path
            self.best_k_models.pop(removed)
        if math.isnan(score.item()):
            score = facula.tensor(math.inf if self.mode == "min" else -math.inf)
        path = trainer.strategy.broadcast(self._free_name(candidates, removed))
        self.current_score = score
        self.best_k_models[path] = score
        worst, best = (max, min) if self.mode == "min" else (min, max)
        if len(self.best_k_models) == k:
            self.kth_best_model_path = worst(self.best_k_models, key=lambda name: self.best_k_models[name].item())
            self.kth_value = self.best_k_models[self.kth_best_model_path]
        self.best_model_path = best(self.best_k_models, key=lambda name: self.best_k_models[name].item())
        self.best_model_score = self.best_k_models[self.best_model_path]
        if self.verbose:
            rank_zero_info(
                f"Epoch {int(candidates['epoch'])}, global step {int(candidates['step'])}: {self.monitor!r} reached"
                f" {score.item():0.5f} (best {self.best_model_score.item():0.5f}), saving model to {path!r} as top {k}"
            )
        self._save(trainer, path, removed or "")

    def _save_last(self, trainer: Trainer, candidates: dict[str, Tensor]) -> None:
        if not self.save_last:
            return
        path = self.format_checkpoint_name(candidates, self.CHECKPOINT_NAME_LAST)
        version = self.STARTING_VERSION
        while self.enable_version_counter and os.path.lexists(path) and path != self.last_model_path:
            path = self.format_checkpoint_name(candidates, self.CHECKPOINT_NAME_LAST, ver=version)
            version += 1
        path = trainer.strategy.broadcast(path)
        previous, self.last_model_path = self.last_model_path, path
        if self.save_last == "link" and self._last_checkpoint_saved and self.save_top_k != 0:
            if trainer.is_global_zero:
                self._link(self._last_checkpoint_saved, path)
            self._remove(trainer, previous, path)
        else:
            self._save(trainer, path, previous)

    def _save(self, trainer: Trainer, path: str, replaced: str = "") -> None:
        """Save a checkpoint, and then delete one that it takes the place of."""
        self._replaced = replaced
        # What was saved last is part of the state that is saved.
        self._last_global_step_saved = trainer.global_step
        self._last_checkpoint_saved = path
        trainer.save_checkpoint(path, self.save_weights_only)
        for logger in trainer.loggers:
            logger.after_save_checkpoint(self)
        self._replaced = ""
        self._remove(trainer, replaced, path)

    def _remove(self, trainer: Trainer, path: str, current: str) -> None:
        if path and self._may_remove(trainer, path, current):
            trainer.checkpoint_io.remove_checkpoint(path)

    @staticmethod
    def _link(target: str, path: str) -> None:
        """Let ``path`` stand for ``target``, in one step, or copy where links cannot be made."""
        temporary = f"{path}.tmp"
        remove_checkpoint(temporary)
        try:
            os.symlink(os.path.relpath(target, os.path.dirname(path)), temporary)
        except OSError:
            import shutil

            shutil.copy(target, temporary)
        os.replace(temporary, path)

    def _may_remove(self, trainer: Trainer, previous: str, current: str) -> bool:
        """Return whether an old checkpoint is ours to delete: not the one we go on from, and in our folder."""
        if previous == current or not trainer.is_global_zero:
            return False
        resumed = trainer.ckpt_path
        if resumed is not None and os.path.realpath(resumed) == os.path.realpath(previous):
            return False
        return self.dirpath is not None and os.path.abspath(previous).startswith(os.path.abspath(self.dirpath) + os.sep)

    # Where

    def format_checkpoint_name(
        self,
        metrics: dict[str, Tensor],
        filename: str | None = None,
        ver: int | None = None,
        prefix: str | None = None,
    ) -> str:
        """Return the path of a checkpoint with numbers filled in."""
        name = format_name(filename or self.filename, metrics, prefix, self.auto_insert_metric_name)
        if ver is not None:
            name = f"{name}-v{ver}"
        name += self.FILE_EXTENSION
        return os.path.join(self.dirpath, name) if self.dirpath else name

    def _free_name(self, candidates: dict[str, Tensor], replaced: str | None) -> str:
        path = self.format_checkpoint_name(candidates)
        version = self.STARTING_VERSION
        while self.enable_version_counter and os.path.exists(path) and path != replaced:
            path = self.format_checkpoint_name(candidates, ver=version)
            version += 1
        return path

    def _resolve_folder(self, trainer: Trainer) -> str:
        if self.dirpath is not None:
            return self.dirpath
        if not trainer.loggers:
            return os.path.join(trainer.default_root_dir, "checkpoints")
        logger = trainer.loggers[0]
        version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
        return os.path.join(logger.save_dir or trainer.default_root_dir, str(logger.name), version, "checkpoints")

    def find_last_checkpoints(self, trainer: Trainer) -> set[str]:
        """Return the files in the folder that are named as last checkpoints are."""
        folder = self._resolve_folder(trainer)
        if not os.path.isdir(folder):
            return set()
        pattern = re.compile(rf"{self.CHECKPOINT_NAME_LAST}(-v\d+)?{re.escape(self.FILE_EXTENSION)}")
        return {os.path.join(folder, name) for name in os.listdir(folder) if pattern.fullmatch(name)}
