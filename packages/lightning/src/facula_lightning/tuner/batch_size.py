"""The search for a batch size: short runs with larger and larger batches, until memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.loops.combined import CombinedBatches
from facula_lightning.tuner.attributes import get_attribute, holders, set_attribute
from facula_lightning.tuner.trial import Enough, Trials, at_most, configure_again, is_fresh
from facula_lightning.utilities.data import sized_len
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.memory import garbage_collection_cuda, is_oom_error
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.loops.evaluation import EvaluationLoop
    from facula_lightning.loops.prediction import PredictionLoop
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer

#: For each entry point, the kind of loaders it reads.
KINDS = {"fit": "train", "validate": "val", "test": "test", "predict": "predict"}


def search(
    fits: Callable[[int], bool], mode: str, first: int, max_trials: int, max_val: int, length: int | None
) -> int:
    """Return the largest batch size that fits, as far as so many trials tell: Lightning's search.

    "power" doubles the size while it fits, and halves it while it does not; "binsearch" goes on between the largest that fits
    and the smallest that does not. A size of at least ``length``, the number of samples, is the last; none is larger than
    ``max_val``. MemoryError when 1 does not fit.

    >>> search(lambda size: size <= 100, "power", 2, 25, 8192, None)
    64
    >>> search(lambda size: size <= 100, "binsearch", 2, 25, 8192, None)
    100
    """
    size = max(1, min(first, max_val))
    good, bad, trials = 0, max_val + 1, 0
    while trials < max_trials:
        if fits(size):
            good = size
            trials += 1
            if length is not None and size >= length:
                break
        else:
            bad = size
            trials += mode == "power"
            if bad == 1:
                raise MemoryError("There is not enough memory for a batch of 1 sample")
        if mode == "power":
            following = min(good * 2, max_val) if good else bad // 2
            if following >= bad:
                break
        else:
            following = (good + bad) // 2 if bad <= max_val else min(good * 2, max_val)
        if following in (good, bad):
            break
        rank_zero_info(f"Batch size {size} {'succeeded' if size == good else 'failed'}, trying batch size {following}")
        size = following
    return good or size


class _Counter(Callback):
    """Ends a trial after so many batches whose optimizer stepped."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Count a batch."""
        if not trainer.fit_loop._accumulating():
            self._left -= 1
            if self._left == 0:
                raise Enough


def check_batch_size(trainer: Trainer, model: LightningModule, stage: str, name: str) -> None:
    """Raise MisconfigurationException where a search cannot change the batch size."""
    if trainer.strategy.is_distributed:
        raise MisconfigurationException("The Batch size finder is not supported with distributed strategies.")
    if trainer._data.given.get(KINDS[stage]) is not None:
        raise MisconfigurationException(
            f"The Batch size finder cannot be used with dataloaders passed directly to `.{stage}()`. Please disable the feature"
            " or incorporate the dataloader into your LightningModule or LightningDataModule."
        )
    found = holders(model, trainer.datamodule, name)
    if not found:
        raise MisconfigurationException(
            f"Field {name} not found in `model`, `datamodule`, nor their `hparams` attributes."
        )
    if any(each is model for each in found) and name in model.hparams:
        rank_zero_warn(
            f"Field `model.{name}` and `model.hparams.{name}` are mutually exclusive! `model.{name}` will be used as the initial"
            " batch size for scaling. If this is not the intended behavior, please remove either one."
        )


def find_batch_size(
    trainer: Trainer,
    model: LightningModule,
    mode: str = "power",
    steps_per_trial: int = 3,
    init_val: int = 2,
    max_trials: int = 25,
    batch_arg_name: str = "batch_size",
    margin: float = 0.05,
    max_val: int = 8192,
) -> int | None:
    """Return the batch size found by trials of the stage that a trainer is in; None in a ``fast_dev_run``.

    Everything stays as it was, the attribute with the batch size too.
    """
    if trainer.fast_dev_run:
        rank_zero_warn("Skipping batch size scaler since `fast_dev_run` is enabled.")
        return None
    stage = trainer.training_stage
    assert stage is not None
    datamodule = trainer.datamodule
    with Trials(trainer) as trials:

        def fits(size: int) -> bool:
            garbage_collection_cuda()
            trials.restore()
            set_attribute(model, datamodule, batch_arg_name, size)
            try:
                _try(trials, stage, steps_per_trial)
            except Exception as error:
                if not is_oom_error(error):
                    raise
                return False
            return True

        length = _number_of_samples(trials, stage)
        first = init_val
        if length is not None and get_attribute(model, datamodule, batch_arg_name) >= length:
            first = get_attribute(model, datamodule, batch_arg_name)
        found = search(fits, mode, first, max_trials, max_val, length)
    garbage_collection_cuda()
    if mode == "binsearch" and margin > 0 and (reduced := max(1, int(found * (1 - margin)))) != found:
        rank_zero_info(f"Applying margin of {margin:.1%}, reducing batch size from {found} to {reduced}")
        found = reduced
    rank_zero_info(f"Finished batch size finder, will continue with full run using batch size {found}")
    return found


def _try(trials: Trials, stage: str, steps: int) -> None:
    """Run a few batches of a stage."""
    outer = trials.trainer
    counter = _Counter(steps)
    trial = trials.begin([counter] if stage == "fit" else [])
    if stage == "fit":
        trial.limit_train_batches = 1.0
        trial.limit_val_batches = at_most(outer.limit_val_batches, steps)
        trial.max_steps = -1
        trial.max_epochs = outer.current_epoch + steps
        trial.min_epochs = trial.min_steps = None
        try:
            trial.fit_loop.run()
        except Enough:
            pass
        finally:
            if trial.fit_loop.fetcher is not None:
                trial.fit_loop.fetcher.close()
        return
    setattr(trial, f"limit_{KINDS[stage]}_batches", steps)
    loop = _loop_of(trial, stage)
    if stage == "predict":
        trial.predict_loop.return_predictions = False
    else:
        loop.verbose = False
    loop.run()


def _loop_of(trainer: Trainer, stage: str) -> Any:
    loops: dict[str, EvaluationLoop | PredictionLoop] = {
        "validate": trainer.validate_loop,
        "test": trainer.test_loop,
        "predict": trainer.predict_loop,
    }
    return loops[stage]


def _number_of_samples(trials: Trials, stage: str) -> int | None:
    """Return how many samples the loader of a stage has; None where that is not known."""
    kind = KINDS[stage]
    given = trials.begin([])._data.loaders(kind)
    loaders: list[Any] = given[0].flattened if given and isinstance(given[0], CombinedBatches) else list(given)
    if stage != "fit" and len(loaders) > 1:
        raise MisconfigurationException(f"The Batch size finder cannot be used with multiple {kind} dataloaders.")
    lengths = [sized_len(getattr(each, "dataset", None)) for each in loaders]
    known = [each for each in lengths if each is not None]
    return max(known) if known and len(known) == len(lengths) else None


def use_batch_size(trainer: Trainer, model: LightningModule, name: str, size: int) -> None:
    """Give the attributes the batch size, and let the run go on with loaders of that size."""
    set_attribute(model, trainer.datamodule, name, size)
    stage = trainer.training_stage
    if stage == "fit":
        loop = trainer.fit_loop
        loop.fetcher = None
        loop.validation.loaders = []
        if is_fresh(trainer):
            # Schedules may hang on the number of batches.
            configure_again(trainer)
        elif trainer._logging.results is not None:
            loop.setup_data()
    elif stage is not None:
        loop_of_stage = _loop_of(trainer, stage)
        loop_of_stage.loaders = []
        loop_of_stage.setup_data()
