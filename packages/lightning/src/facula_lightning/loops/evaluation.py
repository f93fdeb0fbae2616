"""The loop of validation and test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.loops.modes import inference_context, restored_modes, step_context
from facula_lightning.loops.progress import VALIDATION_END
from facula_lightning.loops.state import Pending
from facula_lightning.loops.table import print_results
from facula_lightning.trainer.call import accepts, call_both, call_callbacks, call_module, is_overridden
from facula_lightning.trainer.data import number_of_batches
from facula_lightning.trainer.logging import by_axis
from facula_lightning.trainer.requeue import requeue_if_asked
from facula_lightning.trainer.results import Results
from facula_lightning.trainer.signals import stop_if_terminated
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.loaders import generator_states, restore_generators

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class EvaluationLoop:
    """Runs a module's evaluation step over its loaders; ``stage`` is "validation" or "test"."""

    def __init__(self, trainer: Trainer, stage: str) -> None:
        self.trainer = trainer
        self.stage = stage
        self.kind = "val" if stage == "validation" else "test"
        self.results = Results()
        self.loaders: list[Iterable[Any]] = []
        self.batches: list[int | float] = []
        self.sanity_batches: list[int | float] = []
        self.verbose = True
        #: How many batches of each loader were evaluated so far, which is what numbers by step are logged at.
        self.batches_seen: list[int] = []
        self._loaded_epoch: int | None = None
        self._end_hook = Pending(trainer, f"on_{stage}_end")

    def setup_data(self, epoch: int = 0) -> None:
        """Ask for the loaders, unless they are there already and need not be asked for again."""
        every = self.trainer.reload_dataloaders_every_n_epochs
        if self.loaders and not (every and self._loaded_epoch is not None and epoch - self._loaded_epoch >= every):
            return
        self._loaded_epoch = epoch
        limit = getattr(self.trainer, f"limit_{self.kind}_batches")
        self.loaders = self.trainer._data.loaders(self.kind)
        self.batches = [number_of_batches(loader, limit, self.kind) for loader in self.loaders]
        self.batches_seen += [0] * (len(self.loaders) - len(self.batches_seen))
        self.sanity_batches = [min(self.trainer.num_sanity_val_steps, count) for count in self.batches]

    def run(self) -> list[dict[str, float]]:
        """Evaluate on all loaders; return what was logged by epoch, a dictionary for each loader."""
        trainer = self.trainer
        module = trainer.lightning_module
        if trainer.training_stage == "fit" and not trainer.sanity_checking and not trainer.fit_loop.has_open_window:
            # Within a window of accumulation the gradients are still to be added to.
            call_module(trainer, f"on_{self.stage}_model_zero_grad")
        self.setup_data(trainer.current_epoch)
        if not trainer.strategy.reduce_boolean_decision(any(self._limits), all=False):
            return []
        logging = trainer._logging
        outer_results, logging.results = logging.results, self.results
        outer_batch = logging.batch
        # An override of the module's hook answers for the modes itself.
        own_train_hook = is_overridden(f"on_{self.stage}_model_train", module)
        with restored_modes(None if own_train_hook else module), inference_context(trainer):
            call_module(trainer, f"on_{self.stage}_model_eval")
            # A callback may choose other loaders.
            self._begin()
            for index, (loader, limit) in enumerate(zip(self.loaders, self._limits)):
                self._run_loader(index, loader, limit)
            found = self._end()
            # In the loop processes have different numbers of batches: they end it together.
            if trainer.strategy.is_distributed:
                trainer.received_sigterm, requeued = trainer.strategy.share_stopping(trainer)
                # What follows a validation within training is not to be done twice: there the next batch comes first.
                requeue_if_asked(trainer, requeued and trainer.training_stage != "fit")
                stop_if_terminated(trainer)
        if own_train_hook:
            call_module(trainer, f"on_{self.stage}_model_train")
        logging.results, logging.batch, logging.dataloader_idx = outer_results, outer_batch, None
        return found

    @property
    def _limits(self) -> list[int | float]:
        return self.sanity_batches if self.trainer.sanity_checking else self.batches

    def _begin(self) -> None:
        self.results.reset()
        call_both(self.trainer, f"on_{self.stage}_start")
        call_both(self.trainer, f"on_{self.stage}_epoch_start")

    def _run_loader(self, index: int, loader: Iterable[Any], limit: int | float) -> None:
        trainer = self.trainer
        module = trainer.lightning_module
        logging = trainer._logging
        several = len(self.loaders) > 1
        distributed = trainer.strategy.is_distributed
        logging.dataloader_idx = index if several else None
        step, start_hook, end_hook = (
            f"{self.stage}_step",
            f"on_{self.stage}_batch_start",
            f"on_{self.stage}_batch_end",
        )
        takes_index = accepts(getattr(module, step), "batch_idx", 2)
        if several and not accepts(getattr(module, step), "dataloader_idx", 3):
            raise MisconfigurationException(
                f"You provided multiple `{self.kind}_dataloader`, but no `dataloader_idx` argument in"
                f" `{type(module).__name__}.{step}()`. Try adding `dataloader_idx=0` to its signature."
            )
        if limit == 0:
            return
        if trainer._profiler is not None:
            loader = trainer._profiler.iterate(loader, f"[_EvaluationLoop].{self.kind}_next")
        for batch_idx, batch in enumerate(loader):
            batch = trainer._transfer(batch, index)
            logging.batch = batch
            self.results.begin_batch()
            position = (batch_idx, index) if several else (batch_idx,)
            call_callbacks(trainer, start_hook, batch, batch_idx, index)
            call_module(trainer, start_hook, batch, *position)
            with step_context(trainer, self.stage):
                output = call_module(trainer, step, batch, *(position if takes_index else ()))
            if output is not None and not isinstance(output, (Tensor, dict)):
                raise MisconfigurationException(
                    f"`{step}` must return a Tensor, a dict or None, got {type(output).__name__}"
                )
            call_callbacks(trainer, end_hook, output, batch, batch_idx, index)
            call_module(trainer, end_hook, output, batch, *position)
            if self.results and not trainer.sanity_checking:
                metrics = self.results.metrics(on_step=True)
                if any(metrics[kind] for kind in metrics if kind != "callback"):
                    # Callbacks see numbers of evaluation by epoch only.
                    logging.publish({**metrics, "callback": {}}, step=self.batches_seen[index])
            if not trainer.sanity_checking:
                self.batches_seen[index] += 1
            if not distributed:
                requeue_if_asked(trainer)
                stop_if_terminated(trainer)
            if batch_idx + 1 >= limit:
                break
        logging.batch = None
        logging.dataloader_idx = None

    def _end(self) -> list[dict[str, float]]:
        trainer = self.trainer
        if trainer.strategy.is_distributed:
            # Hooks see what was logged of the epoch; of several processes only where all of them compute it.
            trainer._logging.publish(self.results.metrics(on_step=False), to_loggers=False)
        call_both(trainer, f"on_{self.stage}_epoch_end")
        metrics = self.results.metrics(on_step=False)
        trainer._logging.publish(metrics, to_loggers=False)
        fitting = trainer.training_stage == "fit" and not trainer.sanity_checking
        if fitting:
            trainer.fit_loop.position = VALIDATION_END
            trainer.fit_loop.pending = self._end_hook
        self._end_hook.call()
        if not trainer.sanity_checking:
            trainer._logging.write_all(metrics)
        trainer.fit_loop.pending = None
        found = self._by_loader({name: value for each in by_axis(metrics).values() for name, value in each.items()})
        if self.verbose and trainer.training_stage != "fit" and trainer.is_global_zero:
            print_results(found, self.stage)
        return found

    def finish(self, results: list[dict[str, Any]], pending: dict[str, Any] | None) -> None:
        """Do what was left to do where a checkpoint was saved in the hook at the end."""
        trainer = self.trainer
        logging = trainer._logging
        outer_results, logging.results = logging.results, self.results
        self.results.load_state_dict(results)
        self.results.find_metrics(trainer._module)
        trainer.fit_loop.pending = self._end_hook
        with restored_modes(trainer.lightning_module), inference_context(trainer):
            self._end_hook.finish(pending)
            logging.write_all(self.results.metrics(on_step=False))
        trainer.fit_loop.pending = None
        if is_overridden(f"on_{self.stage}_model_train", trainer.lightning_module):
            call_module(trainer, f"on_{self.stage}_model_train")
        logging.results = outer_results

    def generator_states(self) -> list[list[Tensor]]:
        """Return where the generators of the loaders are."""
        return [generator_states(loader) for loader in self.loaders]

    def restore_generators(self, states: list[list[Tensor]]) -> None:
        """Take back what `generator_states` returned."""
        for loader, state in zip(self.loaders, states):
            restore_generators(loader, state)

    def _by_loader(self, metrics: dict[str, Tensor]) -> list[dict[str, float]]:
        found: list[dict[str, float]] = [{} for _ in self.loaders]
        for name, value in metrics.items():
            text, mark, number = name.rpartition("/dataloader_idx_")
            for index, each in enumerate(found):
                if not mark or int(number) == index:
                    each[name] = value.item()
        return found
