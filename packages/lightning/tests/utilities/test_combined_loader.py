"""CombinedLoader: its modes beside Lightning's, its place, and as what the trainer reads."""

import collections
import copy
import itertools
import pickle
import random
import warnings
from collections.abc import Iterator
from typing import Any

import facula
import pytest
from facula.utils.data import DataLoader, RandomSampler, TensorDataset, WeightedRandomSampler
from facula_lightning import LightningModule, Trainer
from facula_lightning.utilities import CombinedLoader

MODES = ["min_size", "max_size_cycle", "max_size", "sequential"]
Pair = collections.namedtuple("Pair", ["first", "second"])
COLLECTIONS: dict[str, Any] = {
    "one": lambda: range(3),
    "numbers in a list": lambda: [1, 2, 3],
    "list": lambda: [range(3), range(5)],
    "tuple": lambda: (range(5), "abc"),
    "dictionary": lambda: {"a": range(4), "b": [7, 8]},
    "ordered": lambda: collections.OrderedDict(b=range(4), a=range(1)),
    "default": lambda: collections.defaultdict(list, {"a": range(2), "b": range(3)}),
    "named tuple": lambda: Pair(range(2), range(6)),
    "nested": lambda: {"a": [range(2), {"c": range(5)}], "b": (range(3),)},
    "empty one": lambda: [range(0), range(3)],
    "nothing": lambda: [],
}
# What Lightning's own code warns of.
LIVE = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore::DeprecationWarning")
LIMITS: list[Any] = [None, 2, 0, 10]


@LIVE
@pytest.mark.parametrize("name", COLLECTIONS)
@pytest.mark.parametrize("mode", MODES)
def test_it_reads_as_lightnings_does(name: str, mode: str) -> None:
    theirs = pytest.importorskip("pytorch_lightning.utilities").CombinedLoader
    for limits in LIMITS:
        ours, other = CombinedLoader(COLLECTIONS[name](), mode), theirs(COLLECTIONS[name](), mode)
        assert ours.flattened == other.flattened
        assert ours.iterables == other.iterables
        assert ours.sampler == other.sampler
        ours.limits = other.limits = limits
        assert ours.limits == other.limits
        for _ in range(2):
            iter(ours), iter(other)
            assert len(ours) == len(other)
            # Batches, numbers and types of collections.
            assert [(type(each[0]), each) for each in ours] == [(type(each[0]), each) for each in other]


@LIVE
def test_wrong_arguments_are_told_as_lightning_tells_them() -> None:
    theirs = pytest.importorskip("pytorch_lightning.utilities").CombinedLoader
    for make in (CombinedLoader, theirs):
        with pytest.raises(ValueError, match="Unsupported mode 'longest', please select one of: "):
            make([range(1)], "longest")
        loader = make({"a": range(1), "b": range(2)})
        with pytest.raises(RuntimeError, match=r"Please call `iter\(combined_loader\)` first"):
            len(loader)
        with pytest.raises(ValueError, match=r"Mismatch in flattened length \(1\) and existing length \(2\)"):
            loader.flattened = [range(1)]
        with pytest.raises(ValueError, match=r"Mismatch in number of limits \(3\) and number of iterables \(2\)"):
            loader.limits = [1, 2, 3]
        iter(loader)
        loader.flattened = ["xy", "zw"]
        assert loader.iterables == {"a": "xy", "b": "zw"}
        iter(loader)
        loader.reset()
        with pytest.raises(RuntimeError, match=r"Please call `iter\(combined_loader\)` first"):
            len(loader)


def test_a_length_that_is_not_known_is_none() -> None:
    class Stream:
        def __iter__(self) -> Iterator[int]:
            return iter(range(3))

    for mode in ("max_size", "max_size_cycle", "sequential"):
        loader = CombinedLoader([Stream(), range(2)], mode)
        iter(loader)
        with pytest.raises(TypeError, match="is not known"):
            len(loader)
    loader = CombinedLoader([Stream(), range(2)])
    assert len(iter(loader)) == 2


def data(count: int, start: int = 0) -> TensorDataset:
    return TensorDataset(facula.arange(start, start + count).float())


class Shuffled:
    """An iterable without a state that draws from the program's generator when it begins, and as it goes."""

    def __iter__(self) -> Iterator[tuple[int, float]]:
        order = list(range(4))
        random.shuffle(order)
        for each in order:
            yield each, facula.rand(()).item()


