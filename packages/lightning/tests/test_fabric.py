"""Fabric: the same weights as the trainer's, files, precision and what it refuses."""

from __future__ import annotations

import facula
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.fabric import Fabric, is_wrapped


class Small(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.Adam(self.parameters(), lr=0.01)


def loader() -> DataLoader:
    generator = facula.Generator().manual_seed(3)
    x = facula.randn(20, 4, generator=generator)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=6, shuffle=True)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed", "64-true"])
def test_same_weights_as_the_trainer(precision: str) -> None:
    Fabric.seed_everything(1, verbose=False)
    trained = Small()
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=0.5, precision=precision,
    )  # fmt: skip
    trainer.fit(trained, loader())

    fabric = Fabric(accelerator="cpu", precision=precision)
    fabric.seed_everything(1, verbose=False)
    own = Small()
    before = own.layers[0].weight.detach().clone()
    model = fabric.setup_module(own)
    optimizer = fabric.setup_optimizers(own.configure_optimizers())
    batches = fabric.setup_dataloaders(loader())
    assert is_wrapped(model) and is_wrapped(optimizer) and is_wrapped(batches)
    for _ in range(2):
        for index, batch in enumerate(batches):
            loss = model.training_step(batch, index)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=0.5, error_if_nonfinite=False)
            optimizer.step()
    assert not facula.equal(before, own.layers[0].weight.to(before.dtype))
    for first, second in zip(trained.parameters(), own.parameters()):
        assert facula.equal(first.to(second.dtype), second)


def test_save_and_load(tmp_path) -> None:
    fabric = Fabric(accelerator="cpu")
    layer = nn.Linear(2, 1)
    model, optimizer = fabric.setup(layer, facula.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9))
    fabric.backward(model(facula.ones(3, 2)).sum())
    optimizer.step()
    fabric.save(tmp_path / "state.ckpt", {"model": model, "optimizer": optimizer, "step": 7, "more": 1})
    other = nn.Linear(2, 1)
    again, its = fabric.setup(other, facula.optim.SGD(other.parameters(), lr=0.3, momentum=0.9))
    state = {"model": again, "optimizer": its, "step": 0}
    assert fabric.load(tmp_path / "state.ckpt", state) == {"more": 1}
    assert state["step"] == 7 and its.param_groups[0]["lr"] == 0.1
    assert facula.equal(other.weight, layer.weight)
    with pytest.raises(KeyError, match="has no 'missing'"):
        fabric.load(tmp_path / "state.ckpt", {"missing": 1})


def test_refusals() -> None:
    fabric = Fabric(accelerator="cpu")
    model = fabric.setup(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="only once"):
        fabric.setup(model)
    with pytest.raises(ValueError, match="at least one"):
        fabric.setup_optimizers()
    several = Fabric(accelerator="cpu", strategy="ddp_spawn", devices=2)
    assert (several.world_size, several.global_rank, several.is_global_zero) == (2, 0, True)
    for call in (
        *(several.barrier, lambda: several.setup(nn.Linear(1, 1)), lambda: several.setup_dataloaders(loader())),
        *(lambda: several.all_reduce(1), several.init_module, lambda: several.broadcast(1)),
    ):
        with pytest.raises(RuntimeError, match=r"`\.launch\(\)` must be called first"):
            call()
    with pytest.raises(TypeError, match="needs a function, got none"):
        several.launch()
    with pytest.raises(TypeError, match="but got 3"):
        fabric.launch(3)
    with pytest.raises(TypeError, match="takes nothing"):
        fabric.launch(lambda: None)
    with pytest.raises(TypeError, match="DataLoader, got list"):
        fabric.setup_dataloaders([1, 2])
    with pytest.raises(TypeError, match="was set up"):
        fabric.no_backward_sync(nn.Linear(1, 1))
    optimizer = fabric.setup_optimizers(facula.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="Only one of"):
        fabric.clip_gradients(model, optimizer, clip_val=1.0, max_norm=1.0)
    with pytest.raises(ValueError, match="has to be given"):
        fabric.clip_gradients(model, optimizer)


