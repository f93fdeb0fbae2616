"""Batches for language models out of one long sequence of token indices."""

from collections.abc import Iterator

import facula
from facula import Generator, Tensor
from facula.utils.data import Dataset

__all__ = ["BlockDataset", "batchify", "bptt_batches", "get_batch", "random_blocks"]


def batchify(data: Tensor, batch_size: int) -> Tensor:
    """Return ``data`` (N,) cut into ``batch_size`` columns that each read on downwards: (N // batch_size, batch_size).

    What is left over at the end is dropped.

    >>> batchify(facula.arange(7), 2).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    if data.dim() != 1:
        raise ValueError(f"expected one sequence of token indices, shape (N,), got shape {tuple(data.shape)}")
    if not 1 <= batch_size <= data.numel():
        raise ValueError(f"expected batch_size between 1 and the number of tokens {data.numel()}, got {batch_size}")
    rows = data.numel() // batch_size
    return data[: rows * batch_size].view(batch_size, rows).t().contiguous()


def get_batch(source: Tensor, i: int, bptt: int) -> tuple[Tensor, Tensor]:
    """Return rows ``i .. i + bptt`` of a batchified ``source`` and, flattened, the rows one token further.

    The shapes are (length, batch) and (length * batch,), where length is ``bptt`` but at the end.
    """
    length = min(bptt, source.size(0) - 1 - i)
    if i < 0 or length < 1:
        raise IndexError(f"expected a start between 0 and {source.size(0) - 2}, got {i}")
    return source[i : i + length], source[i + 1 : i + 1 + length].reshape(-1)


def bptt_batches(source: Tensor, bptt: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Return an iterator over all (data, target) pairs of a batchified ``source``, ``bptt`` rows at a time, in order.

    >>> [len(data) for data, target in bptt_batches(batchify(facula.arange(20), 2), 4)]
    [4, 4, 1]
    """
    for start in range(0, source.size(0) - 1, bptt):
        yield get_batch(source, start, bptt)


def random_blocks(
    data: Tensor, block_size: int, batch_size: int, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Return ``batch_size`` random pieces of ``data`` (N,) and the same pieces one token further.

    Both are (batch_size, block_size). The starts are one ``randint(N - block_size, (batch_size,))``.
    """
    if data.numel() <= block_size:
        raise ValueError(f"expected more than block_size = {block_size} tokens, got {data.numel()}")
    starts = facula.randint(data.numel() - block_size, (batch_size,), generator=generator)
    blocks = data[starts.unsqueeze(1) + facula.arange(block_size + 1)]
    return blocks[:, :-1], blocks[:, 1:]


class BlockDataset(Dataset[tuple[Tensor, Tensor]]):
    """The pieces of ``block_size`` tokens of ``data`` (N,), each paired with the piece one token further.

    Pieces start every ``stride`` tokens: 1 gives all of them, ``block_size`` (the default) gives them side by side.

    >>> x, y = BlockDataset(facula.arange(10), block_size=3)[1]
    >>> x.tolist(), y.tolist()
    ([3, 4, 5], [4, 5, 6])
    """

    def __init__(self, data: Tensor, block_size: int, stride: int | None = None) -> None:
        if data.dim() != 1:
            raise ValueError(f"expected one sequence of token indices, shape (N,), got shape {tuple(data.shape)}")
        if block_size < 1 or data.numel() <= block_size:
            raise ValueError(f"expected block_size between 1 and {data.numel() - 1}, got {block_size}")
        self.data = data
        self.block_size = block_size
        self.stride = block_size if stride is None else stride
        if self.stride < 1:
            raise ValueError(f"expected a stride of 1 or more, got {stride}")

    def __len__(self) -> int:
        return (self.data.numel() - self.block_size - 1) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"index {index} is out of range for a dataset of {len(self)} blocks")
        start = position * self.stride
        block = self.data[start : start + self.block_size + 1]
        return block[:-1], block[1:]
