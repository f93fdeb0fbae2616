"""What dropout drops, against PyTorch with the same seed: numbers are drawn in the order of memory."""

import facula
import numpy as np
import pytest
from facula.nn import functional as F

torch = pytest.importorskip("torch")


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("inplace", [False, True])
def test_dropout_of_permuted_tensors(order, inplace) -> None:
    facula.manual_seed(1)
    torch.manual_seed(1)
    x = facula.from_numpy(values(3, 4, 5)).permute(order)
    found = F.dropout(x, 0.5, inplace=inplace)
    expected = torch.nn.functional.dropout(torch.from_numpy(values(3, 4, 5)).permute(order), 0.5)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert (found is x) == inplace


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"batch_first": True, "norm_first": True}])
def test_encoder_layers_in_training(options) -> None:
    results = []
    for library in (facula, torch):
        library.manual_seed(3)
        layer = library.nn.TransformerEncoderLayer(32, 4, 64, **options)
        x = library.from_numpy(values(5, 7, 32)).requires_grad_()
        result = layer(x)
        (result**3).sum().backward()
        results.append((result.detach().numpy(), x.grad.numpy()))
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shared_keys", [False, True])
def test_attention_that_drops_weights(shared_keys) -> None:
    results = []
    for library in (facula, torch):
        library.manual_seed(3)
        heads = 2 if shared_keys else 4
        query = library.from_numpy(values(2, 4, 9, 16)).requires_grad_()
        key = library.from_numpy(values(2, heads, 9, 16)).requires_grad_()
        result = library.nn.functional.scaled_dot_product_attention(
            query, key, key, dropout_p=0.3, is_causal=True, enable_gqa=shared_keys
        )
        (result**2).sum().backward()
        results.append((result.detach().numpy(), query.grad.numpy(), key.grad.numpy()))
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
