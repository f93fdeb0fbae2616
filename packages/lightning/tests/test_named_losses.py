"""Several optimizers with losses by name: the same weights, bit for bit, as a loop written by hand."""

from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback
from facula_lightning.plugins import MixedPrecision
from facula_lightning.utilities import MisconfigurationException

BATCHES, EPOCHS = 7, 2


class GAN(LightningModule):
    def __init__(self, settings: dict | None = None, schedulers: bool = False) -> None:
        super().__init__()
        facula.manual_seed(0)
        self.settings = settings or {}
        self.schedulers = schedulers
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
        self.discriminator = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def losses(self, batch):
        real, noise = batch
        fake = self.generator(noise)
        judged = nn.functional.softplus
        gen = judged(-self.discriminator(fake)).mean()
        disc = judged(-self.discriminator(real)).mean() + judged(self.discriminator(fake.detach())).mean()
        return {"gen": gen, "disc": disc}

    def training_step(self, batch, batch_idx):
        return {**self.losses(batch), "extra": batch_idx}

    def make(self):
        gen = facula.optim.Adam(self.generator.parameters(), lr=0.01)
        disc = facula.optim.SGD(self.discriminator.parameters(), lr=0.1, momentum=0.9)
        return gen, disc

    def configure_optimizers(self):
        gen, disc = self.make()
        found = {
            "gen": {"optimizer": gen, **self.settings.get("gen", {})},
            "disc": {"optimizer": disc, **self.settings.get("disc", {})},
        }
        if self.schedulers:
            for each in found.values():
                scheduler = facula.optim.lr_scheduler.ExponentialLR(each["optimizer"], 0.5)
                each["lr_scheduler"] = {"scheduler": scheduler, "interval": "step"}
        return found


def data() -> DataLoader:
    generator = facula.Generator().manual_seed(3)
    real, noise = facula.randn(4 * BATCHES, 3, generator=generator), facula.randn(4 * BATCHES, 2, generator=generator)
    return DataLoader(TensorDataset(real, noise), 4)


def trainer(folder: Path, **settings) -> Trainer:
    usual = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**{"max_epochs": EPOCHS, "accelerator": "cpu", "enable_checkpointing": False, **usual, **settings})


def weights(model: LightningModule) -> list:
    return [each.tolist() for each in model.parameters()]


def by_hand(settings: dict, schedulers: bool = False) -> tuple[GAN, int]:
    """Train as one would write it: gradients of each loss for its own network, then the steps."""
    model = GAN()
    optimizers = dict(zip(("gen", "disc"), model.make()))
    networks = {"gen": model.generator, "disc": model.discriminator}
    made = {name: facula.optim.lr_scheduler.ExponentialLR(each, 0.5) for name, each in optimizers.items()}
    turns = dict.fromkeys(optimizers, 0)
    steps = 0
    for _ in range(EPOCHS):
        for batch_idx, batch in enumerate(data()):
            losses = model.losses(batch)
            mine = [name for name in optimizers if (batch_idx + 1) % settings.get(name, {}).get("frequency", 1) == 0]
            gradients = {}
            for name in mine:
                window = settings.get(name, {}).get("accumulate_grad_batches", 1)
                loss = losses[name] / window if window > 1 else losses[name]
                own = list(networks[name].parameters())
                gradients[name] = facula.autograd.grad(loss, own, retain_graph=True)
            for name in mine:
                for parameter, gradient in zip(networks[name].parameters(), gradients[name]):
                    parameter.grad = gradient if turns[name] == 0 else parameter.grad + gradient
                turns[name] += 1
            for name, optimizer in optimizers.items():
                own = settings.get(name, {})
                full = turns[name] >= own.get("accumulate_grad_batches", 1)
                if not turns[name] or not (full or batch_idx == BATCHES - 1):
                    continue
                if "gradient_clip_val" in own:
                    if own.get("gradient_clip_algorithm") == "value":
                        nn.utils.clip_grad_value_(networks[name].parameters(), own["gradient_clip_val"])
                    else:
                        nn.utils.clip_grad_norm_(networks[name].parameters(), own["gradient_clip_val"])
                optimizer.step()
                if schedulers:
                    made[name].step()
                turns[name] = 0
                steps += 1
    return model, steps


