"""Sequences of several lengths: packed, padded, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from facula.creation import tensor
from facula.dtypes import int64
from facula.ops.joining import cat
from facula.tensor import Tensor


class PackedSequence(NamedTuple):
    """Sequences of falling lengths stored step by step: ``data``, and how many go on at each step."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def to(self, *args: object, **kwargs: object) -> PackedSequence:
        """Return the sequences with their data moved or converted; see ``Tensor.to``."""
        return self._replace(data=self.data.to(*args, **kwargs))

    @property
    def is_cuda(self) -> bool:
        """Whether the data lies on a CUDA device."""
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the inverse of a permutation of 0 … n - 1."""
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return padded sequences (L, N, …), or (N, L, …) with ``batch_first``, packed by their lengths."""
    lengths = lengths if isinstance(lengths, Tensor) else tensor(lengths, dtype=int64)
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    counts = lengths.tolist()
    if not counts or min(counts) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(before < after for before, after in zip(counts, counts[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` "
            "to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability."
        )
    steps = input.transpose(0, 1) if batch_first else input
    if steps.shape[1] != len(counts):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={steps.shape[1]})"
        )
    if counts[0] > steps.shape[0]:
        raise RuntimeError(f"Expected lengths of at most {steps.shape[0]} steps, got {counts[0]}")
    sizes = [sum(length > step for length in counts) for step in range(counts[0])]
    data = cat([steps[step, :size] for step, size in enumerate(sizes)])
    return PackedSequence(data, tensor(sizes, dtype=int64), order, invert_permutation(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return packed sequences as a padded tensor (L, N, …), or (N, L, …), and their lengths."""
    sizes = sequence.batch_sizes.tolist()
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    data = sequence.data
    rows = []
    for step, part in enumerate(data.split(sizes)):
        missing = data.new_full((sizes[0] - sizes[step], *data.shape[1:]), padding_value)
        rows.append(cat([part, missing]).unsqueeze(0))
    if steps > len(sizes):
        rows.append(data.new_full((steps - len(sizes), sizes[0], *data.shape[1:]), padding_value))
    padded = cat(rows)
    lengths = tensor([sum(size > at for size in sizes) for at in range(sizes[0])], dtype=int64)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Return sequences (L_i, …) padded to one length and stacked: (L, N, …), or (N, L, …) with ``batch_first``.

    >>> facula.nn.utils.rnn.pad_sequence([facula.ones(2), facula.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(each.shape[0] for each in sequences)
    rows = []
    for each in sequences:
        missing = each.new_full((longest - each.shape[0], *each.shape[1:]), padding_value)
        rows.append(cat([each, missing] if padding_side == "right" else [missing, each]).unsqueeze(0))
    padded = cat(rows)
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences that `pad_sequence` stacked."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(rows, lengths)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences (L_i, …) packed."""
    lengths = tensor([each.shape[0] for each in sequences], dtype=int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that `pack_sequence` packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
