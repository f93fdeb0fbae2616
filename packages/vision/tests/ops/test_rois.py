"""Features of regions."""

import facula
import pytest
from facula_vision import ops


def test_boxes_of_each_image_and_boxes_with_its_number() -> None:
    facula.manual_seed(0)
    x = facula.rand(2, 3, 10, 12)
    first, second = facula.tensor([[1.0, 2.0, 6.0, 7.0]]), facula.tensor([[0.0, 0.0, 4.0, 9.0], [3.0, 3.0, 5.0, 5.0]])
    together = facula.tensor([[0, 1.0, 2.0, 6.0, 7.0], [1, 0.0, 0.0, 4.0, 9.0], [1, 3.0, 3.0, 5.0, 5.0]])
    found = ops.roi_align(x, [first, second], (2, 3), 0.5, 2, True)
    assert facula.equal(found, ops.RoIAlign((2, 3), 0.5, 2, True)(x, together))
    assert found.shape == (3, 3, 2, 3)


def test_a_slope_is_read_at_the_centres_of_bins() -> None:
    x = facula.arange(8.0).expand(1, 1, 8, 8)
    found = ops.roi_align(x, [facula.tensor([[1.0, 1.0, 5.0, 5.0]])], 2)
    facula.testing.assert_close(found[0, 0], facula.tensor([[2.0, 4.0], [2.0, 4.0]]))
    half = ops.roi_align(x, [facula.tensor([[1.0, 1.0, 5.0, 5.0]])], 2, aligned=True)
    facula.testing.assert_close(half, found - 0.5)


def test_gradients_come_to_the_images() -> None:
    x = facula.rand(1, 2, 6, 6, dtype=facula.float64, requires_grad=True)
    boxes = facula.tensor([[0.0, 0.5, 0.5, 5.0, 4.0], [0.0, -3.0, 2.0, 9.0, 4.0]], dtype=facula.float64)
    assert facula.autograd.gradcheck(lambda x: ops.roi_align(x, boxes, 3), [x])
    assert facula.autograd.gradgradcheck(lambda x: ops.roi_align(x, boxes, 3), [x])


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[K, 5\]"):
        ops.roi_align(facula.rand(1, 1, 4, 4), facula.rand(2, 4), 2)
    with pytest.raises(IndexError, match="images"):
        ops.roi_align(facula.rand(1, 1, 4, 4), facula.tensor([[3.0, 0, 0, 1, 1]]), 2)
    assert (
        repr(ops.RoIAlign(7, 0.25, 2)) == "RoIAlign(output_size=7, spatial_scale=0.25, sampling_ratio=2, aligned=False)"
    )
