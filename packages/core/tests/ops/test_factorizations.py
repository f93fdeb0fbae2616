"""LU, LDL, Householder and triangular systems: what they are made of, derivatives, types, batches, mistakes."""

from collections.abc import Callable

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
TYPES = [np.float32, np.float64, np.complex64, np.complex128]


def _matrices(*shape: int, dtype: type = np.float64) -> np.ndarray:
    found = RANDOM.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        found = found + 1j * RANDOM.standard_normal(shape)
    return found.astype(dtype)


def _tolerance(dtype: type) -> float:
    return 2e-4 if np.dtype(dtype) in (np.float32, np.complex64) else 1e-11


def _adjoint(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(x, -1, -2).conj()


def _check_derivatives(function: Callable, *arrays: np.ndarray) -> None:
    tensors = tuple(facula.tensor(each, requires_grad=True) for each in arrays)
    assert facula.autograd.gradcheck(function, tensors)
    assert facula.autograd.gradgradcheck(function, tensors)


# LU


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 5), (5, 3), (2, 3, 4, 4), (2, 70, 70), (40, 90), (90, 40)])
def test_lu_multiplies_to_the_matrix(shape: tuple[int, ...], dtype: type) -> None:
    a = _matrices(*shape, dtype=dtype)
    p, lower, upper = facula.linalg.lu(facula.tensor(a))
    assert p.dtype is lower.dtype is upper.dtype is facula.tensor(a).dtype
    np.testing.assert_allclose((p @ lower @ upper).numpy(), a, rtol=_tolerance(dtype), atol=_tolerance(dtype))
    assert np.array_equal(lower.numpy(), np.tril(lower.numpy()))
    assert np.array_equal(upper.numpy(), np.triu(upper.numpy()))
    assert np.all(p.numpy().sum(-1) == 1) and np.all(p.numpy().sum(-2) == 1)
    if np.dtype(dtype).kind == "f":
        assert np.abs(lower.numpy()).max() <= 1  # each pivot is the largest that is left


def test_lu_packed_and_unpacked_agree() -> None:
    a = facula.tensor(_matrices(2, 5, 3))
    factors, pivots = facula.linalg.lu_factor(a)
    assert pivots.dtype is facula.int32
    for found, expected in zip(facula.lu_unpack(factors, pivots), facula.linalg.lu(a)):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    p, lower, upper = facula.lu_unpack(factors, pivots, unpack_data=False)
    assert p.shape == (2, 5, 5) and lower.shape == upper.shape == (0,)
    assert facula.lu_unpack(factors, pivots, unpack_pivots=False).P.shape == (0,)
    packed, exchanged, info = a.lu(get_infos=True)
    np.testing.assert_array_equal(packed.numpy(), factors.numpy())
    np.testing.assert_array_equal(exchanged.numpy(), pivots.numpy())
    assert info.tolist() == [0, 0]


def test_lu_of_nothing() -> None:
    found = facula.linalg.lu_factor_ex(facula.zeros(2, 0, 3))
    assert found.LU.shape == (2, 0, 3) and found.pivots.shape == (2, 0) and found.info.tolist() == [0, 0]
    p, lower, upper = facula.linalg.lu(facula.zeros(0, 3))
    assert p.shape == (0, 0) and lower.shape == (0, 0) and upper.shape == (0, 3)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4), (2, 4, 3)])
def test_lu_derivatives(shape: tuple[int, ...]) -> None:
    _check_derivatives(lambda a: facula.linalg.lu(a)[1:], _matrices(*shape))
    _check_derivatives(lambda a: facula.linalg.lu_factor(a).LU, _matrices(*shape, dtype=np.complex128))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_lu_solve(left: bool, adjoint: bool, dtype: type) -> None:
    a, b = _matrices(3, 4, 4, dtype=dtype), _matrices(2, 1, 4, 4, dtype=dtype)
    factors, pivots = facula.linalg.lu_factor(facula.tensor(a))
    x = facula.linalg.lu_solve(factors, pivots, facula.tensor(b), left=left, adjoint=adjoint).numpy()
    matrix = _adjoint(a) if adjoint else a
    product = matrix @ x if left else x @ matrix
    np.testing.assert_allclose(product, np.broadcast_to(b, product.shape), rtol=1e-3, atol=50 * _tolerance(dtype))


