"""Some eigenvalues of symmetric matrices: those of NumPy, generalised ones, derivatives, mistakes."""

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)


def _symmetric(*shape: int) -> np.ndarray:
    a = RANDOM.standard_normal(shape)
    return a + np.swapaxes(a, -1, -2)


@pytest.mark.parametrize("kind", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("largest", [True, False])
def test_extreme_eigenvalues(largest: bool, kind: str) -> None:
    a = _symmetric(2, 24, 24)
    if kind == "complex128":
        part = RANDOM.standard_normal((2, 24, 24))
        a = a + 1j * (part - np.swapaxes(part, -1, -2))
    facula.manual_seed(0)
    matrix = facula.tensor(a).to(getattr(facula, kind))
    values, vectors = facula.lobpcg(matrix, 3, largest=largest)
    every = np.linalg.eigvalsh(a)
    np.testing.assert_allclose(values.numpy(), every[:, :-4:-1] if largest else every[:, :3], rtol=1e-4)
    residual = matrix @ vectors - vectors * values.unsqueeze(-2)
    assert residual.abs().max().item() < (0.05 if kind == "float32" else 1e-5)


def test_generalised_and_preconditioned() -> None:
    a, b = _symmetric(15, 15), _symmetric(15, 15)
    b = b @ b + np.eye(15)
    a = a @ a + np.eye(15)
    facula.manual_seed(0)
    expected = np.sort(np.linalg.eigvals(np.linalg.solve(b, a)).real)
    values, vectors = facula.lobpcg(facula.tensor(a), 2, facula.tensor(b), tol=1e-11)
    np.testing.assert_allclose(values.numpy(), expected[:-3:-1], rtol=1e-6)
    np.testing.assert_allclose((vectors.mT @ facula.tensor(b) @ vectors).numpy(), np.eye(2), atol=1e-8)
    inverse = facula.tensor(np.linalg.inv(a))
    values, _ = facula.lobpcg(facula.tensor(a), 2, iK=inverse, largest=False, niter=20)
    np.testing.assert_allclose(values.numpy(), np.linalg.eigvalsh(a)[:2], rtol=1e-6)


def test_derivatives() -> None:
    start = facula.tensor(RANDOM.standard_normal((9, 2)))

    def found(a: facula.Tensor) -> tuple[facula.Tensor, ...]:
        values, vectors = facula.lobpcg(a, X=start, tol=1e-13)
        return values, vectors @ vectors.mT, vectors[:, 0] ** 2  # without the sign, which is arbitrary

    a = facula.tensor(_symmetric(9, 9), requires_grad=True)
    assert facula.autograd.gradcheck(found, (a,))
    assert facula.autograd.gradgradcheck(found, (a,))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="smaller than 3 x the number"):
        facula.lobpcg(facula.eye(5), 2)
    with pytest.raises(RuntimeError, match="3 by 4 matrices"):
        facula.lobpcg(facula.ones(3, 4))
    with pytest.raises(ValueError, match="'basic' or 'ortho'"):
        facula.lobpcg(facula.eye(5), method="fast")