def test_callbacks_and_launch() -> None:
    class Noting:
        seen: list[int] = []

        def on_step(self, number: int) -> None:
            self.seen.append(number)

    fabric = Fabric(accelerator="cpu", callbacks=Noting())
    assert fabric.launch(lambda given, number: given.call("on_step", number) or number, 4) == 4
    assert Noting.seen == [4]


def test_a_filter_says_what_is_written(tmp_path) -> None:
    fabric = Fabric(accelerator="cpu")
    model = fabric.setup(nn.Linear(2, 1))
    path = tmp_path / "state.ckpt"
    fabric.save(path, {"model": model, "step": 3}, filter={"model": lambda name, value: name == "weight"})
    found = fabric.load(path)
    assert list(found["model"]) == ["weight"] and found["step"] == 3
    with pytest.raises(RuntimeError, match="bias"):
        fabric.load(path, {"model": model})
    fabric.load(path, {"model": model, "missing": 1}, strict=False)
    for wrong, kind in ((3, TypeError), ({"model": 3}, TypeError), ({"other": len}, ValueError)):
        with pytest.raises(kind, match="[Ff]ilter"):
            fabric.save(path, {"model": model}, filter=wrong)
    facula.save(nn.Linear(2, 1).state_dict(), tmp_path / "raw.pt")
    fabric.load_raw(tmp_path / "raw.pt", model, weights_only=True)
    assert facula.equal(model.weight, facula.load(tmp_path / "raw.pt")["weight"])
    assert fabric.load(tmp_path / "raw.pt", model) == {}
    with pytest.raises(FileNotFoundError):
        fabric.load(tmp_path / "nowhere.ckpt")


def test_the_scaler_is_saved_with_the_rest(tmp_path) -> None:
    fabric = Fabric(accelerator="cpu", precision="16-mixed")
    fabric._precision.scaler.update(7.0)
    fabric.save(tmp_path / "state.ckpt", {"step": 1})
    other = Fabric(accelerator="cpu", precision="16-mixed")
    state = {"step": 0}
    assert other.load(tmp_path / "state.ckpt", state) == {}
    assert state == {"step": 1} and other._precision.scaler.get_scale() == 7.0


def test_wrapped_objects_pass_for_what_they_wrap() -> None:
    fabric = Fabric(accelerator="cpu", callbacks=[Noting := type("Noting", (), {"seen": []})()])
    Noting.on_after_optimizer_step = lambda strategy, optimizer: Noting.seen.append((strategy, optimizer))
    Noting.on_after_setup = lambda module: Noting.seen.append(module)
    Noting.not_callable = 3
    layer = nn.Linear(2, 1)
    sgd = facula.optim.SGD(layer.parameters(), lr=1.0)
    model, optimizer = fabric.setup(layer, sgd)
    assert isinstance(optimizer, facula.optim.SGD) and is_wrapped(optimizer) and not is_wrapped(sgd)
    schedule = facula.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    fabric.backward(model(facula.ones(1, 2)).sum())
    optimizer.step()
    schedule.step()
    assert sgd.param_groups[0]["lr"] == 0.5
    assert Noting.seen == [model, (fabric.strategy, sgd)]
    model.extra = 5
    assert layer.extra == 5 and model.extra == 5
    model.eval()
    assert not layer.training and not model.training
    with pytest.warns(UserWarning, match="not callable"):
        fabric.call("not_callable")
    with pytest.warns(DeprecationWarning, match="init_module"), fabric.sharded_model():
        pass


@pytest.mark.parametrize("maker", [Fabric, Trainer])
def test_layers_are_made_without_drawing_weights(maker: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.Conv2d(1, 2, 3), nn.LayerNorm(4), nn.Embedding(5, 2), nn.LSTM(2, 2))

    owner = maker(accelerator="cpu", precision="64-true")
    facula.manual_seed(0)
    state = facula.get_rng_state()
    drawn: list[tuple[int, ...]] = []
    uniform = Tensor.uniform_
    monkeypatch.setattr(
        Tensor, "uniform_", lambda self, *args, **kwargs: drawn.append(1) or uniform(self, *args, **kwargs)
    )
    with owner.init_module(empty_init=True):
        empty = make()
    assert not drawn and (facula.get_rng_state() == state).all()
    assert {each.dtype for each in empty.parameters()} == {facula.float64}
    for given in (None, False):
        with owner.init_module(empty_init=given):
            full = make()
        assert drawn and not (facula.get_rng_state() == state).all()
        drawn.clear()
    empty.load_state_dict(full.state_dict())
    x = facula.ones(1, 3, dtype=facula.float64)
    assert (empty[0](x) == full[0](x)).all()
    assert nn.init.constant_(facula.zeros(2), 3.0).tolist() == [3.0, 3.0]


