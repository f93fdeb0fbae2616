"""ModelPruning: the same weights as Lightning's, and a resumed run that prunes on."""

import logging
import warnings
from pathlib import Path

import facula
import numpy as np
import pytest
from facula import nn
from facula.nn.utils import prune
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback, ModelPruning
from facula_lightning.checkpointing.io import read_checkpoint
from facula_lightning.utilities.exceptions import MisconfigurationException


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        facula.manual_seed(2)
        self.layer = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.mse_loss(self.layer(x), y)

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return facula.optim.Adam(self.parameters(), lr=0.05)


def data() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((24, 4)).astype(np.float32)
    return x, x.sum(1, keepdims=True)


def fit(*callbacks: Callback, epochs: int = 3, ckpt_path=None, val: bool = False, seed: int = 0) -> Model:
    model = Model()
    facula.manual_seed(seed)
    trainer = Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    x, y = map(facula.from_numpy, data())
    loader = DataLoader(TensorDataset(x, y), 8, shuffle=not val)
    trainer.fit(model, loader, loader if val else None, ckpt_path=ckpt_path)
    return model


def zeros(model: Model) -> float:
    numbers = np.concatenate([each.detach().numpy().ravel() for each in model.parameters()])
    return float((numbers == 0).mean())


pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no `val_dataloader`", "ignore:.*sampler has shuffling enabled"
)
CASES = {
    "global": {"pruning_fn": "l1_unstructured", "amount": 0.3},
    "global, by number": {"pruning_fn": "l1_unstructured", "amount": 5, "use_lottery_ticket_hypothesis": False},
    "weights": {"pruning_fn": "l1_unstructured", "parameter_names": ["weight"], "amount": lambda epoch: 0.1 * epoch},
    "each": {"pruning_fn": "l1_unstructured", "use_global_unstructured": False, "amount": 0.25},
    "channels": {
        "pruning_fn": "ln_structured", "use_global_unstructured": False, "parameter_names": ["weight"], "pruning_dim": 1,
        "pruning_norm": 2, "amount": 0.25, "use_lottery_ticket_hypothesis": lambda epoch: epoch == 1,
    },
    "after validation": {"pruning_fn": "l1_unstructured", "amount": 0.2, "prune_on_train_epoch_end": False},
    "sometimes": {"pruning_fn": "l1_unstructured", "amount": 0.2, "apply_pruning": lambda epoch: epoch != 1},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_lightnings(name: str) -> None:
    torch = pytest.importorskip("torch")
    lightning = pytest.importorskip("pytorch_lightning")
    from pytorch_lightning.callbacks import ModelPruning as TheirPruning

    class Theirs(TheirPruning):
        @staticmethod
        def _copy_param(new, old, name):
            # Lightning gives the parameter the very memory of the value it began with, which training then writes to: from
            # the second time on it goes back to something else. With a copy it does what it is there for.
            copied = type(old).__new__(type(old))
            copied.__dict__ = {**old.__dict__, "_parameters": {k: v.clone() for k, v in old._parameters.items()}}
            TheirPruning._copy_param(new, copied, name)

    class Other(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))

        def training_step(self, batch, batch_idx):
            x, y = batch
            return torch.nn.functional.mse_loss(self.layer(x), y)

        def validation_step(self, batch, batch_idx):
            pass

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.05)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = Other()
        other.load_state_dict({key: torch.from_numpy(value.numpy()) for key, value in Model().state_dict().items()})
        trainer = lightning.Trainer(
            accelerator="cpu", max_epochs=3, callbacks=[Theirs(**CASES[name])], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        x, y = map(torch.from_numpy, data())
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 8)
        trainer.fit(other, loader, loader)
    model = fit(ModelPruning(**CASES[name]), val=True)
    theirs, ours = other.state_dict(), model.state_dict()
    assert theirs.keys() == ours.keys()
    for key in ours:
        np.testing.assert_allclose(ours[key].numpy(), theirs[key].numpy(), rtol=1e-4, atol=1e-6)
        assert ((ours[key].numpy() == 0) == (theirs[key].numpy() == 0)).all()
    assert zeros(model) > 0.05


class Save(Callback):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer, *arguments) -> None:
        trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


