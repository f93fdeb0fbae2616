"""Keeper: what is put back, in place, and what is left alone."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict, deque
from typing import Any

import facula
import numpy as np
from facula import Generator, nn
from facula_lightning.tuner.keeping import Keeper


class Meter:
    def __init__(self) -> None:
        self.total, self.values = 0.0, [1.0]


class Slotted:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 1


def test_everything_is_put_back_in_place() -> None:
    layer: Any = nn.Linear(2, 2)
    layer.meter, layer.slotted, layer.deque, layer.set = Meter(), Slotted(), deque([1]), {1}
    layer.nested = {"a": [OrderedDict(b=np.zeros(2))], "c": (facula.zeros(2), [3])}
    layer.generators = [
        Generator().manual_seed(1),
        np.random.default_rng(1),
        np.random.RandomState(1),
        random.Random(1),
    ]
    layer.weight.grad = facula.ones(2, 2)
    seen = {name: getattr(layer, name) for name in ("meter", "slotted", "deque", "set", "nested", "weight")}
    values = layer.meter.values
    weight, first = layer.weight.tolist(), [layer.generators[3].random() for _ in range(2)]
    layer.generators[3].seed(1)
    keeper = Keeper()
    keeper.keep(layer)
    for _ in range(2):
        with facula.no_grad():
            layer.weight.add_(1.0)
            layer.weight.grad.mul_(3.0)
            layer.nested["c"][0].fill_(7.0)
        layer.bias.data = facula.zeros(5)
        layer.bias.requires_grad_(False)
        layer.meter.total, layer.slotted.count, layer.meter.new = 5.0, 9, 1
        values.append(2.0)
        layer.deque.append(2)
        layer.set.add(2)
        layer.nested["a"][0]["b"] += 1
        layer.nested["c"][1].clear()
        layer.meter, layer.extra = None, 1
        drawn = [layer.generators[0].initial_seed(), layer.generators[1].random(), layer.generators[2].rand()]
        assert drawn[1:] == [np.random.default_rng(1).random(), np.random.RandomState(1).rand()]
        assert [layer.generators[3].random() for _ in range(2)] == first
        facula.rand(3, generator=layer.generators[0])
        keeper.restore()
        assert layer.weight.tolist() == weight and layer.weight.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        assert layer.bias.shape == (2,) and layer.bias.requires_grad and not hasattr(layer, "extra")
        assert all(getattr(layer, name) is each for name, each in seen.items())
        assert vars(layer.meter) == {"total": 0.0, "values": [1.0]} and layer.meter.values is values
        assert (layer.slotted.count, list(layer.deque), layer.set) == (1, [1], {1})
        assert layer.nested["a"][0]["b"].tolist() == [0.0, 0.0] and layer.nested["c"][0].tolist() == [0.0, 0.0]
        assert layer.nested["c"][1] == [3]
        assert (layer.generators[0].get_state() == Generator().manual_seed(1).get_state()).all()


def test_what_is_connected_to_the_outside_keeps_its_identity_only() -> None:
    class Connected:
        def __init__(self) -> None:
            self.lock, self.count, self.meter = threading.Lock(), 0, Meter()

    layer: Any = nn.Linear(1, 1)
    layer.connected = connected = Connected()
    layer.meter = connected.meter
    keeper = Keeper()
    keeper.keep(layer)
    connected.count, connected.meter.total, layer.connected = 1, 4.0, None
    keeper.restore()
    assert layer.connected is connected and connected.count == 1
    assert layer.meter.total == 0.0, "what is elsewhere too is put back"


def test_data_is_not_copied_but_its_generators_are_remembered() -> None:
    class Data(facula.utils.data.Dataset[float]):
        def __init__(self) -> None:
            self.values, self.augment = facula.zeros(4), {"noise": [np.random.default_rng(2)]}

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> float:
            return float(self.augment["noise"][0].random())

    data, order = Data(), Generator().manual_seed(0)
    loader = facula.utils.data.DataLoader(data, shuffle=True, generator=order)
    keeper = Keeper()
    keeper.keep_data(loader)
    first = [each.item() for each in loader]
    data.values.fill_(1.0)
    keeper.restore()
    keeper.keep_data(loader)
    assert [each.item() for each in loader] == first and data.values.tolist() == [1.0] * 4
    keeper.restore()
    assert [each.item() for each in loader] == first
