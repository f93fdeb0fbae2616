"""The exponential of matrices, and approximations of low rank."""

import math

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 10.0])
@pytest.mark.parametrize("kind", ["f", "c"])
def test_exponential_of_what_has_eigenvectors(kind: str, scale: float) -> None:
    a = RANDOM.standard_normal((2, 4, 4)) * scale
    a = a + np.swapaxes(a, -1, -2)
    if kind == "c":
        a = 1j * a  # its exponential is unitary
    values, vectors = np.linalg.eigh(a / 1j if kind == "c" else a)
    values = np.exp(1j * values if kind == "c" else values)
    expected = (vectors * values[:, None]) @ np.swapaxes(vectors, -1, -2).conj()
    found = facula.linalg.matrix_exp(facula.tensor(a)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max())
    single = facula.matrix_exp(facula.tensor(a).to(facula.complex64 if kind == "c" else facula.float32)).numpy()
    np.testing.assert_allclose(single, expected, rtol=1e-2, atol=2e-4 * np.abs(expected).max())


def test_exponential_of_a_nilpotent_matrix_is_a_polynomial() -> None:
    a = np.triu(np.ones((3, 3)), 1)
    np.testing.assert_allclose(facula.tensor(a).matrix_exp().numpy(), np.eye(3) + a + a @ a / 2, rtol=1e-14)


def test_exponential_of_nothing_and_in_half_precision() -> None:
    assert facula.matrix_exp(facula.zeros(2, 0, 0)).shape == (2, 0, 0)
    found = facula.matrix_exp(facula.ones(1, 1, dtype=facula.bfloat16))
    assert found.dtype is facula.bfloat16 and abs(found.item() - math.e) < 0.02


@pytest.mark.parametrize("kind", ["f", "c"])
def test_derivatives_of_the_exponential(kind: str) -> None:
    a = RANDOM.standard_normal((2, 3, 3)) + (1j * RANDOM.standard_normal((2, 3, 3)) if kind == "c" else 0)
    x = facula.tensor(a, requires_grad=True)
    assert facula.autograd.gradcheck(facula.matrix_exp, (x,))
    assert facula.autograd.gradgradcheck(facula.matrix_exp, (x,))


def test_mistakes_are_named() -> None:
    with pytest.raises(RuntimeError, match="2 by 3 matrices"):
        facula.matrix_exp(facula.ones(2, 3))
    with pytest.raises(RuntimeError, match="floating point or complex"):
        facula.matrix_exp(facula.ones(2, 2, dtype=facula.int64))
    with pytest.raises(ValueError, match=r"q\(=4\)"):
        facula.pca_lowrank(facula.ones(3, 3), 4)


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (2, 6, 4)])
@pytest.mark.parametrize("kind", ["f", "c"])
def test_low_rank_approximation_is_the_matrix_when_its_rank_is_that_low(kind: str, shape: tuple[int, ...]) -> None:
    def factor(*lengths: int) -> np.ndarray:
        return RANDOM.standard_normal(lengths) + (1j * RANDOM.standard_normal(lengths) if kind == "c" else 0)

    a = factor(*shape[:-1], 2) @ factor(*shape[:-2], 2, shape[-1])
    mean = factor(*shape)
    facula.manual_seed(0)
    u, s, v = facula.svd_lowrank(facula.tensor(a + mean), 2, M=facula.tensor(mean))
    assert u.shape == (*shape[:-1], 2) and s.shape == (*shape[:-2], 2) and v.shape == (*shape[:-2], shape[-1], 2)
    np.testing.assert_allclose(((u * s.unsqueeze(-2)) @ v.mH).numpy(), a, atol=1e-10)
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(a)[1][..., :2], rtol=1e-10)


def test_principal_components_and_their_seed() -> None:
    a = facula.tensor(RANDOM.standard_normal((20, 4)) + 5)
    facula.manual_seed(0)
    first = facula.pca_lowrank(a, 4)
    np.testing.assert_allclose(first[1].numpy(), np.linalg.svd(a.numpy() - a.numpy().mean(0))[1], rtol=1e-10)
    facula.manual_seed(0)
    for one, other in zip(first, facula.pca_lowrank(a, 4)):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
