"""Vocab, vocab and build_vocab_from_iterator behave as torchtext's."""

import pickle

import pytest
from facula_text.data import get_tokenizer
from facula_text.datasets import AG_NEWS
from facula_text.vocab import Vocab, build_vocab_from_iterator, vocab

WORDS = [["hello"] * 4 + ["world"] * 3 + ["ᑌᑎIᑕOᗪᕮ_Tᕮ᙭T"] * 5 + ["freq_low"] * 2]
SPECIALS = ["<unk>", "<bos>", "<eos>", "pad"]
ORDERED = ["ᑌᑎIᑕOᗪᕮ_Tᕮ᙭T", "hello", "world", "freq_low"]


def test_most_frequent_first_and_ties_in_code_point_order():
    assert build_vocab_from_iterator(WORDS).get_itos() == ORDERED
    assert build_vocab_from_iterator([["b", "a"], ["b", "a", "Z"]]).get_itos() == ["a", "b", "Z"]
    assert build_vocab_from_iterator([["b", "a", "Z"]]).get_itos() == ["Z", "a", "b"]


def test_specials_first_or_last():
    assert build_vocab_from_iterator(WORDS, specials=SPECIALS).get_itos() == SPECIALS + ORDERED
    assert build_vocab_from_iterator(WORDS, specials=SPECIALS, special_first=False).get_itos() == ORDERED + SPECIALS


def test_specials_that_occur_in_the_text_stand_once():
    assert vocab({"a": 2, "<unk>": 9}, specials=["<unk>"]).get_itos() == ["<unk>", "a"]
    assert vocab({"a": 2, "<unk>": 9}, specials=["<unk>"], special_first=False).get_itos() == ["a", "<unk>"]


def test_vocab_keeps_the_given_order_and_leaves_its_input_alone():
    frequencies = {"b": 1, "a": 5, "c": 2}
    assert vocab(frequencies, min_freq=2, specials=["b"]).get_itos() == ["b", "a", "c"]
    assert frequencies == {"b": 1, "a": 5, "c": 2}


def test_min_freq():
    assert build_vocab_from_iterator(WORDS, min_freq=4).get_itos() == ORDERED[:2]


def test_max_tokens_counts_specials():
    words = [["hello", "world"], ["hello"]]
    specials = ["<unk>", "<pad>"]
    assert build_vocab_from_iterator(words, specials=specials, max_tokens=3).get_itos() == [*specials, "hello"]
    last = build_vocab_from_iterator(words, specials=specials, special_first=False, max_tokens=3)
    assert last.get_itos() == ["hello", *specials]
    with pytest.raises(AssertionError, match=r"above the number of specials \(2\), got 2"):
        build_vocab_from_iterator(words, specials=specials, max_tokens=2)


def test_lookups_agree():
    words = Vocab(["<unk>", "a", "b"])
    assert len(words) == 3
    assert "a" in words and "z" not in words
    assert words["b"] == 2
    assert words(["b", "a"]) == words.forward(["b", "a"]) == words.lookup_indices(["b", "a"]) == [2, 1]
    assert words.lookup_token(1) == "a"
    assert words.lookup_tokens([2, 0]) == ["b", "<unk>"]
    assert words.get_stoi() == {"<unk>": 0, "a": 1, "b": 2}


def test_what_is_returned_does_not_lead_inside():
    words = Vocab(["a"])
    words.get_itos().append("b")
    words.get_stoi()["b"] = 1
    assert len(words) == 1 and "b" not in words


@pytest.mark.parametrize("index", [-1, 3, 100])
def test_lookup_out_of_range(index):
    with pytest.raises(RuntimeError, match=f"index {index} is out of bounds for vocab of size 3"):
        Vocab(["a", "b", "c"]).lookup_token(index)


def test_default_index():
    words = Vocab(["<unk>", "a"])
    assert words.get_default_index() is None
    with pytest.raises(RuntimeError, match="'z' not found and default index is not set"):
        words["z"]
    words.set_default_index(0)
    assert words["z"] == 0 and words(["a", "z"]) == [1, 0]
    words.set_default_index(None)
    with pytest.raises(RuntimeError):
        words["z"]


def test_insert_and_append():
    words = Vocab(["<unk>", "a"])
    words.insert_token("b", 0)
    words.insert_token("c", 3)
    words.append_token("d")
    assert words.get_itos() == ["b", "<unk>", "a", "c", "d"]
    assert words.get_stoi() == {token: index for index, token in enumerate(words.get_itos())}
    with pytest.raises(RuntimeError, match="'a' already exists in the Vocab with index: 2"):
        words.append_token("a")
    with pytest.raises(RuntimeError, match="already exists"):
        words.insert_token("a", 0)
    with pytest.raises(RuntimeError, match="index 6 is out of bounds for vocab of size 5"):
        words.insert_token("e", 6)
    assert len(words) == 5


def test_duplicates_are_refused():
    with pytest.raises(RuntimeError, match="Duplicate token found in tokens list: 'a'"):
        Vocab(["a", "b", "a"])
    with pytest.raises(RuntimeError, match="Duplicate"):
        vocab({"b": 1}, specials=["<unk>", "<unk>"])


def test_pickle_keeps_everything():
    words = build_vocab_from_iterator(WORDS, specials=SPECIALS)
    words.set_default_index(0)
    copy = pickle.loads(pickle.dumps(words))
    assert copy.get_itos() == words.get_itos()
    assert copy["not there"] == 0


def test_on_real_text(test_data):
    tokenize = get_tokenizer("basic_english")
    lines = [tokenize(text) for _, text in AG_NEWS(test_data / "ag_news_csv", "test")]
    words = build_vocab_from_iterator(lines, min_freq=2, specials=["<unk>"])
    words.set_default_index(0)
    counts = {}
    for line in lines:
        for token in line:
            counts[token] = counts.get(token, 0) + 1
    assert set(words.get_itos()[1:]) == {token for token, count in counts.items() if count >= 2}
    frequencies = [counts[token] for token in words.get_itos()[1:]]
    assert frequencies == sorted(frequencies, reverse=True)
    assert all(words[token] == 0 for token, count in counts.items() if count == 1)
