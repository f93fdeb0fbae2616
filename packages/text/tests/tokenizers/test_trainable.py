"""Byte-level BPE, BPE and WordPiece: trained here, encoded as the tokenizers library's own classes do."""

import pytest
import tokenizers
from facula_text.datasets import AG_NEWS, WikiText2
from facula_text.tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer, CharBPETokenizer

CORPUS = ["the low tide was lower than the lowest tide", "lower, newer, wider: the newest and widest!"] * 3
SENTENCES = ["The lowest tide!", "unseen größe 東京 🙂", "", "  two  spaces "]


@pytest.fixture(scope="module")
def news(test_data):
    return [text for _, text in AG_NEWS(test_data / "ag_news_csv", "test")]


def test_byte_level_bpe_equals_the_library(news):
    ours = ByteLevelBPETokenizer()
    ours.train_from_iterator(news[:2000], vocab_size=1000, special_tokens=["<pad>", "<|endoftext|>"])
    theirs = tokenizers.ByteLevelBPETokenizer()
    theirs.train_from_iterator(
        news[:2000], vocab_size=1000, special_tokens=["<pad>", "<|endoftext|>"], show_progress=False
    )
    assert ours.get_vocab() == theirs.get_vocab()
    assert len(ours) == 1000
    for text in news[2000:2100] + SENTENCES:
        assert ours.encode(text) == theirs.encode(text).ids


def test_word_piece_equals_the_library(news):
    ours = BertWordPieceTokenizer()
    ours.train_from_iterator(news[:2000], vocab_size=1000)
    theirs = tokenizers.BertWordPieceTokenizer()
    theirs.train_from_iterator(news[:2000], vocab_size=1000, show_progress=False)
    # The library numbers the tokens of equal standing anew in every run.
    assert set(ours.get_vocab()) == set(theirs.get_vocab())
    cls, sep = ours.cls_token_id, ours.sep_token_id
    same = tokenizers.BertWordPieceTokenizer(ours.get_vocab())
    for text in news[2000:2100] + SENTENCES:
        assert ours.encode(text) == same.encode(text).ids
        assert ours.encode(text)[0] == cls and ours.encode(text)[-1] == sep


def test_byte_level_gives_every_text_back():
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=300)
    for text in SENTENCES:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode("lowest")) < len("lowest")


def test_byte_level_round_trip_of_real_text(test_data):
    lines = [line for line in WikiText2(test_data / "wikitext-2", "valid") if line.strip()]
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(lines[:500], vocab_size=1000)
    assert tokenizer.batch_decode(tokenizer.encode_batch(lines)) == lines


def test_special_tokens_come_first_and_stay_whole():
    tokenizer = ByteLevelBPETokenizer(eos_token="<|endoftext|>", pad_token="<pad>")
    assert tokenizer.eos_token_id is None
    tokenizer.train_from_iterator(CORPUS, vocab_size=300)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 1)
    ids = tokenizer.encode("low<|endoftext|>low")
    assert ids.count(0) == 1
    assert tokenizer.decode(ids) == "low<|endoftext|>low"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "lowlow"


def test_lowercase_and_prefix_space():
    tokenizer = ByteLevelBPETokenizer(add_prefix_space=True, lowercase=True)
    tokenizer.train_from_iterator(CORPUS, vocab_size=300)
    assert tokenizer.encode("LOWER") == tokenizer.encode(" lower")


def test_character_bpe_marks_word_ends():
    tokenizer = CharBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=100)
    assert tokenizer.tokenize("lower")[-1].endswith("</w>")
    assert tokenizer.decode(tokenizer.encode("the lowest tide")) == "the lowest tide"
    assert tokenizer.unk_token_id == 0
    assert tokenizer.encode("東") == [0]


def test_word_piece_marks_continuations():
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=100)
    assert [tokenizer.token_to_id(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")] == [0, 1, 2, 3, 4]
    pieces = tokenizer.tokenize("thewidest")
    assert not pieces[0].startswith("##") and all(piece.startswith("##") for piece in pieces[1:]) and len(pieces) > 1
    assert tokenizer.tokenize("LÖWEST") == tokenizer.tokenize("lowest")
    assert tokenizer.decode(tokenizer.encode("The lowest tide"), skip_special_tokens=True) == "the lowest tide"


def test_word_piece_pairs():
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(CORPUS)
    encoded = tokenizer("the low", "tide")
    assert encoded.tokens() == ["[CLS]", "the", "low", "[SEP]", "tide", "[SEP]"]
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert encoded.sequence_ids() == [None, 0, 0, None, 1, None]
