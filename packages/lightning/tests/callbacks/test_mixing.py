"""MixUp, LabelSmoothing and NEFTune."""

from __future__ import annotations

from typing import Any

import facula
import numpy as np
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula_lightning import Learner, LightningModule, Trainer, fit
from facula_lightning.callbacks import Callback, LabelSmoothing, MixUp, NEFTune
from facula_lightning.utilities.exceptions import MisconfigurationException

X = facula.randn(12, 3, generator=facula.Generator().manual_seed(1))
Y = facula.tensor([0, 1, 2, 3] * 3)


def weights(loss: Any, *callbacks: Callback, y: Tensor = Y) -> list[list[float]]:
    facula.manual_seed(1)
    model = nn.Linear(3, 4)
    fit(model, (X, y), loss, "sgd", ["accuracy"], lr=0.5, epochs=3, batch_size=5, callbacks=list(callbacks), verbose=0)
    return model.weight.tolist()


@pytest.mark.parametrize("target", [Y, F.one_hot(Y, 4).float()], ids=["numbers", "rows"])
def test_smoothed_labels_are_the_smoothing_of_the_loss(target: Tensor) -> None:
    wanted = weights(nn.CrossEntropyLoss(label_smoothing=0.3), y=target)
    found = weights(nn.CrossEntropyLoss(), LabelSmoothing(0.3, num_classes=4), y=target)
    assert np.allclose(found, wanted, atol=1e-6)
    assert not np.allclose(found, weights(nn.CrossEntropyLoss(), y=target), atol=1e-3)


def test_validation_has_the_labels_as_they_are() -> None:
    learner = Learner(nn.Linear(3, 4))
    learner.compile("sgd", "cross_entropy", lr=0.0)
    history = learner.fit(X, Y, validation_data=(X, Y), callbacks=LabelSmoothing(0.3, num_classes=4), verbose=0).history
    plain = F.cross_entropy(learner.model(X), Y).item()
    assert history["val_loss"] == [pytest.approx(plain, rel=1e-5)]
    assert history["loss"] == [
        pytest.approx(F.cross_entropy(learner.model(X), Y, label_smoothing=0.3).item(), rel=1e-5)
    ]


class Recorder(Callback):
    def __init__(self) -> None:
        self.batches: list[Any] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append((batch, outputs["loss"]))


def test_mixed_batches_are_between_two_samples() -> None:
    facula.manual_seed(5)
    # The place of a sample is its number: what was mixed can be read from the mixture.
    x = F.one_hot(facula.arange(12), 12).float()
    seen = Recorder()
    learner = Learner(nn.Linear(12, 4))
    learner.compile("sgd", "cross_entropy", lr=0.0)
    learner.fit(x, Y, epochs=30, callbacks=[MixUp(0.4, num_classes=4), seen], verbose=0)
    shares = []
    for (mixed, targets), loss in seen.batches:
        largest, place = mixed.max(1)
        assert facula.allclose(mixed.sum(1), facula.ones(12)) and (largest >= 0.5 - 1e-6).all()
        other = mixed.scatter(1, place[:, None], 0.0).max(1)
        shares += [each for each in largest.tolist() if each < 1 - 1e-6]
        wanted = largest[:, None] * F.one_hot(Y[place], 4) + other.values[:, None] * F.one_hot(Y[other.indices], 4)
        assert facula.allclose(targets, wanted, atol=1e-6)
        # fastai's way: the losses for both targets, weighed.
        scores = learner.model(mixed)
        both = [F.cross_entropy(scores, Y[at], reduction="none") for at in (place, other.indices)]
        assert loss.item() == pytest.approx((largest * both[0] + other.values * both[1]).mean().item(), rel=1e-4)
        assert sorted(place.tolist()) == list(range(12))
    # The mean of max(share, 1 - share) for a beta distribution with both parameters 0.4, drawn by NumPy.
    drawn = np.random.default_rng(0).beta(0.4, 0.4, 200_000)
    drawn = np.maximum(drawn, 1 - drawn)
    assert np.mean(shares) == pytest.approx(drawn[drawn < 1 - 1e-6].mean(), abs=0.03)


def test_numbers_are_mixed_as_they_are() -> None:
    seen = Recorder()
    learner = Learner(nn.Linear(3, 1))
    learner.compile("sgd", "mse", lr=0.0)
    y = X.sum(1, keepdim=True)
    learner.fit(X, y, callbacks=[MixUp(1.0), seen], verbose=0)
    ((mixed, targets), _) = seen.batches[0]
    assert facula.allclose(targets, mixed.sum(1, keepdim=True), atol=1e-5)
    assert not facula.allclose(targets.sort(0).values, y.sort(0).values)
    assert facula.equal(y, X.sum(1, keepdim=True))


def test_refusals() -> None:
    for make, message in ((lambda: MixUp(0.0), "a positive `alpha`"), (lambda: LabelSmoothing(1.5), "a share from 0")):
        with pytest.raises(ValueError, match=message):
            make()
    for callback in (MixUp(), LabelSmoothing()):
        with pytest.raises(ValueError, match="needs `num_classes`"):
            weights("cross_entropy", callback)
        with pytest.raises(TypeError, match="lists or dictionaries, got tuple"):
            callback.on_train_batch_start(None, None, (X, Y), 0)
    with pytest.raises(ValueError, match="a positive `noise_alpha`"):
        NEFTune(0.0)


def test_noise_on_embeddings() -> None:
    class Model(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(5, 8)
            self.out = nn.Linear(8, 1)
            self.noise: list[Tensor] = []

        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            found = self.embedding(batch)
            self.noise.append((found - self.embedding.weight[batch]).detach())
            return self.out(found).mean()

        def validation_step(self, batch: Tensor, batch_idx: int) -> None:
            assert facula.equal(self.embedding(batch), self.embedding.weight[batch])

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(self.parameters(), lr=0.1)

    facula.manual_seed(3)
    model = Model()
    batches = [facula.randint(0, 5, (16, 50)) for _ in range(5)]
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    before = model.embedding.weight.detach().clone()
    for embedding in (None, "embedding"):
        callback = NEFTune(noise_alpha=10.0, embedding=embedding)
        Trainer(max_epochs=1, callbacks=callback, accelerator="cpu", **quiet).fit(model, batches, batches)
        noise = facula.cat(model.noise)
        most = 10.0 / (50 * 8) ** 0.5
        assert noise.abs().max() <= most + 1e-6 and noise.abs().max() > 0.99 * most
        assert noise.mean().item() == pytest.approx(0.0, abs=most / 50)
        assert noise.std().item() == pytest.approx(most / 3**0.5, rel=0.02)
    assert not facula.equal(before, model.embedding.weight)
    # Afterwards there is no noise any more.
    assert facula.equal(model.train().embedding(batches[0]), model.embedding.weight[batches[0]])
    with pytest.raises(MisconfigurationException, match="has no `nn.Embedding`"):
        fit(nn.Linear(3, 4), (X, Y), "cross_entropy", callbacks=NEFTune(), verbose=0)
