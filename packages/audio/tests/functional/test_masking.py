"""Masks: where they may lie, and that they are one for all or one for each."""

import facula
import facula_audio.functional as F
import pytest
from facula import Tensor


def blocks(masked: Tensor, axis: int) -> list[tuple[int, ...]]:
    """Return, for every item and channel, the masked indices along the axis; all else must be untouched."""
    rows = masked.reshape((-1, *tuple(masked.shape[-2:])))
    if axis == masked.dim() - 2:
        rows = rows.transpose(1, 2)
    assert bool(((rows == rows[:, :1]) & ((rows == 0) | (rows == 1))).all())
    return [tuple(index for index, value in enumerate(row[0].tolist()) if value == 0) for row in rows]


@pytest.mark.parametrize("axis", [2, 3])
def test_one_mask_for_all(axis: int) -> None:
    facula.manual_seed(0)
    lengths = set()
    for _ in range(50):
        found = blocks(F.mask_along_axis(facula.ones(2, 3, 20, 30), 8, 0.0, axis), axis)
        assert len(set(found)) == 1
        block = found[0]
        assert block == tuple(range(block[0], block[0] + len(block))) if block else True
        lengths.add(len(block))
    assert lengths == set(range(8))


@pytest.mark.parametrize("axis", [2, 3])
def test_a_mask_for_each(axis: int) -> None:
    facula.manual_seed(0)
    found = blocks(F.mask_along_axis_iid(facula.ones(50, 4, 20, 30), 8, 0.0, axis), axis)
    assert {len(block) for block in found} == set(range(8))
    assert len(set(found)) > 50
    ends = {block[-1] for block in found if block}
    assert max(ends) >= (20 if axis == 2 else 30) - 2


def test_p_caps_the_length() -> None:
    facula.manual_seed(0)
    found = blocks(F.mask_along_axis_iid(facula.ones(50, 4, 20, 30), 25, 0.0, 3, p=0.1), 3)
    assert {len(block) for block in found} == {0, 1, 2}
    spectrogram = facula.ones(1, 20, 30)
    assert F.mask_along_axis(spectrogram, 25, 0.0, 2, p=0.0) is spectrogram


def test_mask_value_and_gradient() -> None:
    facula.manual_seed(1)
    spectrogram = facula.ones(1, 1, 20, 30).requires_grad_()
    masked = F.mask_along_axis_iid(spectrogram, 20, 5.0, 3)
    masked.sum().backward()
    assert int((masked == 5.0).sum()) > 0
    assert bool(((masked == 5.0) == (spectrogram.grad == 0.0)).all())


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"axis 1 and axis 2 supported; 0 given"):
        F.mask_along_axis(facula.ones(2, 20, 30), 5, 0.0, 0)
    with pytest.raises(ValueError, match=r"at least three dimensions \(2 given\)"):
        F.mask_along_axis_iid(facula.ones(20, 30), 5, 0.0, 1)
    with pytest.raises(ValueError, match=r"at least two dimensions, time and frequency \(1 given\)"):
        F.mask_along_axis(facula.ones(20), 5, 0.0, 0)
    with pytest.raises(ValueError, match=r"between 0.0 and 1.0 \(1.5 given\)"):
        F.mask_along_axis(facula.ones(20, 30), 5, 0.0, 1, p=1.5)