def test_lu_solve_derivatives() -> None:
    pivots = facula.linalg.lu_factor(facula.tensor(_matrices(3, 3))).pivots
    _check_derivatives(
        lambda factors, b: facula.linalg.lu_solve(factors, pivots, b, adjoint=True),
        _matrices(3, 3, dtype=np.complex128) + 3 * np.eye(3),
        _matrices(3, 2, dtype=np.complex128),
    )


def test_lu_solve_of_a_large_system() -> None:
    a, b = _matrices(150, 150), _matrices(150, 3)
    x = facula.lu_solve(facula.tensor(b), *facula.linalg.lu_factor(facula.tensor(a)))
    np.testing.assert_allclose(a @ x.numpy(), b, rtol=1e-8, atol=1e-9)


# Triangular systems


@pytest.mark.parametrize("unitriangular", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("length", [1, 5, 80])
def test_solve_triangular(length: int, upper: bool, left: bool, unitriangular: bool) -> None:
    a = _matrices(2, length, length) / length + 2 * np.eye(length)
    b = _matrices(length, length)
    x = facula.linalg.solve_triangular(
        facula.tensor(a), facula.tensor(b), upper=upper, left=left, unitriangular=unitriangular
    ).numpy()
    triangle = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        triangle[..., np.arange(length), np.arange(length)] = 1
    product = triangle @ x if left else x @ triangle
    np.testing.assert_allclose(product, np.broadcast_to(b, product.shape), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("upper", [False, True])
def test_triangular_derivatives(upper: bool) -> None:
    a, b = _matrices(3, 3, dtype=np.complex128) + 3 * np.eye(3), _matrices(2, 3, 2, dtype=np.complex128)
    _check_derivatives(lambda x, y: facula.linalg.solve_triangular(x, y, upper=upper), a, b)
    _check_derivatives(lambda x, y: facula.triangular_solve(y, x, upper, True, True).solution, a, b)


def test_a_zero_on_the_diagonal_of_a_triangle_gives_no_number() -> None:
    found = facula.linalg.solve_triangular(facula.zeros(2, 2), facula.ones(2, 1), upper=True)
    assert not np.isfinite(found.numpy()).any()


# LDL


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 20])
def test_ldl_solves_indefinite_systems(length: int, hermitian: bool, dtype: type) -> None:
    a = _matrices(2, length, length, dtype=dtype)
    a = a + (_adjoint(a) if hermitian else np.swapaxes(a, -1, -2))
    b = _matrices(2, length, 3, dtype=dtype)
    factors, pivots = facula.linalg.ldl_factor(facula.tensor(a), hermitian=hermitian)
    assert np.array_equal(factors.numpy(), np.tril(factors.numpy()))
    x = facula.linalg.ldl_solve(factors, pivots, facula.tensor(b), hermitian=hermitian).numpy()
    error = np.abs(a @ x - b).max() / (np.abs(a).max() * max(np.abs(x).max(), 1))
    assert error < (1e-4 if _tolerance(dtype) > 1e-6 else 1e-12)


def test_ldl_takes_blocks_of_two_where_the_diagonal_is_zero() -> None:
    factors, pivots, info = facula.linalg.ldl_factor_ex(facula.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert pivots.tolist() == [-2, -2] and info.item() == 0
    x = facula.linalg.ldl_solve(factors, pivots, facula.tensor([[2.0], [3.0]]))
    assert x.tolist() == [[3.0], [2.0]]


def test_ldl_of_nothing() -> None:
    assert facula.linalg.ldl_factor_ex(facula.zeros(2, 0, 0)).info.tolist() == [0, 0]


# QR as reflections


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (3, 5), (0, 3)])
def test_reflections_multiply_to_q(shape: tuple[int, ...], dtype: type) -> None:
    a = _matrices(*shape, dtype=dtype)
    packed, tau = facula.geqrf(facula.tensor(a))
    r = np.triu(packed.numpy())[..., : min(shape[-2:]), :]
    if shape[-2] >= shape[-1]:
        q = facula.linalg.householder_product(packed, tau).numpy()
        np.testing.assert_allclose(q @ r, a, rtol=_tolerance(dtype), atol=_tolerance(dtype))
        np.testing.assert_array_equal(facula.orgqr(packed, tau).numpy(), q)
    product = facula.ormqr(packed, tau, facula.tensor(a), transpose=True).numpy()
    np.testing.assert_allclose(product, np.triu(packed.numpy()), rtol=_tolerance(dtype), atol=_tolerance(dtype))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_ormqr_is_a_product_with_the_whole_q(left: bool, transpose: bool) -> None:
    a, other = _matrices(5, 3, dtype=np.complex128), _matrices(5, 5, dtype=np.complex128)
    packed, tau = facula.geqrf(facula.tensor(a))
    q = facula.ormqr(packed, tau, facula.eye(5, dtype=facula.complex128)).numpy()
    np.testing.assert_allclose(_adjoint(q) @ q, np.eye(5), atol=1e-12)
    found = facula.ormqr(packed, tau, facula.tensor(other), left, transpose).numpy()
    matrix = _adjoint(q) if transpose else q
    np.testing.assert_allclose(found, matrix @ other if left else other @ matrix, rtol=1e-11, atol=1e-11)


