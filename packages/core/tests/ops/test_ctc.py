"""The loss of label sequences, against the sum over all alignments."""

import itertools

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck
from facula.nn.functional import ctc_loss


def _probability(probabilities: np.ndarray, target: list[int]) -> float:
    """Return the sum of the probabilities of all paths (T) that become ``target`` without repeats and blanks."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        labels = [label for label, _ in itertools.groupby(path) if label]
        if labels == target:
            total += np.prod(probabilities[np.arange(steps), path])
    return total


def _scores(*shape: int) -> facula.Tensor:
    return facula.from_numpy(np.random.default_rng(0).standard_normal(shape)).log_softmax(-1)


TARGETS = [[1, 2], [1, 1], [2], []]


def _expected(scores: facula.Tensor, lengths: list[int]) -> np.ndarray:
    probabilities = np.exp(scores.numpy())
    found = [_probability(probabilities[:length, at], TARGETS[at]) for at, length in enumerate(lengths)]
    with np.errstate(divide="ignore"):
        return -np.log(found)


@pytest.mark.parametrize("in_one_row", [False, True])
def test_equals_the_sum_over_all_paths(in_one_row: bool) -> None:
    scores, lengths = _scores(5, 4, 3), [5, 4, 3, 2]
    rows = facula.tensor([1, 2, 1, 1, 2]) if in_one_row else facula.tensor([[1, 2], [1, 1], [2, 0], [0, 0]])
    found = ctc_loss(scores, rows, lengths, (2, 2, 1, 0), reduction="none")
    np.testing.assert_allclose(found.numpy(), _expected(scores, lengths), rtol=1e-12)
    mean = ctc_loss(scores, rows, facula.tensor(lengths), facula.tensor([2, 2, 1, 0]))
    np.testing.assert_allclose(mean.item(), (_expected(scores, lengths) / [2, 2, 1, 1]).mean())
    alone = ctc_loss(scores[:, 0], facula.tensor([1, 2]), (5,), (2,), reduction="sum")
    np.testing.assert_allclose(alone.item(), found[0].item())


def test_another_blank() -> None:
    scores = _scores(4, 1, 3)
    rolled = scores.roll(1, 2)  # class 2 becomes class 0
    found = ctc_loss(scores, facula.tensor([[0, 1]]), (4,), (2,), blank=2)
    np.testing.assert_allclose(found.item(), ctc_loss(rolled, facula.tensor([[1, 2]]), (4,), (2,)).item())


def test_targets_that_cannot_be_reached() -> None:
    logits = facula.randn(2, 1, 3, dtype=facula.float64, requires_grad=True)
    arguments = (facula.tensor([[1, 1]]), (2,), (2,))  # two of the same label need a blank between
    assert ctc_loss(logits.log_softmax(2), *arguments).item() == np.inf
    loss = ctc_loss(logits.log_softmax(2), *arguments, zero_infinity=True)
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradient(reduction: str) -> None:
    logits = facula.randn(5, 4, 3, dtype=facula.float64, requires_grad=True)
    targets = facula.tensor([1, 2, 1, 1, 2])

    def loss(logits: facula.Tensor) -> facula.Tensor:
        return ctc_loss(logits.log_softmax(2), targets, (5, 4, 3, 2), (2, 2, 1, 0), reduction=reduction)

    assert gradcheck(loss, (logits,))


def test_second_derivative_is_refused() -> None:
    logits = facula.randn(4, 1, 3, requires_grad=True)
    loss = ctc_loss(logits.log_softmax(2), facula.tensor([[1]]), (4,), (1,))
    (gradient,) = facula.autograd.grad(loss, logits, create_graph=True)
    with pytest.raises(RuntimeError, match="_ctc_loss_backward"):
        gradient.sum().backward()


def test_module_and_mistakes() -> None:
    scores, targets = _scores(4, 2, 3).float(), facula.tensor([[1, 2], [1, 0]])
    module = facula.nn.CTCLoss(reduction="sum")
    assert module(scores, targets, (4, 4), (2, 1)) == ctc_loss(scores, targets, (4, 4), (2, 1), reduction="sum")
    with pytest.raises(RuntimeError, match="blank must be in label range"):
        ctc_loss(scores, targets, (4, 4), (2, 1), blank=3)
    with pytest.raises(RuntimeError, match="input_lengths must be of size batch_size"):
        ctc_loss(scores, targets, (4,), (2, 1))
    with pytest.raises(RuntimeError, match="at most 4"):
        ctc_loss(scores, targets, (4, 5), (2, 1))
    with pytest.raises(RuntimeError, match="at least 3 at dimension 1"):
        ctc_loss(scores, targets, (4, 4), (2, 3))
    with pytest.raises(RuntimeError, match="size 4 at dimension 0"):
        ctc_loss(scores, facula.tensor([1, 2, 1]), (4, 4), (2, 2))
    with pytest.raises(RuntimeError, match="label range"):
        ctc_loss(scores, targets + 2, (4, 4), (2, 1))
    with pytest.raises(NotImplementedError, match="Half|Float16"):
        ctc_loss(scores.half(), targets, (4, 4), (2, 1))
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        ctc_loss(scores, targets, (4, 4), (2, 1), reduction="all")
