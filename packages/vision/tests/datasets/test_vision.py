"""Tests of the data sets' base."""

import pytest
from facula_vision.datasets import VisionDataset
from facula_vision.transforms import CenterCrop, Compose, ToTensor


class Numbers(VisionDataset):
    """Three pairs of a number and its negative."""

    def __getitem__(self, index: int) -> tuple[int, int]:
        pair = (index, -index)
        return self.transforms(*pair) if self.transforms is not None else pair

    def __len__(self) -> int:
        return 3

    def extra_repr(self) -> str:
        return "Kind: numbers\nSigned: yes"


def test_separate_transforms_become_one_of_pairs() -> None:
    assert Numbers(transform=float)[2] == (2.0, -2)
    assert Numbers(target_transform=str)[2] == (2, "-2")
    assert Numbers(transforms=lambda image, target: (target, image))[2] == (-2, 2)


def test_both_kinds_of_transforms_are_refused() -> None:
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        Numbers(transforms=lambda image, target: (image, target), transform=str)


def test_representation() -> None:
    transform = Compose([CenterCrop(2), ToTensor()])
    expected = """Dataset Numbers
    Number of datapoints: 3
    Root location: here
    Kind: numbers
    Signed: yes
    StandardTransform
Transform: Compose(
               CenterCrop(size=(2, 2))
               ToTensor()
           )
Target transform: ToTensor()"""
    assert repr(Numbers("here", transform=transform, target_transform=ToTensor())) == expected
    assert repr(Numbers()) == "Dataset Numbers\n    Number of datapoints: 3\n    Kind: numbers\n    Signed: yes"


def test_a_subclass_must_say_what_it_holds() -> None:
    dataset = VisionDataset("here")
    with pytest.raises(NotImplementedError, match="VisionDataset must define __len__"):
        len(dataset)
    with pytest.raises(NotImplementedError, match="VisionDataset must define __getitem__"):
        dataset[0]
