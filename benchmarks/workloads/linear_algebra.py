"""Decompositions and linear systems in float32, and transforms."""

from types import ModuleType
from typing import Any

from benchmarks.workloads import Step, workload


def positive(T: ModuleType, size: int, *batch: int) -> Any:
    """Return positive definite matrices."""
    x = T.randn(*batch, size, size)
    return x @ x.transpose(-1, -2) / size + T.eye(size)


@workload
def cholesky(T: ModuleType) -> Step:
    """A positive definite matrix of 512x512."""
    x = positive(T, 512)
    return lambda: T.linalg.cholesky(x)


@workload
def inverse(T: ModuleType) -> Step:
    """A matrix of 512x512."""
    x = positive(T, 512)
    return lambda: T.linalg.inv(x)


@workload
def inverses_of_small_matrices(T: ModuleType) -> Step:
    """4,096 matrices of 4x4."""
    x = positive(T, 4, 4096)
    return lambda: T.linalg.inv(x)


@workload
def determinant(T: ModuleType) -> Step:
    """A matrix of 256x256."""
    x = positive(T, 256)
    return lambda: T.linalg.det(x)


@workload
def linear_system(T: ModuleType) -> Step:
    """512 equations with 64 right sides."""
    x, right = T.randn(512, 512), T.randn(512, 64)
    return lambda: T.linalg.solve(x, right)


@workload
def least_squares(T: ModuleType) -> Step:
    """A thousand equations in 64 unknowns, with 8 right sides."""
    x, right = T.randn(1000, 64), T.randn(1000, 8)
    return lambda: T.linalg.lstsq(x, right)


@workload
def qr(T: ModuleType) -> Step:
    """A matrix of 256x256."""
    x = T.randn(256, 256)
    return lambda: T.linalg.qr(x)


@workload
def eigenvalues_and_vectors(T: ModuleType) -> Step:
    """A symmetric matrix of 256x256."""
    x = positive(T, 256)
    return lambda: T.linalg.eigh(x)


@workload
def singular_values_and_vectors(T: ModuleType) -> Step:
    """A matrix of 256x256."""
    x = T.randn(256, 256)
    return lambda: T.linalg.svd(x)


@workload
def fft(T: ModuleType) -> Step:
    """A thousand complex rows of 1,024."""
    x = T.randn(1000, 1024, dtype=T.complex64)
    return lambda: T.fft.fft(x)


@workload
def fft_of_images(T: ModuleType) -> Step:
    """Sixteen complex images of 256x256, in both dimensions."""
    x = T.randn(16, 256, 256, dtype=T.complex64)
    return lambda: T.fft.fft2(x)


@workload
def short_time_fourier_transform(T: ModuleType) -> Step:
    """Ten seconds at 16 kHz, windows of 400."""
    x, window = T.randn(160_000), T.hann_window(400)
    return lambda: T.stft(x, 400, 160, window=window, return_complex=True)
