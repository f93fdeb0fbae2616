"""Helpers over iterables."""

from facula_text.data import (
    custom_replace,
    numericalize_tokens_from_iterator,
    simple_space_split,
    to_map_style_dataset,
)


def test_to_map_style_dataset_reads_its_source_once():
    dataset = to_map_style_dataset(iter([(1, "a"), (2, "b")]))
    assert len(dataset) == 2
    assert [dataset[1], dataset[0], dataset[1]] == [(2, "b"), (1, "a"), (2, "b")]


def test_numericalize():
    vocab = {"sentencepiece": 0, "encode": 1, "as": 2, "pieces": 3}
    lines = [["sentencepiece", "as", "pieces"], ["as", "pieces"]]
    assert [list(ids) for ids in numericalize_tokens_from_iterator(vocab, lines)] == [[0, 2, 3], [2, 3]]
    without = numericalize_tokens_from_iterator(vocab, lines, removed_tokens=["as"])
    assert [list(ids) for ids in without] == [[0, 3], [3]]


def test_split_and_replace():
    assert list(simple_space_split(["a b", " c "])) == [["a", "b"], ["c"]]
    replace = custom_replace([(r"\d+", "#"), ("# #", "##")])
    assert list(replace(["1 22", "x"])) == ["##", "x"]
