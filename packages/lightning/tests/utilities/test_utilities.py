"""Small helpers: their results, and those of PyTorch Lightning's where it is installed."""

import os
import pickle
import random
import warnings

import facula
import numpy as np
import pytest
from facula import nn
from facula.nn.functional import mse_loss
from facula_lightning import seed_everything, utilities
from facula_lightning.utilities import (
    GradClipAlgorithmType,
    LightningEnum,
    PossibleUserWarning,
    disable_possible_user_warnings,
    find_shared_parameters,
    is_picklable,
    is_shared_filesystem,
    isolate_rng,
    measure_flops,
    reset_seed,
    set_shared_parameters,
    suggested_max_num_workers,
)
from facula_lightning.utilities.upgrade_checkpoint import main as upgrade


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.body = nn.ModuleDict({"one": nn.Linear(3, 3), "two": nn.Linear(3, 3)})
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.body["two"].bias = self.body["one"].bias


def test_shared_parameters_are_found_and_tied_again() -> None:
    model = Tied()
    found = find_shared_parameters(model)
    assert found == [["embedding.weight", "head.weight"], ["body.one.bias", "body.two.bias"]]
    # What loses them: each parameter is replaced by a copy.
    for each in model.modules():
        for name, parameter in list(each._parameters.items()):
            if parameter is not None:
                setattr(each, name, nn.Parameter(parameter.detach().clone()))
    assert find_shared_parameters(model) == []
    assert set_shared_parameters(model, found) is model
    assert find_shared_parameters(model) == found
    assert model.head.weight is model.embedding.weight


def test_flops_of_a_model_and_of_its_training() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x = facula.ones(3, 4)
    forward = 2 * 3 * (4 * 8 + 8 * 2)
    assert measure_flops(model, lambda: model(x)) == forward
    # The inputs need no gradient.
    trained = measure_flops(model, lambda: model(x), lambda y: mse_loss(y, facula.zeros(3, 2)))
    assert trained == 3 * forward - 2 * 3 * 4 * 8


class Kind(LightningEnum):
    FIRST = "one"
    SECOND = "Two-2"


def test_members_of_an_enumeration_are_text_in_any_case() -> None:
    assert Kind.FIRST == "ONE" and Kind.FIRST != "first" and Kind("one") is Kind.FIRST
    assert {Kind.SECOND: 1}["two-2"] == 1
    assert Kind.from_str("second") is Kind.SECOND is Kind.from_str("two-2", source="value")
    assert Kind.from_str("TWO-2", source="any") is Kind.SECOND
    with pytest.raises(ValueError, match=r"expected one of \['FIRST', 'SECOND', 'one', 'Two-2'\], but got third"):
        Kind.from_str("third", source="any")
    with pytest.warns(UserWarning, match="Invalid string"):
        assert Kind.try_from_str("third") is None
    assert GradClipAlgorithmType.supported_types() == ["value", "norm"]
    assert GradClipAlgorithmType.supported_type("norm") and not GradClipAlgorithmType.supported_type("size")
    assert pickle.loads(pickle.dumps(Kind.FIRST)) is Kind.FIRST


def test_objects_that_can_be_pickled() -> None:
    assert is_picklable({"a": facula.ones(1)}) and not is_picklable(lambda: 0)


def test_warnings_that_may_be_beside_the_point_are_turned_off() -> None:
    from facula_lightning.utilities.rank_zero import rank_zero_warn

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        rank_zero_warn("first", category=PossibleUserWarning)
        disable_possible_user_warnings(module="somewhere_else")
        rank_zero_warn("second", category=PossibleUserWarning)
        disable_possible_user_warnings()
        rank_zero_warn("third", category=PossibleUserWarning)
        rank_zero_warn("fourth")
    assert [str(each.message) for each in seen] == ["first", "second", "fourth"]


def test_workers_are_no_more_than_the_processors_of_this_process(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(12)), raising=False)
    assert [suggested_max_num_workers(count) for count in (1, 2, 5, 12)] == [11, 5, 1, 1]
    with pytest.raises(ValueError, match="should be >= 1"):
        suggested_max_num_workers(0)


class Ranks:
    """A strategy of two processes, of which this is one; the other answers as it is told."""

    world_size = 2

    def __init__(self, first: bool, path: object = None, agrees: bool = True) -> None:
        self.is_global_zero, self.path, self.agrees = first, path, agrees

    def broadcast(self, value: object) -> object:
        return value if self.path is None else self.path

    def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:
        return decision and self.agrees

    def barrier(self) -> None: ...


def test_whether_processes_share_their_files(tmp_path) -> None:
    from facula_lightning import Trainer

    assert is_shared_filesystem(Trainer(logger=False, enable_checkpointing=False).strategy)
    assert is_shared_filesystem(Ranks(first=True), tmp_path)
    assert not is_shared_filesystem(Ranks(first=False), tmp_path, timeout=0)
    assert not is_shared_filesystem(Ranks(first=True, path=tmp_path / "other"), tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        is_shared_filesystem(Ranks(first=True), tmp_path / "missing")
    assert not list(tmp_path.iterdir())


def test_seeds_are_set_again_and_left_alone(monkeypatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")

    def draws() -> list[float]:
        return [random.random(), float(np.random.rand()), facula.rand(()).item()]

    seed_everything(8, verbose=False)
    first = draws()
    reset_seed(verbose=False)
    with isolate_rng(include_cuda=False):
        assert draws() == first
    assert draws() == first


def test_old_checkpoints_are_written_again_and_kept(tmp_path, capsys) -> None:
    file = tmp_path / "run" / "old.ckpt"
    file.parent.mkdir()
    counts = {"epoch": 3, "global_step": 7, "pytorch-lightning_version": "1.9.0"}
    old = {"state_dict": {"weight": facula.ones(2)}, "optimizer_states": [], **counts}
    facula.save(old, file)
    before = file.read_bytes()
    assert upgrade([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(file)]
    new = facula.load(file)
    assert file.with_suffix(".bak").read_bytes() == before
    assert new["state_dict"]["weight"].tolist() == [1, 1] and "fit_loop" in new["loops"]
    assert upgrade([str(file)]) == 0 and file.with_suffix(".bak").read_bytes() == before
    assert upgrade([str(tmp_path / "nothing")]) == 1 == upgrade([str(tmp_path), "-e", "pt"])


def test_the_names_are_there_that_lightning_has() -> None:
    pytest.importorskip("torch")
    theirs = pytest.importorskip("pytorch_lightning.utilities")
    assert set(theirs.__all__) - set(utilities.__all__) == set()
