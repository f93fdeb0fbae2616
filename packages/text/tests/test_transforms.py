"""The transforms work on single lists and on batches."""

import facula
import pytest
from facula_text import transforms
from facula_text.vocab import Vocab

WORDS = Vocab(["<pad>", "<bos>", "to", "be", "or"])


def test_chain_from_tokens_to_padded_tensor():
    chain = transforms.Sequential(
        transforms.Truncate(2),
        transforms.VocabTransform(WORDS),
        transforms.AddToken(1),
        transforms.ToTensor(padding_value=0),
    )
    result = chain([["to", "be", "or"], ["or"]])
    assert result.dtype == facula.int64
    assert result.tolist() == [[1, 2, 3], [1, 4, 0]]
    assert "Truncate(max_seq_len=2)" in repr(chain)


def test_single_lists():
    assert transforms.VocabTransform(WORDS)(["be", "to"]) == [3, 2]
    assert transforms.Truncate(1)([5, 6]) == [5]
    assert transforms.AddToken("<eos>", begin=False)(["a"]) == ["a", "<eos>"]
    assert transforms.AddToken(0)([]) == [0]
    assert transforms.StrToIntTransform()(["12", "-3"]) == [12, -3]
    assert transforms.StrToIntTransform()([["1"], ["2", "3"]]) == [[1], [2, 3]]
    assert transforms.ToTensor()([1, 2]).tolist() == [1, 2]
    assert transforms.ToTensor(dtype=facula.float32)([1]).dtype == facula.float32


def test_inputs_stay_as_they_are():
    tokens = [1, 2, 3]
    transforms.AddToken(0)(tokens)
    transforms.Truncate(5)(tokens).append(4)
    assert tokens == [1, 2, 3]


def test_label_to_index(tmp_path):
    labels = transforms.LabelToIndex(["sports", "business"])
    assert labels("business") == 1
    assert labels(["business", "sports"]) == [1, 0]
    assert transforms.LabelToIndex(["b", "a"], sort_names=True).label_names == ["a", "b"]
    path = tmp_path / "labels.txt"
    path.write_text("one\ntwo\n")
    assert transforms.LabelToIndex(label_path=str(path))("two") == 1
    with pytest.raises(RuntimeError, match="'politics' not found"):
        labels("politics")
    with pytest.raises(ValueError, match="either label_names or label_path"):
        transforms.LabelToIndex()


def test_pad_transform():
    pad = transforms.PadTransform(max_length=4, pad_value=9)
    assert pad(facula.tensor([1, 2])).tolist() == [1, 2, 9, 9]
    assert pad(facula.tensor([[1], [2]])).tolist() == [[1, 9, 9, 9], [2, 9, 9, 9]]
    assert pad(facula.arange(6)).tolist() == [0, 1, 2, 3, 4, 5]
