"""Training resumes exactly with every kind of loader."""

import random
from collections.abc import Iterator
from pathlib import Path

import facula
import numpy as np
import pytest
from facula import nn
from facula.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    StatefulDataLoader,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import Callback, EarlyStopping, GradientAccumulationScheduler
from facula_lightning.checkpointing.io import read_checkpoint
from facula_lightning.utilities import CombinedLoader

COUNT, BATCHES = 9, 5


class Noisy(Dataset):
    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> list[float]:
        return [float(index), random.random(), float(np.random.rand()), facula.rand(()).item()]


class Stream(IterableDataset):
    """A stream without a state, the same in every epoch."""

    def __iter__(self) -> Iterator[list[float]]:
        info = facula.utils.data.get_worker_info()
        for index in range(0 if info is None else info.id, COUNT, 1 if info is None else info.num_workers):
            yield [float(index)] * 4


class StatefulStream(Stream):
    """A stream that says where it is, and draws from the program's generators as it goes."""

    def __init__(self) -> None:
        self.position, self.resumed = 0, False

    def __iter__(self) -> Iterator[list[float]]:
        self.position = self.position if self.resumed else 0
        self.resumed = False
        while self.position < COUNT:
            self.position += 1
            yield [float(self.position), random.random(), float(np.random.rand()), facula.rand(()).item()]

    def state_dict(self) -> dict:
        return {"position": self.position}

    def load_state_dict(self, state: dict) -> None:
        self.position, self.resumed = state["position"], True


class Sized(Stream):
    def __len__(self) -> int:
        return COUNT


class OwnOrder(Sampler):
    """A sampler with a state of its own, which goes on from epoch to epoch."""

    def __init__(self) -> None:
        self.state, self.given, self.resumed = 1, 0, False

    def __len__(self) -> int:
        return COUNT

    def __iter__(self) -> Iterator[int]:
        self.given = self.given if self.resumed else 0
        self.resumed = False
        while self.given < COUNT:
            self.given += 1
            self.state = self.state * 75 % 65537
            yield self.state % COUNT

    def state_dict(self) -> dict:
        return {"state": self.state, "given": self.given}

    def load_state_dict(self, state: dict) -> None:
        self.state, self.given, self.resumed = state["state"], state["given"], True


class Rows:
    """An iterable that is no loader, and knows no length."""

    def __iter__(self) -> Iterator[facula.Tensor]:
        for index in range(BATCHES):
            yield facula.full((2, 4), float(index)) + facula.rand(2, 4)


def own() -> facula.Generator:
    return facula.Generator().manual_seed(11)


