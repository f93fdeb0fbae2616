"""The M5 network: keys, lengths, and that it learns."""

import facula
import numpy as np
import pytest
from facula import nn
from facula_audio.models import M5


def test_state_dict_keys_are_the_tutorials() -> None:
    shapes = {key: tuple(value.shape) for key, value in M5().state_dict().items()}
    expected: dict[str, tuple[int, ...]] = {}
    sizes = [("1", (32, 1, 80)), ("2", (32, 32, 3)), ("3", (64, 32, 3)), ("4", (64, 64, 3))]
    for number, shape in sizes:
        expected[f"conv{number}.weight"] = shape
        expected[f"conv{number}.bias"] = shape[:1]
        for name in ("weight", "bias", "running_mean", "running_var"):
            expected[f"bn{number}.{name}"] = shape[:1]
        expected[f"bn{number}.num_batches_tracked"] = ()
    expected |= {"fc1.weight": (35, 64), "fc1.bias": (35,)}
    assert shapes == expected
    assert sum(parameter.numel() for parameter in M5().parameters()) == 26915


@pytest.mark.parametrize(
    "options", [{}, {"stride": 4}, {"n_input": 2, "n_channel": 8}, {"kernel_size": 160, "stride": 32}]
)
def test_any_length_from_the_shortest_on(options: dict[str, int]) -> None:
    model = M5(n_output=10, **options).eval()
    channels = options.get("n_input", 1)
    for frames in (model.min_frames, model.min_frames + 1, 2 * model.min_frames + 77):
        found = model(facula.randn(3, channels, frames))
        assert tuple(found.shape) == (3, 10)
        np.testing.assert_allclose(found.exp().sum(-1).detach().numpy(), 1.0, atol=1e-5)
    with pytest.raises(ValueError, match=f"at least {model.min_frames} frames, but got {model.min_frames - 1}"):
        model(facula.randn(3, channels, model.min_frames - 1))


def test_bad_shape() -> None:
    with pytest.raises(ValueError, match=r"\(batch, channels, frames\), but got \(1, 8000\)"):
        M5()(facula.zeros(1, 8000))


def test_it_tells_two_tones_apart() -> None:
    facula.manual_seed(0)
    time = facula.arange(4000) / 8000
    tones = facula.stack([facula.sin(2 * np.pi * frequency * time) for frequency in (300.0, 320.0, 900.0, 950.0)])
    labels = facula.tensor([0, 0, 1, 1])
    model = M5(n_output=2, stride=8, n_channel=8)
    optimizer = facula.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        loss = nn.functional.nll_loss(model(tones.unsqueeze(1) + 0.1 * facula.randn(4, 1, 4000)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
