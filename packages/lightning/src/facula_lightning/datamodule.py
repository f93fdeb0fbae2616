"""A module of data: where a model's loaders come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from facula.utils.data import DataLoader, Dataset, IterableDataset

from facula_lightning.checkpointing.restore import construct_from_checkpoint
from facula_lightning.hooks import DataHooks
from facula_lightning.hparams import HyperparametersMixin

if TYPE_CHECKING:
    from facula_lightning.trainer import Trainer


class LightningDataModule(DataHooks, HyperparametersMixin):
    """Data for training, validation, test and prediction, with how it is fetched and prepared.

    >>> from facula.utils.data import TensorDataset
    >>> import facula
    >>> data = LightningDataModule.from_datasets(TensorDataset(facula.rand(8, 3)), batch_size=4)
    >>> len(data.train_dataloader())
    2
    """

    name: str | None = None
    CHECKPOINT_HYPER_PARAMS_KEY = "datamodule_hyper_parameters"
    CHECKPOINT_HYPER_PARAMS_NAME = "datamodule_hparams_name"

    def __init__(self) -> None:
        super().__init__()
        self.trainer: Trainer | None = None

    @classmethod
    def from_datasets(
        cls,
        train_dataset: Dataset | Sequence[Dataset] | Mapping[str, Dataset] | None = None,
        val_dataset: Dataset | Sequence[Dataset] | None = None,
        test_dataset: Dataset | Sequence[Dataset] | None = None,
        predict_dataset: Dataset | Sequence[Dataset] | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        **datamodule_kwargs: object,
    ) -> LightningDataModule:
        """Return a data module with a loader for each dataset; that for training shuffles."""

        def loader(dataset: Dataset, shuffle: bool = False) -> DataLoader:
            shuffle = shuffle and not isinstance(dataset, IterableDataset)
            return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle, num_workers=num_workers)

        def loaders(dataset: object, shuffle: bool = False) -> object:
            if isinstance(dataset, Mapping):
                return {key: loader(each, shuffle) for key, each in dataset.items()}
            if isinstance(dataset, Sequence):
                return [loader(each, shuffle) for each in dataset]
            return loader(dataset, shuffle)

        module = cls(**datamodule_kwargs)
        if train_dataset is not None:
            module.train_dataloader = lambda: loaders(train_dataset, shuffle=True)  # type: ignore[method-assign]
        if val_dataset is not None:
            module.val_dataloader = lambda: loaders(val_dataset)  # type: ignore[method-assign]
        if test_dataset is not None:
            module.test_dataloader = lambda: loaders(test_dataset)  # type: ignore[method-assign]
        if predict_dataset is not None:
            module.predict_dataloader = lambda: loaders(predict_dataset)  # type: ignore[method-assign]
        return module

    def state_dict(self) -> dict[str, object]:
        """Return what a checkpoint should keep of the data module."""
        return {}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Take back what `state_dict` returned."""

    def on_exception(self, exception: BaseException) -> None:
        """Called when the trainer is interrupted by an exception."""

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: str | os.PathLike[str],
        map_location: object = None,
        hparams_file: str | os.PathLike[str] | None = None,
        weights_only: bool | None = None,
        **kwargs: object,
    ) -> Self:
        """Return a data module made with the hyper-parameters in a checkpoint; ``kwargs`` take their place."""
        module, checkpoint = construct_from_checkpoint(cls, checkpoint_path, map_location, kwargs)
        state = checkpoint.get(cls.__qualname__)
        if state:
            module.load_state_dict(state)
        return module
