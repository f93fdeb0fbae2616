"""Tuner: finds a learning rate or a batch size before training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from facula_lightning.callbacks.batch_size_finder import BatchSizeFinder
from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.lr_finder import LearningRateFinder
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.tuner.attributes import rate_attribute, set_attribute
from facula_lightning.tuner.trial import Trials
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer
    from facula_lightning.tuner.lr_finder import LRFinder

Method = Literal["fit", "validate", "test", "predict"]
_METHODS = ("fit", "validate", "test", "predict")


class Tuner:
    """Tries out learning rates or batch sizes with a trainer's settings.

    Of the trials nothing stays: a run of ``trainer`` afterwards gives the weights, random numbers and logs it would have given
    without them, but for the attribute that was found.

    >>> from facula_lightning import Trainer
    >>> tuner = Tuner(Trainer(logger=False, enable_checkpointing=False))
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def lr_find(
        self,
        model: LightningModule,
        train_dataloaders: object = None,
        val_dataloaders: object = None,
        dataloaders: object = None,
        datamodule: LightningDataModule | None = None,
        method: Method = "fit",
        min_lr: float = 1e-8,
        max_lr: float = 1,
        num_training: int = 100,
        mode: str = "exponential",
        early_stop_threshold: float | None = 4.0,
        update_attr: bool = True,
        attr_name: str = "",
    ) -> LRFinder | None:
        """Return the losses of ``num_training`` steps whose learning rate grows from ``min_lr`` to ``max_lr``, and a suggestion.

        The search takes as many epochs as it needs, and ends early where the loss is ``early_stop_threshold`` times the
        lowest. With ``update_attr`` the model's attribute ``lr`` or ``learning_rate``, or ``attr_name``, becomes the
        suggestion. None in a ``fast_dev_run``. MisconfigurationException for several optimizers.
        """
        if method != "fit":
            raise MisconfigurationException("method='fit' is the only valid configuration to run lr finder.")
        _check_loaders(train_dataloaders, val_dataloaders, dataloaders, method)
        self._check_callbacks(LearningRateFinder)
        finder = LearningRateFinder(
            min_lr, max_lr, num_training, mode, early_stop_threshold, update_attr=update_attr, attr_name=attr_name
        )
        datamodule = self._run(finder, method, model, train_dataloaders, val_dataloaders, datamodule)
        found = finder.optimal_lr
        rate = found.suggestion() if found is not None and update_attr else None
        if rate is not None:
            set_attribute(model, datamodule, rate_attribute(model, datamodule, attr_name), rate)
        return found

    def scale_batch_size(
        self,
        model: LightningModule,
        train_dataloaders: object = None,
        val_dataloaders: object = None,
        dataloaders: object = None,
        datamodule: LightningDataModule | None = None,
        method: Method = "fit",
        mode: str = "power",
        steps_per_trial: int = 3,
        init_val: int = 2,
        max_trials: int = 25,
        batch_arg_name: str = "batch_size",
        margin: float = 0.05,
        max_val: int = 8192,
    ) -> int | None:
        """Return the largest batch size, up to ``max_val``, for which ``steps_per_trial`` steps have enough memory.

        ``mode`` "power" doubles the size; "binsearch" then searches between the last that fitted and the first that did not,
        and takes ``margin`` less than what it found. The attribute ``batch_arg_name`` of the model or the data module, which
        their loaders are to look at, gets the result. None in a ``fast_dev_run``.
        """
        _check_loaders(train_dataloaders, val_dataloaders, dataloaders, method)
        if self._trainer.strategy.is_distributed:
            raise ValueError("Tuning the batch size is currently not supported with distributed strategies.")
        self._check_callbacks(BatchSizeFinder)
        finder = BatchSizeFinder(mode, steps_per_trial, init_val, max_trials, batch_arg_name, margin, max_val)
        loaders = train_dataloaders if method == "fit" else dataloaders
        datamodule = self._run(finder, method, model, loaders, val_dataloaders, datamodule)
        if finder.optimal_batch_size is not None:
            set_attribute(model, datamodule, batch_arg_name, finder.optimal_batch_size)
        return finder.optimal_batch_size

    def _check_callbacks(self, kind: type[Callback]) -> None:
        if any(isinstance(each, kind) for each in self._trainer.callbacks):
            raise ValueError(
                f"Trainer is already configured with a `{kind.__name__}` callback. Please remove it if you want to use the"
                " Tuner."
            )

    def _run(
        self,
        finder: LearningRateFinder | BatchSizeFinder,
        method: str,
        model: LightningModule,
        loaders: object,
        val_dataloaders: object,
        datamodule: LightningDataModule | None,
    ) -> LightningDataModule | None:
        """Begin a run with the finder first among the callbacks, which ends it; return the data module."""
        finder._early_exit = True
        if isinstance(loaders, LightningDataModule):
            loaders, datamodule = None, loaders
        with Trials(self._trainer, *self._trainer.callbacks, model=model, datamodule=datamodule) as trials:
            trial = trials.begin([finder, *self._trainer._own_callbacks])
            if method == "fit":
                trial.fit(model, loaders, val_dataloaders, datamodule)
            elif method == "predict":
                trial.predict(model, loaders, datamodule=datamodule)
            elif method == "validate":
                trial.validate(model, loaders, datamodule=datamodule)
            else:
                trial.test(model, loaders, datamodule=datamodule)
        return datamodule


def _check_loaders(train: object, val: object, dataloaders: object, method: str) -> None:
    if method not in _METHODS:
        raise ValueError(f"method {method!r} is invalid. Should be one of {_METHODS}.")
    if method == "fit" and dataloaders is not None:
        raise MisconfigurationException(
            f"In tuner with method={method!r}, `dataloaders` argument should be None, please consider setting"
            " `train_dataloaders` and `val_dataloaders` instead."
        )
    if method != "fit" and (train is not None or val is not None):
        raise MisconfigurationException(
            f"In tuner with `method`={method!r}, `train_dataloaders` and `val_dataloaders` arguments should be None, please"
            " consider setting `dataloaders` instead."
        )
