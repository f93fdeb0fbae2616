"""A softmax with clusters of rare classes."""

import facula
import numpy as np
import pytest


def test_is_a_distribution_over_all_classes() -> None:
    module = facula.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0)
    input, target = facula.randn(6, 8), facula.tensor([0, 3, 5, 11, 19, 7])
    every = module.log_prob(input)
    np.testing.assert_allclose(every.exp().sum(1).detach().numpy(), 1, rtol=1e-5)
    output, loss = module(input, target)
    np.testing.assert_allclose(
        output.detach().numpy(), every.gather(1, target[:, None])[:, 0].detach().numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(loss.item(), -output.mean().item(), rtol=1e-6)
    assert module(input[2], target[2]).output.shape == ()
    loss.backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_prediction_looks_into_clusters_where_one_is_likeliest() -> None:
    module = facula.nn.AdaptiveLogSoftmaxWithLoss(2, 6, [2], div_value=1.0)
    with facula.no_grad():
        module.head.weight.copy_(facula.tensor([[5.0, 0], [0, 0], [0, 5.0]]))
        module.tail[0][0].weight.copy_(facula.eye(2))
        module.tail[0][1].weight.copy_(facula.tensor([[0.0, 0], [0, 9.0], [0, 0], [0, 0]]))
    assert module.predict(facula.tensor([[1.0, 0.0], [0.0, 1.0]])).tolist() == [0, 3]


def test_mistakes() -> None:
    for cutoffs in ([], [3, 2], [0], [20], [2, 2], [2.5]):
        with pytest.raises(ValueError, match="cutoffs"):
            facula.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)
    module = facula.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4])
    with pytest.raises(RuntimeError, match=r"\[0, 19\]"):
        module(facula.zeros(1, 8), facula.tensor([20]))
    with pytest.raises(RuntimeError, match="batch dimension"):
        module(facula.zeros(2, 8), facula.tensor([1]))
    with pytest.raises(RuntimeError, match="multi-target"):
        module(facula.zeros(2, 8), facula.zeros(2, 2).long())
