"""Tests of LeNet, which learns from real digits."""

import facula
import facula.nn.functional as F
import pytest
from facula.utils.data import DataLoader, Subset
from facula_vision.datasets import MNIST, Digits, ImageFolder
from facula_vision.models import LeNet, lenet
from facula_vision.transforms import Compose, Grayscale, Normalize, Resize, ToTensor


def train(model: LeNet, dataset, steps: int, learning_rate: float = 2e-3) -> list[float]:
    """Train for some steps of 64 images and return the losses."""
    optimizer = facula.optim.Adam(model.parameters(), lr=learning_rate)
    losses: list[float] = []
    while len(losses) < steps:
        for images, labels in DataLoader(dataset, batch_size=64, shuffle=True):
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses


def accuracy(model: LeNet, dataset) -> float:
    """The share of the data set's images that the model classifies right."""
    right = 0
    with facula.no_grad():
        for images, labels in DataLoader(dataset, batch_size=250):
            right += int((model(images).argmax(dim=1) == labels).sum())
    return right / len(dataset)


def test_shapes_and_size() -> None:
    assert tuple(LeNet()(facula.zeros(2, 1, 28, 28)).shape) == (2, 10)
    assert tuple(LeNet(num_classes=3, in_channels=3, padding=0)(facula.zeros(2, 3, 32, 32)).shape) == (2, 3)
    assert sum(parameter.numel() for parameter in lenet().parameters()) == 61_706
    assert list(lenet().state_dict()) == [
        f"{layer}.{kind}" for layer in ("conv1", "conv2", "fc1", "fc2", "fc3") for kind in ("weight", "bias")
    ]


def test_a_seed_gives_pytorchs_initial_values() -> None:
    facula.manual_seed(0)
    model = LeNet()
    # Recorded with PyTorch's random numbers.
    assert model.conv1.weight.flatten()[:3].tolist() == pytest.approx(
        [-0.0014973640209063888, 0.10728871822357178, -0.16460902988910675], rel=1e-5
    )
    assert model.fc3.bias.flatten()[:3].tolist() == pytest.approx(
        [-0.03608913719654083, -0.06657472252845764, 0.0530368909239769], rel=1e-5
    )


def test_it_learns_the_digits_of_the_package() -> None:
    facula.manual_seed(0)
    transform = Compose([Resize(28), ToTensor()])
    model = LeNet()
    losses = train(model, Digits(transform=transform), steps=60)
    assert losses[0] > 2.2
    assert sum(losses[-5:]) / 5 < 0.6
    assert accuracy(model, Digits(train=False, transform=transform)) > 0.8


def test_it_learns_mnist(real_data) -> None:
    facula.manual_seed(0)
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    model = LeNet()
    losses = train(model, MNIST(real_data / "mnist", transform=transform), steps=60)
    assert sum(losses[-5:]) / 5 < 0.5
    test = Subset(MNIST(real_data / "mnist", train=False, transform=transform), range(1000))
    assert accuracy(model, test) > 0.85


def test_it_learns_textures_from_folders(real_data) -> None:
    facula.manual_seed(0)
    transform = Compose([Grayscale(), Resize(28), ToTensor(), Normalize((0.5,), (0.25,))])
    folder = real_data / "images" / "textures"
    model = LeNet(num_classes=3)
    train(model, ImageFolder(folder / "train", transform), steps=40)
    assert accuracy(model, ImageFolder(folder / "val", transform)) > 0.75
