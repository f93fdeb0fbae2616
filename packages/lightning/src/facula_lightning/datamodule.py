"""A module of data: where a model's loaders come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from facula.utils.data import DataLoader, Dataset, IterableDataset

from facula_lightning.checkpointing.restore import construct_from_checkpoint
from facula_lightning.hooks import DataHooks
from facula_lightning.hparams import HyperparametersMixin

if TYPE_CHECKING:
    from facula_lightning.checkpointing.io import MapLocation
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
        train_dataset: Dataset[Any] | Sequence[Dataset[Any]] | Mapping[str, Dataset[Any]] | None = None,
        val_dataset: Dataset[Any] | Sequence[Dataset[Any]] | None = None,
        test_dataset: Dataset[Any] | Sequence[Dataset[Any]] | None = None,
        predict_dataset: Dataset[Any] | Sequence[Dataset[Any]] | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        **datamodule_kwargs: object,
    ) -> LightningDataModule:
        """Return a data module with a loader for each dataset; that for training shuffles."""

        def loader(dataset: Dataset[Any], shuffle: bool = False) -> DataLoader[Any]:
            shuffle = shuffle and not isinstance(dataset, IterableDataset)
            return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle, num_workers=num_workers)

        def loaders(dataset: Any, shuffle: bool = False) -> object:
            if isinstance(dataset, Mapping):
                return {key: loader(each, shuffle) for key, each in dataset.items()}
            if isinstance(dataset, Sequence):
                return [loader(each, shuffle) for each in dataset]
            return loader(dataset, shuffle)

        module = cls(**datamodule_kwargs)
        for stage, dataset in (
            ("train", train_dataset),
            ("val", val_dataset),
            ("test", test_dataset),
            ("predict", predict_dataset),
        ):
            if dataset is not None:
                setattr(module, f"{stage}_dataloader", partial(loaders, dataset, shuffle=stage == "train"))
        return module

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint should keep of the data module."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""

    def on_exception(self, exception: BaseException) -> None:
        """Called when the trainer is interrupted by an exception."""

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: str | os.PathLike[str],
        map_location: MapLocation = None,
        hparams_file: str | os.PathLike[str] | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return a data module made with the hyper-parameters in a checkpoint; ``kwargs`` take their place."""
        module, checkpoint = construct_from_checkpoint(cls, checkpoint_path, map_location, kwargs, hparams_file)
        state = checkpoint.get(cls.__qualname__)
        if state:
            module.load_state_dict(state)
        return module