def test_derivatives_of_reflections() -> None:
    packed, tau, other = _matrices(4, 3), _matrices(3), _matrices(4, 2)
    _check_derivatives(facula.linalg.householder_product, packed, tau)
    _check_derivatives(lambda a, t, o: facula.ormqr(a, t, o, transpose=True), packed, tau, other)
    _check_derivatives(
        facula.linalg.householder_product, _matrices(2, 3, 2, dtype=np.complex128), np.zeros((2, 1), np.complex128)
    )


# Cholesky


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_solve(upper: bool) -> None:
    factor, b = _matrices(2, 3, 3, dtype=np.complex128) + 3 * np.eye(3), _matrices(3, 2, dtype=np.complex128)
    triangle = np.triu(factor) if upper else np.tril(factor)
    a = _adjoint(triangle) @ triangle if upper else triangle @ _adjoint(triangle)
    found = facula.cholesky_solve(facula.tensor(b), facula.tensor(factor), upper)
    np.testing.assert_allclose(found.numpy(), np.linalg.solve(a, b), rtol=1e-11)
    inverse = facula.cholesky_inverse(facula.tensor(factor), upper)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.inv(a), rtol=1e-11)


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_solve_derivatives(upper: bool) -> None:
    a, b = _matrices(3, 3), _matrices(3, 2)
    a = a @ a.T + np.eye(3)

    def solution(matrix: facula.Tensor, right: facula.Tensor) -> facula.Tensor:
        return facula.cholesky_solve(right, facula.linalg.cholesky(matrix + matrix.mT, upper=upper), upper)

    _check_derivatives(solution, a, b)


# Matrices that fail


