"""Singular value decompositions of every shape: what they multiply to, and the signs of the vectors."""

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
SHAPES = [
    (1, 1),
    (1, 5),
    (5, 1),
    (2, 3),
    (3, 2),
    (3, 7),
    (7, 3),
    (6, 4),
    (4, 6),
    (12, 7),
    (2, 3, 8),
    (3, 4, 2),
    (0, 3),
    (2, 0),
]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("shape", SHAPES)
def test_singular_vectors(shape: tuple[int, ...], dtype: type, full: bool) -> None:
    a = RANDOM.standard_normal(shape).astype(dtype)
    tolerance = 1e-12 if dtype is np.float64 else 2e-5
    u, s, vh = facula.linalg.svd(facula.tensor(a), full)
    least = min(shape[-2:])
    assert u.shape[-1] == (shape[-2] if full else least) and vh.shape[-2] == (shape[-1] if full else least)
    product = (u[..., :least] * s.unsqueeze(-2).to(u.dtype)) @ vh[..., :least, :]
    np.testing.assert_allclose(product.numpy(), a, atol=tolerance)
    np.testing.assert_allclose(
        (u.mH @ u).numpy(), np.broadcast_to(np.eye(u.shape[-1]), u.mH.shape[:-2] + (u.shape[-1],) * 2), atol=tolerance
    )
    np.testing.assert_allclose(
        (vh @ vh.mH).numpy(), np.broadcast_to(np.eye(vh.shape[-2]), vh.shape[:-2] + (vh.shape[-2],) * 2), atol=tolerance
    )
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(a)[1], rtol=1e-4, atol=tolerance)


def test_singular_vectors_of_rank_deficient_matrices_are_orthonormal() -> None:
    a = RANDOM.standard_normal((4, 2)) @ RANDOM.standard_normal((2, 12))
    for each in (a, a.T, np.zeros((3, 8))):
        u, _, vh = facula.linalg.svd(facula.tensor(each), False)
        np.testing.assert_allclose((u.mT @ u).numpy(), np.eye(u.shape[1]), atol=1e-12)
        np.testing.assert_allclose((vh @ vh.mT).numpy(), np.eye(u.shape[1]), atol=1e-12)


@pytest.mark.parametrize(("shape", "signs"), [((2, 5), [1, 1]), ((3, 7), [1, 1, 1]), ((6, 4), [-1, -1, -1, 1])])
def test_signs_are_those_that_pytorch_gives(shape: tuple[int, int], signs: list[int]) -> None:
    a = np.cos(np.arange(shape[0] * shape[1], dtype=np.float64) ** 2).reshape(shape)
    assert np.sign(facula.linalg.svd(facula.tensor(a), False).U[0].numpy()).tolist() == signs
