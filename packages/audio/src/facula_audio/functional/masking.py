"""Masks on spectrograms, the augmentation of SpecAugment (Park et al. 2019)."""

import facula
from facula import Tensor

__all__ = ["mask_along_axis", "mask_along_axis_iid"]


def _check(specgram: Tensor, axis: int, p: float) -> None:
    dim = specgram.dim()
    if dim < 2:
        raise ValueError(f"Spectrogram must have at least two dimensions, time and frequency ({dim} given).")
    if axis not in (dim - 2, dim - 1):
        raise ValueError(
            f"Only Frequency and Time masking are supported "
            f"(axis {dim - 2} and axis {dim - 1} supported; {axis} given)."
        )
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"The value of p must be between 0.0 and 1.0 ({p} given).")


def _capped(mask_param: int, p: float, axis_length: int) -> int:
    """Return the longest mask allowed: ``mask_param``, but no more than the fraction ``p`` of the axis."""
    if p == 1.0:
        return mask_param
    return min(mask_param, int(axis_length * p))


def _fill(specgram: Tensor, start: Tensor, end: Tensor, mask_value: float | Tensor, axis: int) -> Tensor:
    """Return the spectrogram with ``mask_value`` where ``start <= index < end`` along the axis."""
    index = facula.arange(specgram.shape[axis], device=specgram.device)
    inside = (index >= start) & (index < end)
    if axis == specgram.dim() - 2:
        inside = inside.unsqueeze(-1)
    else:
        inside = inside.unsqueeze(-2)
    return specgram.masked_fill(inside, mask_value)


def mask_along_axis_iid(
    specgrams: Tensor, mask_param: int, mask_value: float | Tensor, axis: int, p: float = 1.0
) -> Tensor:
    """Return the spectrograms with a block masked along ``axis``, another block in every item and channel.

    Args:
        specgrams: shape ``(..., frequency, time)``, at least three dimensions.
        mask_param: the block's length is drawn uniformly from ``[0, mask_param)`` and rounded down.
        mask_value: what is written into the block.
        axis: the last dimension (time) or the one before (frequency), counted from the front.
        p: longest block as a fraction of the axis.
    """
    if specgrams.dim() < 3:
        raise ValueError(f"Spectrogram must have at least three dimensions ({specgrams.dim()} given).")
    _check(specgrams, axis, p)
    mask_param = _capped(mask_param, p, specgrams.shape[axis])
    if mask_param < 1:
        return specgrams
    leading = tuple(specgrams.shape[:-2])
    length = facula.rand(leading, dtype=specgrams.dtype, device=specgrams.device) * mask_param
    start = facula.rand(leading, dtype=specgrams.dtype, device=specgrams.device) * (specgrams.shape[axis] - length)
    first = start.long().unsqueeze(-1)
    return _fill(specgrams, first, first + length.long().unsqueeze(-1), mask_value, axis)


def mask_along_axis(specgram: Tensor, mask_param: int, mask_value: float | Tensor, axis: int, p: float = 1.0) -> Tensor:
    """Return the spectrogram with one block masked along ``axis``, the same in every item and channel.

    The arguments are those of :func:`mask_along_axis_iid`; two dimensions are enough.

    >>> masked = mask_along_axis(facula.ones(1, 4, 100), 50, 0.0, axis=2)
    >>> masked.shape
    facula.Size([1, 4, 100])
    """
    _check(specgram, axis, p)
    mask_param = _capped(mask_param, p, specgram.shape[axis])
    if mask_param < 1:
        return specgram
    length = facula.rand(1) * mask_param
    start = facula.rand(1) * (specgram.shape[axis] - length)
    first = start.long().to(specgram.device)
    return _fill(specgram, first, first + length.long().to(specgram.device), mask_value, axis)