LOADERS = {
    "shuffled": lambda: DataLoader(Noisy(), 2, shuffle=True),
    "shuffled by workers": lambda: DataLoader(Noisy(), 2, shuffle=True, num_workers=2),
    "shuffled by persistent workers": lambda: DataLoader(
        Noisy(), 2, shuffle=True, num_workers=2, persistent_workers=True
    ),
    "a generator": lambda: DataLoader(Noisy(), 2, shuffle=True, generator=own()),
    "a generator, workers": lambda: DataLoader(Noisy(), 2, shuffle=True, generator=own(), num_workers=2),
    "a sampler's generator": lambda: DataLoader(Noisy(), 2, sampler=RandomSampler(Noisy(), generator=own())),
    "a batch sampler's generator": lambda: DataLoader(
        Noisy(), batch_sampler=BatchSampler(RandomSampler(Noisy(), generator=own()), 2, False)
    ),
    "with replacement": lambda: DataLoader(
        Noisy(), 2, sampler=RandomSampler(Noisy(), replacement=True, num_samples=COUNT, generator=own())
    ),
    "weighted": lambda: DataLoader(Noisy(), 2, sampler=WeightedRandomSampler(list(range(1, 10)), COUNT)),
    "a subset": lambda: DataLoader(Noisy(), 2, sampler=SubsetRandomSampler(list(range(COUNT)))),
    "a stateful sampler": lambda: DataLoader(Noisy(), 2, sampler=OwnOrder()),
    "a stateful sampler, workers": lambda: DataLoader(Noisy(), 2, sampler=OwnOrder(), num_workers=2),
    "stateful loader": lambda: StatefulDataLoader(Noisy(), 2, shuffle=True),
    "stream": lambda: DataLoader(Stream(), 2),
    "stream, sized": lambda: DataLoader(Sized(), 2),
    "stream by workers": lambda: DataLoader(Stream(), 2, num_workers=2),
    "stateful stream": lambda: DataLoader(StatefulStream(), 2),
    "no loader": Rows,
    "a list": lambda: [facula.full((2, 4), float(index)) for index in range(BATCHES)],
    "several": lambda: {"a": DataLoader(Noisy(), 5, shuffle=True), "b": DataLoader(Noisy(), 2, shuffle=True)},
    "several, one generator": lambda: [
        DataLoader(Noisy(), size, shuffle=True, generator=generator) for generator in [own()] for size in (2, 4)
    ],
    "several by workers": lambda: (
        DataLoader(Noisy(), 2, shuffle=True),
        DataLoader(Noisy(), 5, shuffle=True, num_workers=1),
    ),
    "several streams": lambda: [DataLoader(StatefulStream(), 4), Rows(), DataLoader(Stream(), 5)],
    "several, the shortest ends": lambda: CombinedLoader(
        [DataLoader(Noisy(), 2, shuffle=True), DataLoader(Noisy(), 1, shuffle=True)], "min_size"
    ),
    "several, none in the end": lambda: CombinedLoader([Rows(), DataLoader(Noisy(), 3, shuffle=True)], "max_size"),
}


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.seen: list = []

    def training_step(self, batch, batch_idx):
        several = isinstance(batch, (dict, tuple)) or isinstance(batch[0], list) or batch[0].ndim == 2
        parts = list(batch.values()) if isinstance(batch, dict) else batch if several else [batch]
        parts = [
            facula.stack(each, 1).float() if isinstance(each, list) else each for each in parts if each is not None
        ]
        self.seen.append([each.tolist() for each in parts])
        loss = sum(self.layer(each).pow(2).mean() for each in parts)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=2)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", 1.0, batch_size=1)

    def configure_optimizers(self):
        return facula.optim.Adam(self.parameters(), lr=0.01)


