"""Batches of sequences of unequal length."""

import facula
import pytest
from facula.utils.data import DataLoader
from facula_text.data import OffsetsCollate, PadCollate, pad_sequences

SAMPLES = [(2, [5, 6, 7]), (0, []), (1, facula.tensor([8]))]


def test_pad_sequences():
    batch = pad_sequences([[1, 2, 3], facula.tensor([4]), []], padding_value=9)
    assert batch.dtype == facula.int64
    assert batch.tolist() == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert pad_sequences([[1, 2], [3]], batch_first=False).tolist() == [[1, 3], [2, 0]]
    assert pad_sequences([[1, 2], [3]], padding_side="left").tolist() == [[1, 2], [0, 3]]
    assert pad_sequences([[1, 2, 3]], pad_to_multiple_of=4).tolist() == [[1, 2, 3, 0]]
    floats = pad_sequences([facula.tensor([0.5]), facula.tensor([1.5, 2.5])])
    assert floats.tolist() == [[0.5, 0.0], [1.5, 2.5]]


def test_pad_sequences_refuses():
    with pytest.raises(ValueError, match="at least one sequence"):
        pad_sequences([])
    with pytest.raises(ValueError, match="'right' or 'left', got 'middle'"):
        pad_sequences([[1]], padding_side="middle")
    with pytest.raises(ValueError, match=r"got shape \(1, 2\) at position 1"):
        pad_sequences([[1], facula.zeros(1, 2)])


def test_pad_collate():
    labels, tokens, lengths = PadCollate(padding_value=-1)(SAMPLES)
    assert labels.tolist() == [2, 0, 1]
    assert tokens.tolist() == [[5, 6, 7], [-1, -1, -1], [8, -1, -1]]
    assert lengths.tolist() == [3, 0, 1]


def test_offsets_collate():
    labels, tokens, offsets = OffsetsCollate()(SAMPLES)
    assert labels.tolist() == [2, 0, 1]
    assert tokens.tolist() == [5, 6, 7, 8]
    assert offsets.tolist() == [0, 3, 3]
    with pytest.raises(ValueError, match="at least one sample"):
        OffsetsCollate()([])


@pytest.mark.parametrize("workers", [0, 1])
def test_in_a_loader(workers):
    samples = [(1, [1, 2]), (0, [3]), (1, [4, 5, 6])]
    loader = DataLoader(samples, batch_size=2, collate_fn=OffsetsCollate(), num_workers=workers)
    assert [[part.tolist() for part in batch] for batch in loader] == [
        [[1, 0], [1, 2, 3], [0, 2]],
        [[1], [4, 5, 6], [0]],
    ]
