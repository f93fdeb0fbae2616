"""Data sets: readers of image data in the formats it is published in."""

from facula_vision.datasets.cifar import CIFAR10, CIFAR100
from facula_vision.datasets.digits import Digits
from facula_vision.datasets.folder import DatasetFolder, ImageFolder
from facula_vision.datasets.mnist import KMNIST, MNIST, FashionMNIST
from facula_vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "MNIST",
    "DatasetFolder",
    "Digits",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
]