class Save(Callback):
    """Saves a checkpoint where batches end, and epochs begin and end; without a folder, counts them."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.count = folder, 0

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict) -> None:
        self.count = state_dict["count"]

    def save(self, trainer, *arguments) -> None:
        self.count += 1
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / f"{self.count:02d}.ckpt")

    on_train_batch_end = on_train_epoch_end = on_train_epoch_start = save


def fit(loader, *callbacks, ckpt_path=None, val=None, **settings) -> tuple[Model, Trainer]:
    seed_everything(4 if ckpt_path is None else 77, verbose=False)
    model = Model()
    trainer = Trainer(
        **{"max_epochs": 3, "accelerator": "cpu", "logger": False, "enable_checkpointing": False, **settings},
        callbacks=list(callbacks), enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(model, loader, val, ckpt_path=ckpt_path)
    return model, trainer


def outcome(model: Model, trainer: Trainer) -> list:
    drawn = [random.random(), float(np.random.rand()), facula.rand(()).item()]
    return [*(each.tolist() for each in model.parameters()), drawn, trainer.callback_metrics["loss"].item()]


pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no `val_dataloader`",
    "ignore:Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
)


@pytest.mark.parametrize("limit", [1.0, 3])
@pytest.mark.parametrize("name", LOADERS)
def test_every_loader_is_gone_on_with(name: str, limit: float, tmp_path: Path) -> None:
    if "stateful sampler" in name and limit == 3:
        # Whether such a sampler begins anew after it was left in the middle is its own affair.
        return
    model, trainer = fit(LOADERS[name](), Save(tmp_path), limit_train_batches=limit, max_epochs=2)
    expected, seen = outcome(model, trainer), model.seen
    checkpoints = sorted(tmp_path.glob("*.ckpt"))
    assert len(checkpoints) >= 10
    for path in checkpoints:
        again, trainer = fit(LOADERS[name](), Save(), ckpt_path=path, limit_train_batches=limit, max_epochs=2)
        assert again.seen == seen[len(seen) - len(again.seen) :], path.name
        assert outcome(again, trainer) == expected, path.name


class SaveOnce(Save):
    """Ends the run with its first checkpoint."""

    def save(self, trainer, *arguments) -> None:
        super().save(trainer)
        raise ZeroDivisionError

    on_train_batch_end = on_train_epoch_end = save
    on_train_epoch_start = Callback.on_train_epoch_start


@pytest.mark.parametrize("name", LOADERS)
def test_a_run_may_be_interrupted_everywhere(name: str, tmp_path: Path) -> None:
    model, trainer = fit(LOADERS[name](), max_epochs=2)
    expected, newest = outcome(model, trainer), None
    for count in range(1, 16):
        with pytest.raises(ZeroDivisionError):
            fit(LOADERS[name](), SaveOnce(tmp_path), ckpt_path=newest, max_epochs=2)
        newest = tmp_path / f"{count:02d}.ckpt"
        if count > 1 and trainer_is_done(newest):
            break
    assert outcome(*fit(LOADERS[name](), Save(), ckpt_path=newest, max_epochs=2)) == expected
    assert count == 2 * (1 + BATCHES)


def trainer_is_done(path: Path) -> bool:
    state = read_checkpoint(path)["loops"]["fit_loop"]
    return state["state_dict"]["position"] == "epoch_end" and state["epoch_progress"]["current"]["completed"] == 1


def test_a_scheduled_accumulation_goes_on(tmp_path: Path) -> None:
    def schedule() -> GradientAccumulationScheduler:
        return GradientAccumulationScheduler({0: 1, 1: 2, 2: 3})

    loader = LOADERS["shuffled"]
    model, trainer = fit(loader(), schedule(), Save(tmp_path))
    expected = outcome(model, trainer)
    for path in sorted(tmp_path.glob("*.ckpt")):
        assert outcome(*fit(loader(), schedule(), Save(), ckpt_path=path)) == expected, path.name


def test_a_run_that_was_told_to_stop_stops(tmp_path: Path) -> None:
    class SaveLater(Save):
        def save(self, trainer, *arguments) -> None:
            if trainer.current_epoch or trainer.global_step > 1:
                super().save(trainer)

        on_validation_end = on_train_epoch_end = on_train_batch_end = save
        on_train_epoch_start = Callback.on_train_epoch_start

    def callbacks(folder: Path | None = None) -> list[Callback]:
        return [EarlyStopping("val", patience=2), SaveLater(folder)]

    loader, val = LOADERS["shuffled"], [facula.ones(2, 4)]
    model, trainer = fit(loader(), *callbacks(tmp_path), val=val, max_epochs=9, val_check_interval=2)
    expected = outcome(model, trainer)
    assert trainer.current_epoch < 9
    for path in sorted(tmp_path.glob("*.ckpt")):
        again = fit(loader(), *callbacks(), ckpt_path=path, val=val, max_epochs=9, val_check_interval=2)
        assert outcome(*again) == expected, path.name
        assert again[1].global_step == trainer.global_step


def test_another_number_of_workers_is_not_exact_and_said_to_be_so(tmp_path: Path) -> None:
    fit(LOADERS["shuffled by workers"](), Save(tmp_path), max_epochs=1)
    with pytest.warns(UserWarning, match="saved with 2 workers of the training loader, and now there are 1"):
        fit(DataLoader(Noisy(), 2, shuffle=True, num_workers=1), ckpt_path=tmp_path / "03.ckpt", max_epochs=1)