SETTINGS = [
    {},
    {"gen": {"frequency": 3}},
    {"disc": {"accumulate_grad_batches": 3}},
    {"gen": {"frequency": 2, "accumulate_grad_batches": 2}, "disc": {"accumulate_grad_batches": 4}},
    {"gen": {"gradient_clip_val": 0.01}, "disc": {"gradient_clip_val": 0.02, "gradient_clip_algorithm": "value"}},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("schedulers", [False, True])
def test_the_weights_are_those_of_a_loop_by_hand(settings: dict, schedulers: bool, tmp_path: Path) -> None:
    expected, steps = by_hand(settings, schedulers)
    model, run = GAN(settings, schedulers), trainer(tmp_path)
    plan = run.plan(model, data())
    run.fit(model, data())
    assert weights(model) == weights(expected)
    assert run.global_step == steps == plan.global_step == len(plan.due("step"))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_resuming_within_windows_is_exact(settings: dict, tmp_path: Path) -> None:
    class Save(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            trainer.save_checkpoint(tmp_path / f"{trainer.current_epoch * BATCHES + batch_idx:02d}.ckpt")

    whole, run = GAN(settings, True), trainer(tmp_path, callbacks=[Save()])
    run.fit(whole, data())
    for path in sorted(tmp_path.glob("*.ckpt")):
        model, again = GAN(settings, True), trainer(tmp_path)
        for parameter in model.parameters():
            parameter.data.zero_()
        again.fit(model, data(), ckpt_path=path)
        assert weights(model) == weights(whole), path.name
        assert again.global_step == run.global_step


def test_without_toggling_gradients_reach_all_parameters(tmp_path: Path) -> None:
    seen = {}

    class Watch(GAN):
        def on_before_optimizer_step(self, optimizer):
            name = "gen" if isinstance(optimizer, facula.optim.Adam) else "disc"
            seen.setdefault(name, self.discriminator[0].weight.grad.tolist())

    for toggle in (True, False):
        seen.clear()
        model = Watch({"gen": {"toggle": toggle}, "disc": {"toggle": toggle}})
        batch = next(iter(data()))
        losses = model.losses(batch)
        own = model.discriminator[0].weight
        alone = facula.autograd.grad(losses["disc"], own, retain_graph=True)[0]
        other = facula.autograd.grad(losses["gen"], own)[0]
        trainer(tmp_path, max_steps=2, max_epochs=-1).fit(model, data())
        expected = alone if toggle else other + alone
        assert seen["disc"] == expected.tolist()


def test_a_loss_that_is_left_out_has_no_turn(tmp_path: Path) -> None:
    class Alternating(GAN):
        def training_step(self, batch, batch_idx):
            losses = self.losses(batch)
            return {"gen": losses["gen"]} if batch_idx % 2 else {"disc": losses["disc"]} if batch_idx else None

    run = trainer(tmp_path, max_epochs=1)
    run.fit(Alternating(), data())
    assert run.global_step == BATCHES - 1


def test_one_scale_for_all_steps_of_a_batch(tmp_path: Path) -> None:
    results = []
    for scaled in (False, True):
        plugin = MixedPrecision("bf16-mixed", "cpu")
        if scaled:
            plugin.scaler = facula.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=1)
        model = GAN()
        trainer(tmp_path, plugins=[plugin], max_epochs=1).fit(model, data())
        results.append(weights(model))
    assert results[0] == results[1]
    assert plugin.scaler.get_scale() == 2.0 ** (8 + BATCHES)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    class Wrong(GAN):
        def training_step(self, batch, batch_idx):
            return self.losses(batch)["gen"]

    with pytest.raises(MisconfigurationException, match=r"expected some of \['gen', 'disc'\], got Tensor"):
        trainer(tmp_path).fit(Wrong(), data())
    with pytest.raises(MisconfigurationException, match="unknown setting 'every'"):
        trainer(tmp_path).fit(GAN({"gen": {"every": 2}}), data())
    with pytest.raises(MisconfigurationException, match="positive int for 'frequency', got 0"):
        trainer(tmp_path).fit(GAN({"gen": {"frequency": 0}}), data())
