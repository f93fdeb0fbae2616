"""Samples of about one length together, and loaders without their first batches."""

from __future__ import annotations

from typing import Any

import facula
import pytest
from facula.utils.data import DataLoader, Dataset, IterableDataset
from facula_lightning.utilities import LengthGroupedSampler, skip_first_batches


class Noting(Dataset[int]):
    """Keeps which samples were read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> int:
        self.read.append(index)
        return index


def test_batches_have_samples_of_about_one_length() -> None:
    generator = facula.Generator().manual_seed(1)
    lengths = facula.randint(1, 500, (640,), generator=generator).tolist()
    facula.manual_seed(2)
    sampler = LengthGroupedSampler(8, lengths=lengths)
    order = list(sampler)
    assert len(sampler) == 640 and sorted(order) == list(range(640)) and lengths[order[0]] == max(lengths)

    def padding(order: list[int]) -> int:
        groups = [[lengths[at] for at in order[start : start + 8]] for start in range(0, 640, 8)]
        return sum(max(group) * len(group) - sum(group) for group in groups)

    assert padding(order) < padding(facula.randperm(640).tolist()) / 4
    # Parts of 20 batches are sorted each, but for the sample that the longest of all took the place of.
    pairs = [(order[at], order[at + 1]) for at in range(639) if at % 160 != 159]
    assert sum(lengths[first] < lengths[second] for first, second in pairs) <= 1
    assert list(sampler) != order
    facula.manual_seed(2)
    assert list(sampler) == order


def test_lengths_are_those_of_the_samples() -> None:
    texts = [{"input_ids": [0] * length} for length in (3, 1, 2)]
    assert LengthGroupedSampler(2, texts).lengths == [3, 1, 2]
    assert LengthGroupedSampler(2, ["abc", "a"]).lengths == [3, 1]
    assert LengthGroupedSampler(2, [{"labels": [0, 0]}], model_input_name="labels").lengths == [2]
    assert list(LengthGroupedSampler(2, lengths=[])) == []
    generators = [facula.Generator().manual_seed(5) for _ in range(2)]
    assert list(LengthGroupedSampler(2, lengths=range(40), generator=generators[0])) == list(
        LengthGroupedSampler(2, lengths=range(40), generator=generators[1])
    )
    with pytest.raises(ValueError, match="One of dataset and lengths"):
        LengthGroupedSampler(2)
    with pytest.raises(ValueError, match="give `lengths`"):
        LengthGroupedSampler(2, [{"other": [1]}])


@pytest.mark.parametrize("batch_size", [3, None])
def test_the_rest_is_what_it_would_have_been_and_nothing_else_is_read(batch_size: Any) -> None:
    found = []
    for skipped in (0, 4, 50):
        facula.manual_seed(7)
        dataset = Noting()
        loader = DataLoader(dataset, batch_size, shuffle=True)
        rest = skip_first_batches(loader, skipped)
        assert len(rest) == max(len(loader) - skipped, 0)
        found.append([each.tolist() if batch_size else each for each in rest])
        assert dataset.read == [at for each in found[-1] for at in (each if batch_size else [each])]
    assert found[1] == found[0][4:] and found[2] == []


def test_streams_and_other_loaders() -> None:
    class Stream(IterableDataset[int]):
        def __iter__(self) -> Any:
            yield from range(7)

    assert [each.tolist() for each in skip_first_batches(DataLoader(Stream(), 2), 2)] == [[4, 5], [6]]
    assert list(skip_first_batches([1, 2, 3], 1)) == [2, 3]
    with pytest.raises(ValueError, match="from 0 on, got -1"):
        skip_first_batches([1], -1)


def test_a_loader_in_another_order_is_read_in_the_same_way() -> None:
    from facula_lightning import LightningModule, Trainer
    from facula_lightning.utilities.loaders import loader_like

    def same(numbers):
        return facula.tensor(numbers)

    def prepared(worker: int) -> None:
        pass

    how = {
        **{"num_workers": 1, "timeout": 7, "pin_memory": False, "persistent_workers": True, "prefetch_factor": 3},
        **{"collate_fn": same, "worker_init_fn": prepared, "multiprocessing_context": "fork", "in_order": False},
        **{"generator": facula.Generator(), "pin_memory_device": ""},
    }
    loader = DataLoader([1, 2, 3, 4, 5], batch_size=2, shuffle=True, drop_last=True, **how)
    ordered = loader_like(loader, batch_size=2, drop_last=True)
    given = skip_first_batches(loader, 1)
    for made in (ordered, given):
        assert {name: getattr(made, name) for name in how} == {name: getattr(loader, name) for name in how}

    class Model(LightningModule):
        def training_step(self, batch, batch_idx):
            return None

        def configure_optimizers(self):
            return facula.optim.SGD([facula.nn.Parameter(facula.ones(1))], 0.1)

    with pytest.warns(UserWarning, match="turning it off for you"):
        trainer = Trainer(
            overfit_batches=1, max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, accelerator="cpu",
        )  # fmt: skip
        trainer.fit(Model(), loader)
    read = trainer.train_dataloader
    assert [batch.tolist() for batch in read] == [[1, 2], [3, 4]] and read.timeout == 7 and read.prefetch_factor == 3
