"""Word tokenizers and n-grams with torchtext's rules."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

__all__ = ["get_tokenizer", "ngrams_iterator"]

# The order matters: a break tag must be gone before its characters could be spaced one by one.
_BASIC_ENGLISH = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"'", " '  "),
        (r'"', ""),
        (r"\.", " . "),
        (r"<br />", " "),
        (r"([,()!?])", r" \1 "),
        (r"[;:]", " "),
    ]
]


def _basic_english(line: str) -> list[str]:
    line = line.lower()
    for pattern, replacement in _BASIC_ENGLISH:
        line = pattern.sub(replacement, line)
    return line.split()


def _split(line: str) -> list[str]:
    return line.split()


def get_tokenizer(
    tokenizer: str | Callable[[str], list[str]] | None, language: str = "en"
) -> Callable[[str], list[str]]:
    """Return the function that cuts a string into tokens.

    None cuts at white space, ``"basic_english"`` lower-cases and sets punctuation apart, a callable is returned as it
    is. Any other name raises ValueError: pass that library's own function instead.

    >>> get_tokenizer("basic_english")("It's here, isn't it?")
    ['it', "'", 's', 'here', ',', 'isn', "'", 't', 'it', '?']
    """
    if tokenizer is None:
        return _split
    if callable(tokenizer):
        return tokenizer
    if tokenizer == "basic_english":
        if language != "en":
            raise ValueError(f"basic_english is only available for English ('en'), got language {language!r}")
        return _basic_english
    raise ValueError(
        f"Requested tokenizer {tokenizer!r}, valid choices are None, 'basic_english', or a callable that takes a "
        "single string as input"
    )


def ngrams_iterator(token_list: Sequence[str], ngrams: int) -> Iterator[str]:
    """Return an iterator over the tokens, then the pairs, and so on up to ``ngrams`` tokens joined by a space.

    >>> list(ngrams_iterator(["here", "we", "are"], 2))
    ['here', 'we', 'are', 'here we', 'we are']
    """
    longer = (
        " ".join(token_list[start : start + length])
        for length in range(2, ngrams + 1)
        for start in range(len(token_list) - length + 1)
    )
    return chain(token_list, longer)