def test_other_methods_run_in_the_precision_when_they_are_marked() -> None:
    class Net(nn.Linear):
        def twice(self, x: Tensor) -> Tensor:
            return self(x) * 2

    fabric = Fabric(accelerator="cpu", precision="bf16-true")
    model = fabric.setup(Net(2, 1))
    with pytest.raises(RuntimeError):
        model.twice(facula.ones(1, 2))
    model.mark_forward_method("twice")
    assert model.twice(facula.ones(1, 2)).dtype is facula.float32
    for wrong, kind in (
        (3, TypeError),
        ("forward", ValueError),
        ("thrice", AttributeError),
        ("weight", AttributeError),
    ):
        with pytest.raises(kind):
            model.mark_forward_method(wrong)


def test_one_process_gathers_and_reduces_nothing() -> None:
    fabric = Fabric(accelerator="cpu")
    assert fabric.all_gather({"a": 1, "b": [2.0]})["b"][0].tolist() == 2.0
    x = facula.ones(2)
    assert fabric.all_reduce(x) is x and fabric.broadcast("a") == "a"
    with fabric.rank_zero_first():
        fabric.barrier()


def test_a_subclass_runs_its_loop() -> None:
    class Loop(Fabric):
        def run(self, number: int) -> int:
            return number + self.world_size

    assert Loop(accelerator="cpu").run(3) == 4


def test_it_is_found_at_both_places_and_only_when_it_is_asked_for() -> None:
    import subprocess
    import sys

    program = (
        "import sys, facula_lightning; assert 'facula_lightning.fabric' not in sys.modules; import facula_lightning.fabric as f;"
        " assert facula_lightning.Fabric is f.Fabric; facula_lightning.other"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "module 'facula_lightning' has no attribute 'other'" in ended.stderr


def test_a_lightning_module_uses_fabric_in_place_of_a_trainer() -> None:
    class Noting:
        rows: list[tuple] = []

        def log_metrics(self, metrics: dict, step: int | None = None) -> None:
            self.rows.append((metrics, step))

    class Manual(Small):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
            self.toggle_optimizer(self.optimizers())
            loss = super().training_step(batch, batch_idx)
            self.optimizers().zero_grad()
            self.manual_backward(loss)
            self.clip_gradients(self.optimizers(), gradient_clip_val=0.1)
            self.optimizers().step()
            self.untoggle_optimizer(self.optimizers())
            self.log("loss", loss.detach() * 0)
            self.log_dict({"a": 1.0, "b": 2.0}, logger=False)

        def on_train_epoch_end(self, number: int) -> None:
            self.ended = number

    own = Manual()
    own.automatic_optimization = False
    assert own.fabric is None and own.loggers == [] and own.logger is None
    logger = Noting()
    fabric = Fabric(accelerator="cpu", loggers=logger)
    model, optimizer = fabric.setup(own, own.configure_optimizers())
    assert own.fabric is fabric and own.logger is logger and own.optimizers() is optimizer
    before = own.layers[0].weight.detach().clone()
    model.training_step([facula.ones(2, 4), facula.ones(2, 1)], 0)
    assert not facula.equal(before, own.layers[0].weight)
    norm = sum(float((each.grad**2).sum()) for each in own.parameters()) ** 0.5
    assert norm == pytest.approx(0.1, rel=1e-4)
    assert logger.rows == [({"loss": 0.0}, None)]
    fabric.call("on_train_epoch_end", 7, unknown=1)
    assert own.ended == 7
    assert own.trainer.world_size == 1 and own.global_rank == 0
    assert own.all_gather(3).item() == 3
    with pytest.raises(AttributeError, match="which has no 'max_epochs'"):
        _ = own.trainer.max_epochs
