"""The loop over training epochs and the batches in them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.loops.evaluation import EvaluationLoop
from facula_lightning.loops.fetcher import Fetcher
from facula_lightning.loops.progress import (
    BATCH_END,
    BATCH_START,
    EPOCH_END,
    EPOCH_START,
    FINISHED,
    VALIDATION_END,
    VALIDATION_START,
    Progress,
    Seen,
)
from facula_lightning.loops.state import (
    Pending,
    generators_state,
    logger_states,
    restore_buffers,
    restore_gradients,
    restore_metrics,
    state_before_batch,
    told_to_stop,
)
from facula_lightning.trainer.call import accepts, call_both
from facula_lightning.trainer.data import number_of_batches, weight_of
from facula_lightning.trainer.flags import resolve_epochs_and_steps
from facula_lightning.trainer.requeue import requeue_if_asked
from facula_lightning.trainer.results import Results
from facula_lightning.trainer.signals import stop_if_terminated
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.loaders import set_epoch
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from facula_lightning.utilities.seed import set_rng_states
from facula_lightning.utilities.warnings import PossibleUserWarning

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class FitLoop:
    """Trains for epochs; can be taken up again at any point where a checkpoint may be saved."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.epoch_progress = Progress()
        self.batch_progress = Progress()
        self.batches_that_stepped = 0
        self.seen = Seen()
        self.results = Results()
        self.validation = EvaluationLoop(trainer, "validation")
        self.fetcher: Fetcher | None = None
        self.max_batches: int | float = math.inf
        self.val_check_batch: int | float = math.inf
        self._takes_index = True
        #: When the last validation of the run ended, or its training began, on the monotonic clock.
        self._validated_at = 0.0
        self.position = EPOCH_START
        self._restored: dict[str, Any] | None = None
        self._loaded_epoch: int | None = None
        self._stop_was_refused = False
        self._batch_end = Pending(trainer, "on_train_batch_end")
        self._epoch_end = _EpochEnd(trainer, "on_train_epoch_end")
        #: The hook that is under way, where a checkpoint within it can be resumed.
        self.pending: Pending | None = None
        #: The `rank_state` before the batch under way, where a callback wants interrupted batches to be done again.
        self.before_batch: dict[str, Any] | None = None
        self.loggers_before_batch: list[dict[str, Any]] = []
        self._steps_before = 0
        #: Where the generators were when validation began.
        self.before_validation: dict[str, Any] = {}

    # The trainer's limits, which may be moved between two fits.

    @property
    def max_epochs(self) -> int:
        """After how many epochs a fit ends; -1 for never by epochs."""
        return self.trainer.max_epochs

    @max_epochs.setter
    def max_epochs(self, value: int) -> None:
        self.trainer.max_epochs, _ = resolve_epochs_and_steps(value, self.trainer.max_steps, True)

    @property
    def min_epochs(self) -> int | None:
        """How many epochs a fit has at least."""
        return self.trainer.min_epochs

    @min_epochs.setter
    def min_epochs(self, value: int | None) -> None:
        self.trainer.min_epochs = value

    @property
    def max_steps(self) -> int:
        """After how many steps a fit ends; -1 for never by steps."""
        return self.trainer.max_steps

    @max_steps.setter
    def max_steps(self, value: int) -> None:
        _, self.trainer.max_steps = resolve_epochs_and_steps(self.trainer.max_epochs, value, True)

    @property
    def min_steps(self) -> int | None:
        """How many steps a fit has at least."""
        return self.trainer.min_steps

    @min_steps.setter
    def min_steps(self, value: int | None) -> None:
        self.trainer.min_steps = value

    @property
    def resuming(self) -> bool:
        """Whether `run` will go on from a checkpoint."""
        return self._restored is not None

    # What there is to read

    @property
    def _batches(self) -> Fetcher:
        """The fetcher, which is there from `setup_data` on."""
        assert self.fetcher is not None
        return self.fetcher

    def setup_data(self) -> None:
        """Ask for the training loader, where it is due."""
        trainer = self.trainer
        every = trainer.reload_dataloaders_every_n_epochs
        epoch = trainer.current_epoch
        if self.fetcher is not None and not (
            every and self._loaded_epoch is not None and epoch - self._loaded_epoch >= every
        ):
            return
        self._loaded_epoch = epoch
        loaders = trainer._data.loaders("train")
        if len(loaders) != 1:
            raise MisconfigurationException(f"expected one training loader, got {len(loaders)}")
        self.max_batches = number_of_batches(loaders[0], trainer.limit_train_batches, "train")
        self.fetcher = Fetcher(loaders[0], self.max_batches)
        if any(each.repeats_interrupted_batches for each in trainer.callbacks):
            self.fetcher.before_batch = self._keep_state_before_batch
        interval = trainer.val_check_interval
        if isinstance(interval, timedelta):
            self.val_check_batch = math.inf
        elif isinstance(interval, int):
            self.val_check_batch = interval
            if interval > self.max_batches and trainer.check_val_every_n_epoch is not None:
                raise ValueError(
                    f"`val_check_interval` ({interval}) must be less than or equal to the number of the training batches"
                    f" ({self.max_batches}). If you want to disable validation set `limit_val_batches` to 0.0 instead."
                    " If you want to validate based on the total training batches, set `check_val_every_n_epoch=None`."
                )
        elif math.isinf(self.max_batches):
            if interval != 1.0:
                raise MisconfigurationException(
                    "When using an IterableDataset for `train_dataloader`, `Trainer(val_check_interval)` must be a time,"
                    " `1.0` or an int. An int k specifies checking validation every k training batches."
                )
            self.val_check_batch = math.inf
        else:
            self.val_check_batch = max(1, int(self.max_batches * interval))
        if trainer.loggers and self.max_batches < trainer.log_every_n_steps and not trainer.fast_dev_run:
            rank_zero_warn(
                f"The number of training batches ({self.max_batches}) is smaller than the logging interval"
                f" Trainer(log_every_n_steps={trainer.log_every_n_steps}). Set a lower value for log_every_n_steps if you"
                " want to see logs for the training epoch.",
                category=PossibleUserWarning,
            )

    def _keep_state_before_batch(self, place: dict[str, Any]) -> None:
        self.before_batch = state_before_batch(self, place)
        self.loggers_before_batch = logger_states(self)

    @property
    def interrupted_batch(self) -> bool:
        """Whether a batch is under way whose optimizer step was not made, and which can be done again."""
        under_way = self.batch_progress.current.ready > self.batch_progress.current.processed
        return (
            self.before_batch is not None
            and under_way
            and self.position == BATCH_START
            and self._steps_before == self.trainer._optimization.steps
        )

    # Running

    def run(self) -> None:
        """Train until one of the trainer's limits."""
        trainer = self.trainer
        if trainer.limit_train_batches == 0:
            return
        self.setup_data()
        # The last epoch of a run that was interrupted at its end is still to be completed.
        unfinished = self._restored is not None and self._restored["position"] == EPOCH_END
        if self.max_batches == 0 or (not unfinished and self._is_done()):
            self._restored = None
            return
        if self._is_epoch_to_validate() and trainer.enable_validation:
            self.validation.setup_data(trainer.current_epoch)
        restored, self._restored = self._restored, None
        self._validated_at = time.monotonic() - (restored or {}).get("seconds_since_validation", 0.0)
        self._takes_index = accepts(trainer._module.training_step, "batch_idx", 2)
        logging = trainer._logging
        begins = restored is None or self.batch_progress.total.ready == 0
        if begins:
            self.results.reset()
        # What is logged where training starts belongs to its first epoch, and was logged before a resume.
        logging.results = self.results if begins else Results()
        call_both(trainer, "on_train_start")
        logging.results = self.results
        if restored is not None:
            self._take_up(restored, begins)
        while not self._is_done():
            self.setup_data()
            self._run_epoch()
        self.position = FINISHED
        call_both(trainer, "on_train_end")
        logging.results = None
        self._batches.close()

    def _is_done(self) -> bool:
        trainer = self.trainer
        if trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps:
            rank_zero_info(f"`Trainer.fit` stopped: `max_steps={trainer.max_steps}` reached.")
            return True
        if trainer.max_epochs not in (None, -1) and self.epoch_progress.current.processed >= trainer.max_epochs:
            rank_zero_info(f"`Trainer.fit` stopped: `max_epochs={trainer.max_epochs}` reached.")
            return True
        return trainer.should_stop and self._may_stop_early()

    def _may_stop_early(self) -> bool:
        trainer = self.trainer
        enough_epochs = not trainer.min_epochs or self.epoch_progress.current.processed >= trainer.min_epochs
        enough_steps = not trainer.min_steps or trainer.global_step >= trainer.min_steps
        if enough_epochs and enough_steps:
            return True
        if not self._stop_was_refused:
            self._stop_was_refused = True
            rank_zero_info(
                "Trainer was signaled to stop but the required"
                f" `min_epochs={trainer.min_epochs!r}` or `min_steps={trainer.min_steps!r}` has not been met."
                " Training will continue..."
            )
        return False

    def _run_epoch(self) -> None:
        trainer = self.trainer
        self.position = EPOCH_START
        trainer._module.zero_grad()
        self.batch_progress.reset()
        self.epoch_progress.current.ready += 1
        set_epoch(self._batches.loader, trainer.current_epoch)
        call_both(trainer, "on_train_epoch_start")
        self.epoch_progress.current.started += 1
        self._batches.begin()
        self._run_batches()
        self._end_epoch()

    def _run_batches(self) -> None:
        profiler = self.trainer._profiler
        if profiler is None:
            self._train_batches(self._batches)
        else:
            with profiler.profile("run_training_epoch"):
                self._train_batches(profiler.iterate(self._batches, "[_TrainingEpochLoop].train_dataloader_next"))

    def _train_batches(self, batches: Iterable[object]) -> None:
        trainer = self.trainer
        takes_index = self._takes_index
        distributed = trainer.strategy.is_distributed
        if self._epoch_is_over():
            return
        with facula.enable_grad():
            for batch in batches:
                skip_rest = self._run_batch(batch, takes_index)
                if skip_rest:
                    break
                terminated = requeued = False
                if distributed:
                    terminated, requeued = trainer.strategy.share_stopping(trainer)
                if requeued or trainer.received_requeue:  # asked first, since it is once a batch
                    requeue_if_asked(trainer, requeued)
                self._after_batch(self.position)
                if terminated if distributed else trainer.received_sigterm:
                    trainer.received_sigterm = True
                    stop_if_terminated(trainer)
                if self._epoch_is_over():
                    break

    def _epoch_is_over(self) -> bool:
        trainer = self.trainer
        if self.batch_progress.current.ready and trainer.is_last_batch:
            return True
        if trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps:
            return True
        return trainer.should_stop and self._may_stop_early()

    def _run_batch(self, batch: object, takes_index: bool) -> bool:
        """Train on a batch; return whether a hook asked to skip the rest of the epoch."""
        trainer = self.trainer
        optimization = trainer._optimization
        self.position = BATCH_START
        self._steps_before = optimization.steps
        progress = self.batch_progress.current
        batch_idx = progress.ready
        last = trainer.is_last_batch = self._batches.is_last
        batch = trainer._transfer(batch, 0)
        trainer._logging.batch = batch
        self.results.begin_batch()
        progress.ready += 1
        if optimization.distributed:
            optimization.weight = weight_of(self._batches.loader, batch_idx)
        skip_rest = call_both(trainer, "on_train_batch_start", batch, batch_idx) == -1
        if not skip_rest:
            progress.started += 1
            arguments = (batch, batch_idx) if takes_index else (batch,)
            if trainer._profiler is None:
                outputs = optimization.train_batch(arguments, batch_idx, self._accumulating())
            else:
                with trainer._profiler.profile("run_training_batch"):
                    outputs = optimization.train_batch(arguments, batch_idx, self._accumulating())
            self._count(batch)
        progress.processed += 1
        if optimization.schedulers:
            if not self._accumulating():
                optimization.step_schedulers_by_step()
            if last or skip_rest:
                optimization.step_schedulers("epoch", False, trainer.current_epoch + 1)
        if skip_rest:
            return True
        self.position = BATCH_END
        self.pending = self._batch_end
        self._batch_end.call(outputs, batch, batch_idx)
        self.pending = None
        trainer._logging.batch = None
        return False

    def _count(self, batch: object) -> None:
        """Count the samples and tokens of a batch; other processes are taken to have as many in theirs."""
        trainer = self.trainer
        if not trainer.loggers:
            return
        samples, tokens = trainer._module.samples_of(batch), trainer._module.tokens_of(batch)
        if trainer.strategy.is_distributed:
            samples = None if samples is None else samples * trainer.world_size
            tokens = None if tokens is None else tokens * trainer.world_size
        self.seen.add(samples, tokens)

    def _accumulating(self) -> bool:
        """Return whether gradients of this batch wait for more: never for the last batch."""
        trainer = self.trainer
        named = trainer._optimization.named
        if named is not None:
            return named.waiting
        every = trainer.accumulate_grad_batches
        return every > 1 and self.batch_progress.current.ready % every != 0 and not trainer.is_last_batch

    @property
    def has_open_window(self) -> bool:
        """Whether there are gradients that more will be added to."""
        named = self.trainer._optimization.named
        return self._accumulating() if named is None else named.has_open_window

    def _after_batch(self, position: str) -> None:
        """Do what follows a batch, from ``position`` on: log, validate, count."""
        accumulating = self._accumulating()
        if position == BATCH_END:
            self.batch_progress.current.completed += 1
            if self.results:
                metrics = self.results.metrics(on_step=True)
                self.trainer._logging.publish(metrics, to_loggers=self._row_is_due() and not accumulating)
            if self._validation_is_due():
                self._validate()
        self.position = BATCH_START
        if not accumulating:
            if self.trainer._optimization.schedulers:
                self.trainer._optimization.step_plateau_schedulers_by_step()
            self.batches_that_stepped += 1

    def _row_is_due(self) -> bool:
        every = self.trainer.log_every_n_steps
        return every > 0 and ((self.batches_that_stepped + 1) % every == 0 or self.trainer.should_stop)

    def _validate(self) -> None:
        trainer = self.trainer
        trainer.validating = True
        self.before_validation = generators_state(self)
        self.position = VALIDATION_START
        self.validation.run()
        self.position = VALIDATION_END
        self._validated_at = time.monotonic()
        trainer.validating = False
        requeue_if_asked(trainer)

    def _is_epoch_to_validate(self) -> bool:
        every = self.trainer.check_val_every_n_epoch
        return every is None or (self.trainer.current_epoch + 1) % every == 0

    def _validation_is_due(self) -> bool:
        trainer = self.trainer
        interval = trainer.val_check_interval
        if trainer.should_stop and self._may_stop_early():
            due = True
        elif isinstance(interval, timedelta):
            passed = time.monotonic() - self._validated_at >= interval.total_seconds()
            due = trainer.strategy.broadcast(passed) if trainer.strategy.is_distributed else passed
        elif self.val_check_batch == math.inf:
            due = trainer.is_last_batch
        else:
            progress = self.batch_progress
            count = (progress.total if trainer.check_val_every_n_epoch is None else progress.current).ready
            due = count % self.val_check_batch == 0
        # What takes longest to find out is asked last.
        return due and self._is_epoch_to_validate() and trainer.enable_validation

    def _end_epoch(self) -> None:
        trainer = self.trainer
        self.epoch_progress.current.processed += 1
        self.position = EPOCH_END
        # Step values of the last batch are no news at the end of the epoch.
        self.results.begin_batch()
        # Hooks see the metrics of this epoch; those that watch metrics also see what the others logged.
        trainer._logging.publish(self.results.metrics(on_step=False), to_loggers=False)
        first = [each for each in trainer.callbacks if not each.watches_metrics]
        watching = [each for each in trainer.callbacks if each.watches_metrics]
        self.pending = self._epoch_end
        self._epoch_end.call(targets=[*first, None, *watching])
        self.pending = None
        if trainer.strategy.is_distributed:
            trainer.strategy.share_stopping(trainer)
        self._complete_epoch()

    def _complete_epoch(self) -> None:
        trainer = self.trainer
        metrics = self.results.metrics(on_step=False)
        trainer._optimization.step_schedulers("epoch", True, trainer.current_epoch + 1)
        self.batches_that_stepped -= 1
        trainer._logging.publish(metrics)
        self.results.reset()
        self.batches_that_stepped += 1
        self.epoch_progress.current.completed += 1
        self.position = FINISHED

    # Saving and taking up

    def state_dict(self) -> dict[str, Any]:
        """Return where the loop is, as far as all processes agree on it; `rank_state` returns the rest."""
        batches = self.batch_progress.state_dict()
        if self.interrupted_batch:
            for counts in batches.values():
                counts["ready"], counts["started"] = counts["ready"] - 1, counts["processed"]
        return {
            "state_dict": {
                "position": self.position,
                "stopped": told_to_stop(self.trainer),
                "seconds_since_validation": time.monotonic() - self._validated_at if self._validated_at else 0.0,
            },
            "epoch_progress": self.epoch_progress.state_dict(),
            "epoch_loop.batch_progress": {
                **batches,
                "is_last_batch": self.fetcher is not None and self.fetcher.is_last,
            },
            "epoch_loop.state_dict": {"_batches_that_stepped": self.batches_that_stepped},
            "seen": asdict(self.seen),
            "optimizer_steps": self.trainer._optimization.steps,
        }

    def load_state_dict(self, state: dict[str, Any], own: dict[str, Any]) -> None:
        """Take back what `state_dict` and `rank_state` returned; `run` then goes on from there."""
        self.epoch_progress.load_state_dict(state["epoch_progress"])
        batches = {key: value for key, value in state["epoch_loop.batch_progress"].items() if key != "is_last_batch"}
        self.batch_progress.load_state_dict(batches)
        self.batches_that_stepped = state["epoch_loop.state_dict"]["_batches_that_stepped"]
        self.trainer._optimization.steps = state["optimizer_steps"]
        # Not in checkpoints of Lightning's, nor in those of earlier versions.
        self.seen = Seen(**state.get("seen", {"samples": None, "tokens": None}))
        self.results.load_state_dict(own["results"])
        self.results.find_metrics(self.trainer._module)
        self._restored = {**state["state_dict"], **own}

    def _take_up(self, state: dict[str, Any], begins: bool) -> None:
        """Do what was left to do of the epoch in which a checkpoint was saved; ``begins`` where no batch was trained on before."""
        trainer = self.trainer
        position = state["position"]
        place = state["fetcher"]
        in_epoch = position in (BATCH_START, BATCH_END, VALIDATION_START, VALIDATION_END) and place is not None
        if place is not None:
            set_epoch(self._batches.loader, trainer.current_epoch)
            self._batches.resume(place)
            trainer.is_last_batch = self._batches.is_last
            if not in_epoch:
                self._batches.finish(place)
        restore_gradients(trainer, state["gradients"])
        restore_metrics(trainer._module, state["module_metrics"])
        restore_buffers(trainer, state["buffers"])
        trainer._optimization.weight = state["weight"]
        self.validation.restore_generators(state["validation_generators"])
        self.validation.batches_seen = list(state.get("validation_batches", self.validation.batches_seen))
        trainer.should_stop = trainer.should_stop or state["stopped"]
        if state["rng"] is not None:
            set_rng_states(state["rng"])
        self.position = position
        if in_epoch:
            if position == BATCH_END:
                self.pending = self._batch_end
                self._batch_end.finish(state["pending"])
                self.pending = None
            elif position == VALIDATION_START:
                self._validate()
            elif position == VALIDATION_END:
                self._finish_validation(state)
                self._validated_at = time.monotonic()
            if position != BATCH_START:
                self._after_batch(BATCH_END if position == BATCH_END else VALIDATION_END)
            if self._epoch_is_over():
                self._batches.finish(place)
            else:
                self._run_batches()
            self._end_epoch()
        elif position == EPOCH_END:
            self.pending = self._epoch_end
            self._epoch_end.finish(state["pending"])
            self.pending = None
            self._complete_epoch()
        elif not begins:
            # What was logged where the epoch started will be logged again.
            self.results.reset()
        self.position = FINISHED

    def _finish_validation(self, state: dict[str, Any]) -> None:
        trainer = self.trainer
        if not state["validation_results"] and state["pending"] is None:
            return
        trainer.validating = True
        self.validation.finish(state["validation_results"], state["pending"])
        trainer.validating = False


class _EpochEnd(Pending):
    """The end of an epoch: callbacks that watch metrics see what the module logged in the same hook."""

    def after_module(self) -> None:
        """Publish what was logged."""
        loop = self.trainer.fit_loop
        self.trainer._logging.publish(loop.results.metrics(on_step=False), to_loggers=False)
