"""Word tokenizers and n-grams follow torchtext's rules."""

import pytest
from facula_text.data import get_tokenizer, ngrams_iterator


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("You can now install TorchText using pip!", "you can now install torchtext using pip !"),
        ("Basic English Normalization for a 'Line'", "basic english normalization for a ' line '"),
        ("it's \"quoted\" (twice), isn't it?", "it ' s quoted ( twice ) , isn ' t it ?"),
        ("one<br />two;three:four.", "one two three four ."),
        ("U.S. 3.5", "u . s . 3 . 5"),
        ('no" space"between', "no spacebetween"),
        ("  \t\n ", ""),
        ("ÄPFEL und BIRNEN", "äpfel und birnen"),
        ("a-b #39;s $5", "a-b #39 s $5"),
    ],
)
def test_basic_english(line, tokens):
    assert get_tokenizer("basic_english")(line) == tokens.split()


def test_other_tokenizers():
    assert get_tokenizer(None)("To be,  or") == ["To", "be,", "or"]
    assert get_tokenizer(list)("ab") == ["a", "b"]
    with pytest.raises(ValueError, match="only available for English"):
        get_tokenizer("basic_english", language="de")
    with pytest.raises(ValueError, match="'spacy', valid choices"):
        get_tokenizer("spacy")


def test_ngrams():
    words = ["here", "we", "are"]
    assert list(ngrams_iterator(words, 1)) == words
    assert list(ngrams_iterator(words, 3)) == [*words, "here we", "we are", "here we are"]
    assert list(ngrams_iterator(["one"], 2)) == ["one"]