@pytest.mark.parametrize("settings", [
    {"pruning_fn": "random_unstructured", "amount": 0.2},
    {"pruning_fn": "random_unstructured", "amount": 0.2, "use_lottery_ticket_hypothesis": False},
    {"pruning_fn": "l1_unstructured", "use_global_unstructured": False, "resample_parameters": True, "amount": 0.2},
])  # fmt: skip
def test_a_resumed_run_prunes_on(settings: dict, tmp_path: Path) -> None:
    whole = fit(ModelPruning(**settings), Save(tmp_path))
    for step in (4, 9):
        path = tmp_path / f"{step}.ckpt"
        state = read_checkpoint(path)["state_dict"]
        assert sorted(state) == sorted(Model().state_dict())
        again = fit(ModelPruning(**settings), Save(tmp_path / "again"), ckpt_path=path, seed=9)
        for one, other in zip(whole.parameters(), again.parameters()):
            assert one.tolist() == other.tolist(), step
    assert zeros(whole) > 0.3


def test_pruning_may_stay_apart(tmp_path: Path) -> None:
    model = fit(ModelPruning("l1_unstructured", make_pruning_permanent=False, amount=0.2), Save(tmp_path), epochs=2)
    assert prune.is_pruned(model) and "layer.0.weight_mask" in model.state_dict()
    assert "layer.0.weight_orig" in read_checkpoint(tmp_path / "6.ckpt")["state_dict"]


def test_how_much_is_pruned_is_logged(caplog) -> None:
    with caplog.at_level(logging.INFO):
        fit(ModelPruning("l1_unstructured", amount=10, verbose=2), epochs=2)
    told = [each.message for each in caplog.records if "Pruned" in each.message]
    assert told[0] == "Applied `L1Unstructured`. Pruned: 0/49 (0.00%) -> 10/49 (20.41%)"
    assert told[5] == "Applied `L1Unstructured`. Pruned: 10/49 (20.41%) -> 20/49 (40.82%)"
    assert "to `Linear(in_features=4, out_features=8, bias=True).weight` with amount=10" in told[1]


def test_parameters_may_be_chosen() -> None:
    class Last(ModelPruning):
        def filter_parameters_to_prune(self, parameters_to_prune=()):
            return [pair for pair in parameters_to_prune if pair[0].out_features == 1]

    model = fit(Last("l1_unstructured", amount=0.5), epochs=1)
    assert (model.layer[0].weight == 0).sum() == 0 and (model.layer[2].weight == 0).sum() == 4
    model = Model()
    assert ModelPruning.sanitize_parameters_to_prune(model, [(model.layer[0], "weight")]) == [
        (model.layer[0], "weight")
    ]
    with pytest.raises(MisconfigurationException, match="missing parameters: .'gain'."):
        ModelPruning.sanitize_parameters_to_prune(model, [(model.layer[0], "gain")])
    with pytest.raises(MisconfigurationException, match="Found missing modules: .Linear"):
        ModelPruning.sanitize_parameters_to_prune(model, [(nn.Linear(1, 1), "weight")])
    with pytest.raises(MisconfigurationException, match="should either be list of tuple with 2 elements"):
        ModelPruning.sanitize_parameters_to_prune(model, [model.layer[0]])


@pytest.mark.parametrize(("settings", "message"), [
    ({"pruning_fn": "none"}, "isn't available among the built-in functions"),
    ({"pruning_fn": 3}, "`pruning_fn` is expected to be a str in"),
    ({"pruning_fn": "l1_unstructured", "parameter_names": ["gain"]}, "name: gain isn't in"),
    ({"pruning_fn": "random_structured"}, "the `pruning_dim` should be provided"),
    ({"pruning_fn": "ln_structured", "pruning_dim": 0}, "the `pruning_norm` should be provided"),
    ({"pruning_fn": "random_structured", "pruning_dim": 0}, 'Only the "unstructured" PRUNING_TYPE is supported'),
    ({"pruning_fn": prune.L1Unstructured, "use_global_unstructured": False}, "only supported with `use_global_unstr"),
    ({"pruning_fn": "l1_unstructured", "amount": "half"}, "`amount` should be provided and be either"),
    ({"pruning_fn": "l1_unstructured", "verbose": 3}, "`verbose` must be any of"),
])  # fmt: skip
def test_wrong_arguments_are_named(settings: dict, message: str) -> None:
    with pytest.raises(MisconfigurationException, match=message):
        ModelPruning(**settings)
