"""The loop of prediction."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from facula.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from facula_lightning.loops.modes import inference_context, restored_modes, step_context
from facula_lightning.trainer.call import accepts, call_both, call_callbacks, call_module
from facula_lightning.trainer.data import number_of_batches
from facula_lightning.trainer.requeue import requeue_if_asked
from facula_lightning.trainer.sharding import in_order, shards_of

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class PredictionLoop:
    """Runs a module's predict step over its loaders."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.loaders: list[Iterable[Any]] = []
        self.batches: list[int | float] = []
        self.return_predictions = True
        #: Of this process: predictions so far, a list for each loader, and the samples of each batch, where they are known.
        self._found: list[list[Any]] = []
        self._indices: list[list[list[int] | None]] = []

    @property
    def predictions(self) -> list[Any]:
        """The predictions of each batch; with several loaders, a list of such lists."""
        return self._found[0] if len(self.loaders) == 1 and self._found else self._found

    @property
    def current_batch_indices(self) -> list[int] | None:
        """The places in the data set of the last batch's samples; None where they are not known."""
        return self._indices[-1][-1] if self._indices and self._indices[-1] else None

    @property
    def epoch_batch_indices(self) -> list[list[list[int] | None]]:
        """The places of the samples of all batches, a list for each loader."""
        return self._indices

    def setup_data(self) -> None:
        """Ask for the loaders."""
        trainer = self.trainer
        self.loaders = trainer._data.loaders("predict")
        self.batches = [number_of_batches(each, trainer.limit_predict_batches, "predict") for each in self.loaders]

    def run(self) -> list[Any] | None:
        """Return the predictions of each batch; with several loaders, a list of such lists.

        Of several processes each returns those of all, in the order of one.
        """
        trainer = self.trainer
        self.setup_data()
        predictions: list[list[Any]] = []
        self._found, self._indices = [], []
        with restored_modes(trainer.lightning_module), inference_context(trainer):
            call_module(trainer, "on_predict_model_eval")
            call_both(trainer, "on_predict_start")
            call_both(trainer, "on_predict_epoch_start")
            for index, (loader, limit) in enumerate(zip(self.loaders, self.batches)):
                found = self._run_loader(index, loader, limit)
                if trainer.strategy.is_distributed and self.return_predictions and shards_of(loader) is not None:
                    found = in_order(trainer.strategy.all_gather_object(found))
                predictions.append(found)
            call_both(trainer, "on_predict_epoch_end")
            call_both(trainer, "on_predict_end")
        if not self.return_predictions:
            return None
        return predictions[0] if len(predictions) == 1 else predictions

    def _run_loader(self, index: int, loader: Iterable[Any], limit: int | float) -> list[Any]:
        trainer = self.trainer
        several = len(self.loaders) > 1
        takes_index = accepts(trainer._module.predict_step, "batch_idx", 2)
        keeps = self.return_predictions or any(each.keeps_predictions for each in trainer.callbacks)
        predictions: list[Any] = []
        self._found.append(predictions)
        self._indices.append([])
        if limit == 0:
            return predictions
        indices = _batch_indices(loader)
        if trainer._profiler is not None:
            loader = trainer._profiler.iterate(loader, "[_PredictionLoop].predict_next")
        for batch_idx, batch in enumerate(loader):
            self._indices[-1].append(next(indices))
            batch = trainer._transfer(batch, index)
            position = (batch_idx, index) if several else (batch_idx,)
            call_callbacks(trainer, "on_predict_batch_start", batch, batch_idx, index)
            call_module(trainer, "on_predict_batch_start", batch, *position)
            with step_context(trainer, "predict"):
                output = call_module(trainer, "predict_step", batch, *(position if takes_index else ()))
            call_callbacks(trainer, "on_predict_batch_end", output, batch, batch_idx, index)
            call_module(trainer, "on_predict_batch_end", output, batch, *position)
            if keeps:
                predictions.append(output)
            requeue_if_asked(trainer)
            if batch_idx + 1 >= limit:
                break
        return predictions


def _batch_indices(loader: Iterable[Any]) -> Iterator[list[int] | None]:
    """Return the samples of each batch of a loader that goes through them in an order that is always the same."""
    batches = getattr(loader, "batch_sampler", None)
    is_random = isinstance(
        getattr(batches, "sampler", None), (RandomSampler, WeightedRandomSampler, SubsetRandomSampler)
    )
    if batches is None or is_random or not isinstance(batches, Iterable):
        return itertools.repeat(None)
    return itertools.chain((list(each) for each in batches), itertools.repeat(None))
