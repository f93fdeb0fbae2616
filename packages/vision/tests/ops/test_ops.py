"""Boxes, their losses, and blocks of vision models, against loops written out and closed formulas."""

import facula
import numpy as np
import pytest
from facula import nn
from facula_vision import ops


def some_boxes(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.RandomState(seed)
    corner = random.rand(count, 2) * 10
    return np.concatenate([corner, corner + random.rand(count, 2) * 6 + 0.1], 1).astype(np.float32)


def overlap(a, b) -> tuple[float, float, float]:
    """Return the intersection, union and hull of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return width * height, union, hull


def test_overlaps_of_all_pairs() -> None:
    first, second = some_boxes(5), some_boxes(7, 1)
    pairs = [[overlap(a, b) for b in second] for a in first]
    iou = np.array([[i / u for i, u, _ in row] for row in pairs])
    generalized = np.array([[i / u - (h - u) / h for i, u, h in row] for row in pairs])
    a, b = facula.from_numpy(first), facula.from_numpy(second)
    assert np.allclose(ops.box_iou(a, b).numpy(), iou, atol=1e-6)
    assert np.allclose(ops.generalized_box_iou(a, b).numpy(), generalized, atol=1e-6)
    same = ops.complete_box_iou(a, a).diagonal().numpy()
    assert np.allclose(same, 1, atol=1e-5)
    assert (ops.distance_box_iou(a, b) <= ops.box_iou(a, b)).all()


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.7])
def test_suppression_keeps_what_a_loop_keeps(threshold) -> None:
    boxes, scores = some_boxes(30), np.random.RandomState(3).rand(30).astype(np.float32)
    kept: list[int] = []
    for index in np.argsort(-scores):
        ious = [overlap(boxes[index], boxes[other]) for other in kept]
        if all(i / u <= threshold for i, u, _ in ious):
            kept.append(int(index))
    assert ops.nms(facula.from_numpy(boxes), facula.from_numpy(scores), threshold).tolist() == kept


def test_suppression_within_categories() -> None:
    boxes = facula.from_numpy(np.repeat(some_boxes(1), 4, 0))
    scores = facula.tensor([0.1, 0.9, 0.5, 0.7])
    assert ops.batched_nms(boxes, scores, facula.tensor([0, 0, 1, 1]), 0.5).tolist() == [1, 3]
    assert ops.batched_nms(boxes[:0], scores[:0], facula.tensor([0])[:0], 0.5).tolist() == []


def test_suppression_refuses_what_is_no_list_of_boxes() -> None:
    with pytest.raises(ValueError, match=r"\[N, 4\], got \[3\]"):
        ops.nms(facula.ones(3), facula.ones(3), 0.5)
    with pytest.raises(ValueError, match="each of the 2 boxes"):
        ops.nms(facula.ones(2, 4), facula.ones(3), 0.5)


@pytest.mark.parametrize("there", ["xyxy", "xywh", "cxcywh"])
def test_forms_of_boxes_and_back(there) -> None:
    boxes = facula.from_numpy(some_boxes(4))
    converted = ops.box_convert(boxes, "xyxy", there)
    assert np.allclose(ops.box_convert(converted, there, "xyxy").numpy(), boxes.numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="'yxyx'"):
        ops.box_convert(boxes, "yxyx", "xyxy")


def test_boxes_in_an_image() -> None:
    boxes = facula.tensor([[-1.0, 2.0, 30.0, 4.0], [1.0, 1.0, 1.5, 9.0]])
    assert ops.clip_boxes_to_image(boxes, (3, 20)).tolist() == [[0.0, 2.0, 20.0, 3.0], [1.0, 1.0, 1.5, 3.0]]
    assert ops.remove_small_boxes(boxes, 1.0).tolist() == [0]
    mask = facula.zeros(2, 5, 6)
    mask[0, 1:4, 2:3] = 1
    assert ops.masks_to_boxes(mask).tolist() == [[2.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]]


def test_losses_of_boxes_are_one_less_the_overlap() -> None:
    a, b = (facula.from_numpy(some_boxes(6, seed)).double() for seed in (0, 1))
    for loss, measure in (
        (ops.generalized_box_iou_loss, ops.generalized_box_iou),
        (ops.distance_box_iou_loss, ops.distance_box_iou),
        (ops.complete_box_iou_loss, ops.complete_box_iou),
    ):
        assert np.allclose(loss(a, b).numpy(), 1 - measure(a, b).diagonal().numpy(), atol=1e-5)
    # The weight of the complete IoU is held constant in its gradient, so only these two can be checked numerically.
    for loss in (ops.generalized_box_iou_loss, ops.distance_box_iou_loss):
        facula.autograd.gradcheck(lambda x, y, loss=loss: loss(x, y, "sum"), (a.clone().requires_grad_(), b))


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logits, target = facula.randn(4, 3), facula.tensor([[1.0, 0.0, 1.0]]).expand(4, 3)
    plain = nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert np.isclose(ops.sigmoid_focal_loss(logits, target, -1, 0, "mean").item(), plain.item(), atol=1e-6)
    with pytest.raises(ValueError, match="reduction"):
        ops.sigmoid_focal_loss(logits, target, reduction="median")


def test_frozen_batch_norm_is_batch_norm_in_evaluation() -> None:
    trained = nn.BatchNorm2d(3)
    trained(facula.randn(8, 3, 4, 4))
    frozen = ops.FrozenBatchNorm2d(3)
    frozen.load_state_dict(trained.state_dict())
    x = facula.randn(2, 3, 4, 4)
    assert np.allclose(frozen(x).numpy(), trained.eval()(x).detach().numpy(), atol=1e-5)
    assert not list(frozen.parameters())


def test_blocks_have_the_usual_parts() -> None:
    block = ops.Conv2dNormActivation(3, 8, (3, 5), dilation=2)
    assert list(block.state_dict())[:2] == ["0.weight", "1.weight"]
    assert block(facula.randn(1, 3, 9, 9)).shape == (1, 8, 9, 9)
    assert ops.SqueezeExcitation(4, 2)(facula.randn(2, 4, 3, 3)).shape == (2, 4, 3, 3)
    assert list(ops.MLP(4, [6, 2]).state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert ops.Permute([0, 2, 1])(facula.ones(1, 2, 3)).shape == (1, 3, 2)


def test_stochastic_depth_drops_whole_samples() -> None:
    facula.manual_seed(0)
    dropped = ops.StochasticDepth(0.5, "row")(facula.ones(64, 3))
    assert {tuple(row) for row in dropped.tolist()} == {(0.0, 0.0, 0.0), (2.0, 2.0, 2.0)}
    assert ops.StochasticDepth(0.5, "row").eval()(facula.ones(2, 1)).tolist() == [[1.0], [1.0]]
    with pytest.raises(ValueError, match="mode"):
        ops.stochastic_depth(facula.ones(1), 0.5, "column")