def shared() -> list[DataLoader]:
    generator = facula.Generator().manual_seed(3)
    return [DataLoader(data(n), 2, shuffle=True, generator=generator) for n in (5, 11)]


def own(seed: int) -> facula.Generator:
    return facula.Generator().manual_seed(seed)


PARTS: dict[str, Any] = {
    "shuffled": lambda: {"a": DataLoader(data(5), 2, shuffle=True), "b": DataLoader(data(11, 20), 2, shuffle=True)},
    "workers": lambda: [DataLoader(data(3), 2, shuffle=True, num_workers=1), DataLoader(data(9), 2, shuffle=True)],
    "one generator": shared,
    "samplers' generators": lambda: [
        DataLoader(data(5), 2, sampler=RandomSampler(data(5), generator=own(1))),
        DataLoader(data(11), 2, sampler=RandomSampler(data(11), replacement=True, generator=own(2))),
        DataLoader(data(7), 2, sampler=WeightedRandomSampler([1.0] * 7, 7, generator=own(2))),
    ],
    "without state": lambda: [range(3), DataLoader(data(11), 2, shuffle=True), "abcd"],
    "shuffled without state": lambda: (DataLoader(data(11), 2, shuffle=True), Shuffled()),
}


def plain(value: Any) -> Any:
    if isinstance(value, facula.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("mode", MODES)
def test_it_goes_on_where_it_was(name: str, mode: str) -> None:
    facula.manual_seed(0)
    random.seed(0)
    loader = CombinedLoader(PARTS[name](), mode)
    facula.rand(3)
    states, batches = [], []
    iter(loader)
    for count in itertools.count():
        states.append((pickle.loads(pickle.dumps(loader.state_dict())), facula.get_rng_state(), random.getstate()))
        batch = next(loader, None)
        if batch is None:
            break
        batches.append(plain(batch))
        facula.rand(count + 1)  # what a training step draws
    assert len(batches) >= 2
    for count, (state, ours, pythons) in enumerate(states):
        again = CombinedLoader(PARTS[name](), mode)
        again.load_state_dict(state)
        assert again.state_dict() == state
        facula.set_rng_state(ours)
        random.setstate(pythons)
        rest = []
        iter(again)
        for drawn in itertools.count(count):
            batch = next(again, None)
            if batch is None:
                break
            rest.append(plain(batch))
            facula.rand(drawn + 1)
        assert rest == batches[count:], count


def test_the_state_of_other_loaders_is_refused() -> None:
    loader = CombinedLoader([range(2), range(3)], "max_size")
    with pytest.raises(RuntimeError, match="define the same dataloaders"):
        loader.load_state_dict(CombinedLoader([range(2)], "max_size").state_dict())
    with pytest.raises(RuntimeError, match="in mode 'min_size'"):
        loader.load_state_dict(CombinedLoader([range(2), range(3)]).state_dict())
    iter(loader)
    next(loader)
    assert pickle.loads(pickle.dumps(loader)).places == [] and copy.copy(loader).places == []


class Recording(LightningModule):
    """Notes its batches; nothing is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = facula.nn.Parameter(facula.ones(()))
        self.seen: list = []
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        self.seen.append((plain(batch), batch_idx))

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.seen.append((plain(batch), batch_idx, dataloader_idx))
        self.log("index", float(batch_idx), batch_size=1)

    test_step = validation_step

    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        return batch

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), 0.1)


def trainer(**settings: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0}
    return Trainer(accelerator="cpu", max_epochs=1, enable_model_summary=False, **{**quiet, **settings})


WARNINGS = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")


def loaders(*counts: int) -> dict[str, DataLoader]:
    return {name: DataLoader(data(count), 2) for name, count in zip("abc", counts)}


@WARNINGS
@pytest.mark.parametrize("limit", [1.0, 2, 0.5])
@pytest.mark.parametrize("mode", [None, *MODES[:3]])
def test_training_reads_what_lightning_would(mode: str | None, limit: float) -> None:
    expected = {
        (None, 1.0): 5, (None, 2): 2, (None, 0.5): 2, ("max_size_cycle", 1.0): 5, ("max_size_cycle", 2): 2,
        ("max_size_cycle", 0.5): 2, ("max_size", 1.0): 5, ("max_size", 2): 2, ("max_size", 0.5): 2, ("min_size", 1.0): 3,
        ("min_size", 2): 2, ("min_size", 0.5): 1,
    }  # fmt: skip
    given = loaders(5, 10)
    module = Recording()
    runs = trainer(limit_train_batches=limit)
    runs.fit(module, given if mode is None else CombinedLoader(given, mode))
    assert len(module.seen) == expected[mode, limit] == runs.num_training_batches
    reference = CombinedLoader(loaders(5, 10), mode or "max_size_cycle")
    batches = [plain(batch) for batch, _, _ in reference]
    assert module.seen == list(zip(batches, range(expected[mode, limit])))
    assert runs.train_dataloader == given


@LIVE
@WARNINGS
def test_the_number_of_batches_is_lightnings() -> None:
    lightning = pytest.importorskip("pytorch_lightning")
    torch = pytest.importorskip("torch")

    class Theirs(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))
            self.seen: list = []
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            self.seen.append((self.plain(batch), batch_idx))

        def plain(self, value):
            if isinstance(value, torch.Tensor):
                return value.tolist()
            if isinstance(value, dict):
                return {key: self.plain(each) for key, each in value.items()}
            return [self.plain(each) for each in value] if isinstance(value, (list, tuple)) else value

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    for mode, limit in itertools.product([None, *MODES[:3]], [1.0, 2, 0.5]):
        theirs, ours = Theirs(), Recording()
        counts = {"a": 5, "b": 10}
        given = {
            key: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(n).float()), 2)
            for key, n in counts.items()
        }
        run = lightning.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, limit_train_batches=limit,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            combined = lightning.utilities.CombinedLoader
            run.fit(theirs, given if mode is None else combined(given, mode))
        again = trainer(limit_train_batches=limit)
        again.fit(ours, loaders(5, 10) if mode is None else CombinedLoader(loaders(5, 10), mode))
        assert ours.seen == theirs.seen, (mode, limit)
        assert again.num_training_batches == run.num_training_batches


@WARNINGS
def test_evaluation_reads_one_after_the_other_or_together() -> None:
    module = Recording()
    runs = trainer()
    results = runs.validate(module, loaders(3, 4), verbose=False)
    assert [each[1:] for each in module.seen] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert results == [{"index/dataloader_idx_0": 0.5}, {"index/dataloader_idx_1": 0.5}]
    assert list(runs.val_dataloaders) == ["a", "b"]
    for given in ([*loaders(3, 4).values()], CombinedLoader(loaders(3, 4), "sequential")):
        module.seen.clear()
        assert runs.test(module, given, verbose=False) == results
    module.seen.clear()
    assert runs.test(module, CombinedLoader(loaders(3, 10), "max_size"), verbose=False) == [{"index": 2.0}]
    assert module.seen[-1] == ({"a": None, "b": [[8.0, 9.0]]}, 4, 0)
    assert isinstance(runs.test_dataloaders, dict)
    predictions = runs.predict(module, CombinedLoader(loaders(1, 2), "sequential"))
    assert [len(each) for each in predictions] == [1, 1]
    with pytest.raises(ValueError, match="does not support the .* mode for training"):
        runs.fit(module, CombinedLoader(loaders(1, 2), "sequential"))
    with pytest.raises(ValueError, match=r"only supports the `CombinedLoader\(mode=\"sequential\"\)` mode"):
        runs.predict(module, CombinedLoader(loaders(1, 2), "min_size"))


@WARNINGS
def test_a_list_of_batches_is_one_loader_and_a_list_of_loaders_several() -> None:
    for given, first in (
        ([facula.ones(2), facula.zeros(2)], [1.0, 1.0]),
        ([(facula.ones(1), facula.zeros(1))], [[1.0], [0.0]]),
        ([{"x": facula.ones(1)}], {"x": [1.0]}),
        ([DataLoader(data(2), 2)], [[[0.0, 1.0]]]),
        ([[DataLoader(data(1))], DataLoader(data(1))], [[[[0.0]]], [[0.0]]]),
    ):
        module = Recording()
        trainer().fit(module, given)
        assert module.seen[0] == (first, 0)
    module = Recording()
    plan = trainer(limit_train_batches=4).plan(module, loaders(5, 10))
    assert len([each for each in plan.calls if each.hook == "training_step"]) == 4
