"""The same program, with PyTorch and with facula, gives the same numbers from the same seed."""

from types import ModuleType

import facula
import pytest

torch = pytest.importorskip("torch")


def train_convolutional(T: ModuleType) -> list[float]:
    """Return the losses of a small convolutional network, with every kind of layer an image classifier has."""
    nn = T.nn
    T.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * 6 * 6, 10),
    )
    optimizer = T.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = T.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=20)
    images, labels = T.randn(16, 1, 28, 28), T.randint(0, 10, (16,))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def train_transformer(T: ModuleType) -> list[float]:
    """Return the losses of a small language model."""
    nn = T.nn
    T.manual_seed(1)
    embedding = nn.Embedding(50, 32)
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, activation="gelu")
    head = nn.Linear(32, 50)
    parameters = [*embedding.parameters(), *layer.parameters(), *head.parameters()]
    optimizer = T.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    tokens = T.randint(0, 50, (8, 17))
    losses = []
    for _ in range(20):
        scores = head(layer(embedding(tokens[:, :-1])))
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_recurrent(T: ModuleType) -> list[float]:
    """Return the losses of a bidirectional LSTM over sequences."""
    nn = T.nn
    T.manual_seed(2)
    layers, head = nn.LSTM(5, 7, 2, batch_first=True, bidirectional=True), nn.Linear(14, 1)
    optimizer = T.optim.RMSprop([*layers.parameters(), *head.parameters()], lr=1e-3)
    series, target = T.randn(6, 9, 5), T.randn(6, 1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(head(layers(series)[0][:, -1]), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("program", [train_convolutional, train_transformer, train_recurrent])
def test_losses_are_equal_step_by_step(program) -> None:
    assert program(facula) == pytest.approx(program(torch), rel=1e-4)


def test_shuffled_batches_come_in_the_same_order() -> None:
    def order(T: ModuleType) -> list[list[int]]:
        T.manual_seed(3)
        loader = T.utils.data.DataLoader(T.utils.data.TensorDataset(T.arange(23)), batch_size=4, shuffle=True)
        return [batch[0].tolist() for _ in range(2) for batch in loader]

    assert order(facula) == order(torch)


def test_checkpoints_are_read_both_ways(tmp_path) -> None:
    def build(T: ModuleType):
        T.manual_seed(4)
        model = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.BatchNorm1d(4))
        optimizer = T.optim.Adam(model.parameters())
        model(T.randn(5, 3)).sum().backward()
        optimizer.step()
        return model, optimizer

    ours, our_optimizer = build(facula)
    theirs, their_optimizer = build(torch)
    facula.save({"model": ours.state_dict(), "optimizer": our_optimizer.state_dict()}, tmp_path / "ours.pt")
    torch.save({"model": theirs.state_dict(), "optimizer": their_optimizer.state_dict()}, tmp_path / "theirs.pt")
    loaded = torch.load(tmp_path / "ours.pt", weights_only=True)
    theirs.load_state_dict(loaded["model"])
    their_optimizer.load_state_dict(loaded["optimizer"])
    for name, value in ours.state_dict().items():
        assert theirs.state_dict()[name].tolist() == value.tolist()
    loaded = facula.load(tmp_path / "theirs.pt")
    ours.load_state_dict(loaded["model"])
    our_optimizer.load_state_dict(loaded["optimizer"])
    assert our_optimizer.state_dict()["state"][0]["step"].item() == 1.0