def test_info_says_where_a_matrix_fails() -> None:
    good = np.eye(3) * 2
    singular = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 1.0]])
    indefinite = np.diag([1.0, 1.0, -1.0])
    batch = facula.tensor(np.stack([good, singular]))
    inverse, info = facula.linalg.inv_ex(batch)
    assert info.dtype is facula.int32 and info[0].item() == 0 and info[1].item() > 0
    np.testing.assert_array_equal(inverse[0].numpy(), np.eye(3) / 2)
    solution, info = facula.linalg.solve_ex(batch, facula.ones(2, 3, dtype=facula.float64))
    assert solution.shape == (2, 3) and info.tolist()[0] == 0 < info.tolist()[1]
    assert solution[0].tolist() == [0.5, 0.5, 0.5]
    factor, info = facula.linalg.cholesky_ex(facula.tensor(np.stack([good, indefinite])))
    assert info.tolist() == [0, 3]
    np.testing.assert_allclose(factor[0].numpy(), np.sqrt(good))
    assert facula.linalg.lu_factor_ex(facula.zeros(2, 2)).info.item() == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda bad: facula.linalg.inv(bad), r"linalg.inv: \(Batch element 1\): The diagonal element 1 is zero"),
        (lambda bad: facula.linalg.inv_ex(bad, check_errors=True), r"linalg.inv_ex: \(Batch element 1\)"),
        (lambda bad: facula.linalg.solve(bad, facula.ones(2, 2, 1)), r"\(Batch element 1\): The solver failed"),
        (lambda bad: facula.linalg.solve_ex(bad, facula.ones(2, 2, 1), check_errors=True), "linalg.solve_ex"),
        (lambda bad: facula.linalg.cholesky(bad), r"\(Batch element 1\).*leading minor of order 1"),
        (lambda bad: facula.linalg.cholesky_ex(bad, check_errors=True), r"linalg.cholesky_ex: \(Batch element 1\)"),
        (lambda bad: facula.linalg.lu_factor(bad), r"\(Batch element 1\): U\[1,1\] is zero"),
        (lambda bad: facula.linalg.lu_factor_ex(bad, check_errors=True), r"linalg.lu_factor_ex: \(Batch element 1\)"),
        (lambda bad: facula.linalg.ldl_factor(bad), r"linalg.ldl_factor: \(Batch element 1\): D\[1,1\] is zero"),
    ],
)
def test_matrices_that_fail_are_named(call: Callable, words: str) -> None:
    with pytest.raises(facula.linalg.LinAlgError, match=words):
        call(facula.stack([facula.eye(2), facula.zeros(2, 2)]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: facula.linalg.lu(facula.ones(3)), "Expected tensor with 2 or more dimensions"),
        (lambda: facula.linalg.lu_factor(facula.ones(3, 3), pivot=False), "without pivoting is not implemented"),
        (lambda: facula.lu_unpack(facula.ones(2, 2), facula.ones(2)), "LU_pivots is expected"),
        (lambda: facula.linalg.lu_solve(facula.eye(2), facula.tensor([1, 2]), facula.ones(2, 1)), "int32"),
        (lambda: facula.linalg.solve_triangular(facula.eye(2), facula.ones(3, 1), upper=True), "AX = B"),
        (lambda: facula.triangular_solve(facula.ones(2), facula.eye(2)), "Expected b to have at least 2"),
        (lambda: facula.linalg.ldl_factor(facula.ones(2, 3)), "batches of square matrices"),
        (
            lambda: facula.ormqr(facula.ones(3, 2), facula.ones(2), facula.ones(4, 2)),
            r"other.shape\[-2\] must be equal",
        ),
        (lambda: facula.orgqr(facula.ones(2, 3), facula.ones(2)), "greater than or equal to input.shape"),
        (lambda: facula.orgqr(facula.ones(3, 2), facula.ones(2).double()), "does not match input dtype"),
        (lambda: facula.cholesky_solve(facula.ones(3, 1), facula.eye(2)), "Incompatible matrix sizes"),
        (lambda: facula.linalg.svd(facula.eye(2), driver="gesvd"), "only supported on CUDA"),
        (lambda: facula.linalg.multi_dot([facula.ones(2, 3), facula.ones(2, 3)]), "tensors 0 and 1"),
        (lambda: facula.ones(2, 3, 4) @ facula.ones(3, 4, 5), r"size of tensor a \(2\).*dimension 0"),
        (lambda: facula.ones(3) + facula.ones(2, 4), r"size of tensor a \(3\) must match the size of tensor b \(4\)"),
    ],
)
def test_mistakes_are_named(call: Callable, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        call()


@pytest.mark.parametrize(
    "name", ["lu_factor", "lu_factor_ex", "lu", "ldl_factor", "ldl_factor_ex", "inv_ex", "cholesky_ex"]
)
def test_out_takes_every_result(name: str) -> None:
    a = facula.eye(3) * 4
    function = getattr(facula.linalg, name)
    expected = function(a)
    out = tuple(facula.empty(0, dtype=each.dtype) for each in expected)
    found = function(a, out=out)
    for each, given, value in zip(found, out, expected):
        assert each is given
        np.testing.assert_array_equal(given.numpy(), value.numpy())


def test_an_output_that_overlaps_itself_is_refused() -> None:
    with pytest.raises(RuntimeError, match="unsupported operation"):
        facula.exp(facula.ones(3), out=facula.ones(1).expand(3))
    x = facula.ones(4)
    with pytest.raises(RuntimeError, match="unsupported operation"):
        facula.kthvalue(x, 2, out=(x, facula.zeros((), dtype=facula.int64)))


@pytest.mark.parametrize(
    "call",
    [
        lambda a: facula.geqrf(a).a,
        lambda a: facula.linalg.ldl_factor(a).LD,
        lambda a: facula.linalg.ldl_solve(*facula.linalg.ldl_factor(a.detach()), a),
    ],
)
def test_what_has_no_derivative_says_so(call: Callable) -> None:
    a = facula.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    with pytest.raises(NotImplementedError, match="derivative for"):
        call(a).sum().backward()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: facula.linalg.inv(x),
        lambda x: facula.linalg.lu(x),
        lambda x: facula.linalg.solve_triangular(facula.eye(2), x, upper=True),
        lambda x: facula.geqrf(x),
        lambda x: facula.matrix_exp(x),
        lambda x: facula.matmul(facula.eye(2), x),
        lambda x: facula.mm(x, facula.eye(2)),
        lambda x: facula.cov(x),
        lambda x: facula.fft.fft(x),
        lambda x: facula.fft.rfftn(x),
    ],
)
def test_what_is_no_tensor_is_refused(call: Callable) -> None:
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        call([[1.0]])
