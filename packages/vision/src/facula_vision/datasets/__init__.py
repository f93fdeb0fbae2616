"""Data sets: readers of image data in the formats it is published in."""

from facula_vision.datasets.digits import Digits
from facula_vision.datasets.folder import DatasetFolder, ImageFolder
from facula_vision.datasets.mnist import KMNIST, MNIST, FashionMNIST
from facula_vision.datasets.vision import VisionDataset

__all__ = ["KMNIST", "MNIST", "DatasetFolder", "Digits", "FashionMNIST", "ImageFolder", "VisionDataset"]
