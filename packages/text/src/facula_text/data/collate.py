"""Making batches of sequences of unequal length."""

from collections.abc import Sequence
from typing import TypeAlias

import facula
from facula import Tensor

__all__ = ["OffsetsCollate", "PadCollate", "pad_sequences"]

Tokens: TypeAlias = Tensor | Sequence[int]


def _as_tensor(tokens: Tokens) -> Tensor:
    if isinstance(tokens, Tensor):
        return tokens
    # An empty list has no integers to show its dtype.
    return facula.tensor(list(tokens), dtype=facula.int64)


def pad_sequences(
    sequences: Sequence[Tokens],
    padding_value: int = 0,
    batch_first: bool = True,
    padding_side: str = "right",
    pad_to_multiple_of: int | None = None,
) -> Tensor:
    """Return the sequences (lists of indices, or tensors (L,)) side by side, padded to the longest.

    The shape is (N, L), or (L, N) without ``batch_first``.

    >>> pad_sequences([[1, 2, 3], [4]], padding_value=9).tolist()
    [[1, 2, 3], [4, 9, 9]]
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"expected padding_side 'right' or 'left', got {padding_side!r}")
    if not sequences:
        raise ValueError("expected at least one sequence, got none")
    tensors = [_as_tensor(sequence) for sequence in sequences]
    for position, tensor in enumerate(tensors):
        if tensor.dim() != 1:
            raise ValueError(
                f"expected sequences of shape (L,), got shape {tuple(tensor.shape)} at position {position}"
            )
    longest = max(tensor.numel() for tensor in tensors)
    if pad_to_multiple_of is not None:
        longest = -(-longest // pad_to_multiple_of) * pad_to_multiple_of
    batch = facula.full((len(tensors), longest), padding_value, dtype=tensors[0].dtype)
    for row, tensor in enumerate(tensors):
        length = tensor.numel()
        if padding_side == "right":
            batch[row, :length] = tensor
        else:
            batch[row, longest - length :] = tensor
    return batch if batch_first else batch.t()


class PadCollate:
    """A ``collate_fn`` that turns samples (label, tokens) into (labels (N,), padded tokens (N, L), lengths (N,)).

    >>> labels, tokens, lengths = PadCollate(padding_value=0)([(1, [5, 6]), (0, [7])])
    >>> tokens.tolist(), lengths.tolist()
    ([[5, 6], [7, 0]], [2, 1])
    """

    def __init__(self, padding_value: int = 0, batch_first: bool = True) -> None:
        self.padding_value = padding_value
        self.batch_first = batch_first

    def __call__(self, samples: Sequence[tuple[int, Tokens]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the labels, the padded tokens and the lengths."""
        labels = facula.tensor([int(label) for label, _ in samples], dtype=facula.int64)
        lengths = facula.tensor([len(tokens) for _, tokens in samples], dtype=facula.int64)
        tokens = pad_sequences([tokens for _, tokens in samples], self.padding_value, self.batch_first)
        return labels, tokens, lengths


class OffsetsCollate:
    """A ``collate_fn`` that turns samples (label, tokens) into (labels (N,), all tokens in a row, offsets (N,)).

    ``offsets`` says where each sample starts, as ``EmbeddingBag`` expects it.

    >>> labels, tokens, offsets = OffsetsCollate()([(1, [5, 6]), (0, [7])])
    >>> tokens.tolist(), offsets.tolist()
    ([5, 6, 7], [0, 2])
    """

    def __call__(self, samples: Sequence[tuple[int, Tokens]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the labels, the tokens in a row and the offsets."""
        if not samples:
            raise ValueError("expected at least one sample, got none")
        labels = facula.tensor([int(label) for label, _ in samples], dtype=facula.int64)
        tensors = [_as_tensor(tokens) for _, tokens in samples]
        starts = [0]
        for tensor in tensors[:-1]:
            starts.append(starts[-1] + tensor.numel())
        return labels, facula.cat(tensors), facula.tensor(starts, dtype=facula.int64)
