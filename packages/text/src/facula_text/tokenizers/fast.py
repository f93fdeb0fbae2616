"""A tokenizer.json brought to life: encoding with Hugging Face's call signature, tensors out."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_text._files import write_text
from facula_text.tokenizers._forking import make_fork_safe
from facula_text.tokenizers.batch_encoding import BatchEncoding

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["PreTrainedTokenizerFast"]

SPECIAL_TOKENS = ("unk_token", "bos_token", "eos_token", "sep_token", "pad_token", "cls_token", "mask_token")
TRUNCATION_STRATEGIES = ("longest_first", "only_first", "only_second", "do_not_truncate")
PADDING_STRATEGIES = ("longest", "max_length", "do_not_pad")

TextInput = str | Sequence[str]


class PreTrainedTokenizerFast:
    """Encodes text with a ``tokenizers.Tokenizer``, given as object or as the path of a ``tokenizer.json``.

    The special tokens named must be in the vocabulary. Calls from several threads are safe, and so are processes
    forked after use.

    >>> from facula_text.tokenizers import ByteLevelBPETokenizer
    >>> tokenizer = ByteLevelBPETokenizer(pad_token="<pad>")
    >>> tokenizer.train_from_iterator(["to be or not to be"], vocab_size=300)
    >>> tokenizer(["to be", "or not to be"], padding=True, return_tensors="pt").input_ids.shape
    facula.Size([2, 9])
    """

    def __init__(
        self,
        tokenizer_object: Tokenizer | None = None,
        tokenizer_file: str | PathLike[str] | None = None,
        *,
        unk_token: str | None = None,
        bos_token: str | None = None,
        eos_token: str | None = None,
        sep_token: str | None = None,
        pad_token: str | None = None,
        cls_token: str | None = None,
        mask_token: str | None = None,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        model_input_names: Sequence[str] = ("input_ids", "token_type_ids", "attention_mask"),
    ) -> None:
        if (tokenizer_object is None) == (tokenizer_file is None):
            raise ValueError("expected either tokenizer_object or tokenizer_file, got both or neither")
        make_fork_safe()
        if tokenizer_file is not None:
            tokenizer_object = _read_tokenizer(tokenizer_file)
        assert tokenizer_object is not None
        self._tokenizer = tokenizer_object
        self.unk_token = unk_token
        self.bos_token = bos_token
        self.eos_token = eos_token
        self.sep_token = sep_token
        self.pad_token = pad_token
        self.cls_token = cls_token
        self.mask_token = mask_token
        self.model_max_length = model_max_length
        self.padding_side = _one_of("padding_side", padding_side, ("right", "left"))
        self.truncation_side = _one_of("truncation_side", truncation_side, ("right", "left"))
        self.model_input_names = tuple(model_input_names)
        self._lock = threading.Lock()
        self._register_special_tokens()

    def _register_special_tokens(self) -> None:
        # Tokens that are already special keep their index; unknown ones wait for training or add_special_tokens.
        known = self._tokenizer.get_vocab()
        self._tokenizer.add_special_tokens([token for token in self.all_special_tokens if token in known])

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        make_fork_safe()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={len(self)}, special_tokens={self.special_tokens_map})"

    # The vocabulary

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The ``tokenizers.Tokenizer`` at work inside."""
        return self._tokenizer

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """The number of tokens of the model, without those added later."""
        return self._tokenizer.get_vocab_size(with_added_tokens=False)

    def get_vocab(self) -> dict[str, int]:
        """Return a new dictionary from tokens to indices."""
        return self._tokenizer.get_vocab()

    def token_to_id(self, token: str) -> int | None:
        """Return the index of ``token``, None where it is unknown."""
        return self._tokenizer.token_to_id(token)

    def id_to_token(self, index: int) -> str | None:
        """Return the token at ``index``, None outside the vocabulary."""
        return self._tokenizer.id_to_token(index)

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> int | list[int | None] | None:
        """Return the index of a token, or of each of several; unknown ones give ``unk_token_id``, maybe None."""
        unknown = self.unk_token_id
        names = [tokens] if isinstance(tokens, str) else tokens
        found = [self._tokenizer.token_to_id(name) for name in names]
        indices = [unknown if index is None else index for index in found]
        return indices[0] if isinstance(tokens, str) else indices

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The special tokens that are set, by their role: ``{"pad_token": "<pad>", ...}``."""
        roles = {role: getattr(self, role) for role in SPECIAL_TOKENS}
        return {role: token for role, token in roles.items() if token is not None}

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens that are set, each once."""
        return list(dict.fromkeys(self.special_tokens_map.values()))

    def _special_id(self, role: str) -> int | None:
        token = getattr(self, role)
        return None if token is None else self._tokenizer.token_to_id(token)

    @property
    def unk_token_id(self) -> int | None:
        """The index of the token for what is unknown."""
        return self._special_id("unk_token")

    @property
    def bos_token_id(self) -> int | None:
        """The index of the token that begins a text."""
        return self._special_id("bos_token")

    @property
    def eos_token_id(self) -> int | None:
        """The index of the token that ends a text."""
        return self._special_id("eos_token")

    @property
    def sep_token_id(self) -> int | None:
        """The index of the token between and after texts."""
        return self._special_id("sep_token")

    @property
    def pad_token_id(self) -> int | None:
        """The index of the token that fills up short rows."""
        return self._special_id("pad_token")

    @property
    def cls_token_id(self) -> int | None:
        """The index of the token that stands for the whole text."""
        return self._special_id("cls_token")

    @property
    def mask_token_id(self) -> int | None:
        """The index of the token that hides another one."""
        return self._special_id("mask_token")

    def add_special_tokens(self, special_tokens: Mapping[str, str]) -> int:
        """Set special tokens by role, as in ``{"pad_token": "<pad>"}``, and return how many are new indices."""
        for role in special_tokens:
            _one_of("a special token's role", role, SPECIAL_TOKENS)
        for role, token in special_tokens.items():
            setattr(self, role, token)
        before = len(self)
        self._tokenizer.add_special_tokens(list(special_tokens.values()))
        return len(self) - before

    # Text to indices

    def __call__(
        self,
        text: TextInput,
        text_pair: TextInput | None = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
    ) -> BatchEncoding:
        """Return the indices of a text, of a pair of texts, or of a batch of either.

        ``padding`` is True or "longest", or "max_length"; ``truncation`` is True or "longest_first", "only_first" or
        "only_second", and cuts to ``max_length`` tokens (default ``model_max_length``), special tokens included.
        ``return_tensors="pt"`` gives int64 tensors (N, L), N = 1 for a single text. With
        ``return_overflowing_tokens`` what was cut off follows in further rows that overlap by ``stride`` tokens.
        """
        if return_tensors not in (None, "pt"):
            raise ValueError(f"expected return_tensors None or 'pt', got {return_tensors!r}")
        truncation_strategy = _strategy("truncation", truncation, TRUNCATION_STRATEGIES)
        padding_strategy = _strategy("padding", padding, PADDING_STRATEGIES)
        limit = self.model_max_length if max_length is None else max_length
        needs_limit = truncation_strategy != "do_not_truncate" or padding_strategy == "max_length"
        if needs_limit and limit is None:
            raise ValueError(
                "expected max_length, or a tokenizer with model_max_length, to truncate or pad to; got None"
            )

        inputs, is_batch = _as_batch(text, text_pair, is_split_into_words)
        with self._truncating_to(limit, stride, truncation_strategy):
            encodings = self._tokenizer.encode_batch(
                inputs, is_pretokenized=is_split_into_words, add_special_tokens=add_special_tokens
            )
        samples = list(range(len(encodings)))
        if return_overflowing_tokens:
            samples = [row for row, encoding in enumerate(encodings) for _ in range(1 + len(encoding.overflowing))]
            encodings = [part for encoding in encodings for part in (encoding, *encoding.overflowing)]
        self._pad(encodings, padding_strategy, limit, pad_to_multiple_of, padding_side)

        wanted: dict[str, Callable[[Encoding], Any]] = {
            "input_ids": lambda encoding: encoding.ids,
            "token_type_ids": lambda encoding: encoding.type_ids,
            "attention_mask": lambda encoding: encoding.attention_mask,
            "special_tokens_mask": lambda encoding: encoding.special_tokens_mask,
            "offset_mapping": lambda encoding: encoding.offsets,
        }
        asked = {
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
        }
        data: dict[str, Any] = {}
        for name, read in wanted.items():
            explicit = asked.get(name)
            if name in self.model_input_names if explicit is None else explicit:
                data[name] = [read(encoding) for encoding in encodings]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = samples
        if return_length:
            data["length"] = [len(encoding) for encoding in encodings]
        if return_tensors == "pt":
            data = {name: _rows_to_tensor(rows) for name, rows in data.items()}
        elif not is_batch and not return_overflowing_tokens:
            data = {name: rows[0] for name, rows in data.items()}
        return BatchEncoding(data, encodings)

    def encode(
        self,
        text: str,
        text_pair: str | None = None,
        add_special_tokens: bool = True,
        truncation: bool | str = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> list[int] | Tensor:
        """Return the indices of one text, or pair, as a list, or with ``return_tensors="pt"`` as a tensor (1, L)."""
        encoded: list[int] | Tensor = self(
            text,
            text_pair,
            add_special_tokens=add_special_tokens,
            truncation=truncation,
            max_length=max_length,
            return_tensors=return_tensors,
        )["input_ids"]
        return encoded

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = True) -> list[list[int]]:
        """Return the index list of each text."""
        rows: list[list[int]] = self(list(texts), add_special_tokens=add_special_tokens)["input_ids"]
        return rows

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text, special tokens not added."""
        return self(text, add_special_tokens=False).tokens(0)

    @contextmanager
    def _truncating_to(self, limit: int | None, stride: int, strategy: str) -> Iterator[None]:
        """Give the shared tokenizer this call's truncation for as long as this call encodes, then its own again."""
        with self._lock:
            tokenizer = self._tokenizer
            truncation, padding = tokenizer.truncation, tokenizer.padding
            try:
                tokenizer.no_padding()
                tokenizer.no_truncation()
                if strategy != "do_not_truncate":
                    assert limit is not None
                    tokenizer.enable_truncation(limit, stride=stride, strategy=strategy, direction=self.truncation_side)
                yield
            finally:
                tokenizer.no_truncation()
                if truncation is not None:
                    tokenizer.enable_truncation(**truncation)
                if padding is not None:
                    tokenizer.enable_padding(**padding)

    def _pad(
        self,
        encodings: list[Encoding],
        strategy: str,
        limit: int | None,
        pad_to_multiple_of: int | None,
        padding_side: str | None,
    ) -> None:
        if strategy == "do_not_pad" or not encodings:
            return
        pad_id = self.pad_token_id
        if pad_id is None:
            raise ValueError(
                "asked to pad but the tokenizer has no padding token; set one with "
                "add_special_tokens({'pad_token': '<pad>'}), or take one that is there: "
                "tokenizer.pad_token = tokenizer.eos_token"
            )
        length = limit if strategy == "max_length" else max(len(encoding) for encoding in encodings)
        assert length is not None
        if pad_to_multiple_of is not None:
            length = -(-length // pad_to_multiple_of) * pad_to_multiple_of
        side = self.padding_side if padding_side is None else _one_of("padding_side", padding_side, ("right", "left"))
        for encoding in encodings:
            encoding.pad(length, direction=side, pad_id=pad_id, pad_type_id=0, pad_token=self.pad_token)

    # Indices to text

    def decode(self, token_ids: int | Sequence[int] | Tensor, skip_special_tokens: bool = False) -> str:
        """Return the text of an index, of a list of them or of a tensor (L,)."""
        ids = token_ids.tolist() if isinstance(token_ids, Tensor) else token_ids
        return self._tokenizer.decode([ids] if isinstance(ids, int) else list(ids), skip_special_tokens)

    def batch_decode(
        self, sequences: Iterable[Sequence[int] | Tensor] | Tensor, skip_special_tokens: bool = False
    ) -> list[str]:
        """Return the text of each index list, or of each row of a tensor (N, L)."""
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    # Files

    def save(self, path: str | PathLike[str]) -> None:
        """Write ``tokenizer.json``, which the ``tokenizers`` library reads too."""
        write_text(path, self._tokenizer.to_str(pretty=True))

    def save_pretrained(self, save_directory: str | PathLike[str]) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, with the special tokens, into a folder."""
        os.makedirs(save_directory, exist_ok=True)
        self.save(os.path.join(save_directory, "tokenizer.json"))
        config = {
            **self.special_tokens_map,
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "model_input_names": list(self.model_input_names),
            "tokenizer_class": "PreTrainedTokenizerFast",
        }
        write_text(os.path.join(save_directory, "tokenizer_config.json"), json.dumps(config, indent=2) + "\n")

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> PreTrainedTokenizerFast:
        """Return the tokenizer in a ``tokenizer.json``, without roles for its special tokens."""
        return PreTrainedTokenizerFast(tokenizer_file=path)

    @classmethod
    def from_pretrained(cls, directory: str | PathLike[str]) -> PreTrainedTokenizerFast:
        """Return the tokenizer in a local folder with ``tokenizer.json`` and perhaps ``tokenizer_config.json``."""
        config_path = os.path.join(directory, "tokenizer_config.json")
        config = _read_config(config_path) if os.path.exists(config_path) else {}
        settings: dict[str, Any] = {}
        for name in (*SPECIAL_TOKENS, "padding_side", "truncation_side", "model_input_names"):
            value = config.get(name)
            # Published files store some tokens as {"content": "<s>", ...}.
            value = value.get("content") if isinstance(value, dict) else value
            if value is not None:
                settings[name] = value
        longest = config.get("model_max_length")
        # Published files say 10 ** 30 where there is no limit.
        if isinstance(longest, int) and longest < 10**18:
            settings["model_max_length"] = longest
        return PreTrainedTokenizerFast(tokenizer_file=os.path.join(directory, "tokenizer.json"), **settings)


def _read_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    from tokenizers import Tokenizer

    with open(path, encoding="utf-8") as file:
        try:
            return Tokenizer.from_str(file.read())
        except Exception as error:  # the library raises no narrower class
            raise ValueError(f"{path}: expected a tokenizer.json file, got {error}") from error


def _read_config(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        try:
            config = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: expected a JSON file, got {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(config).__name__}")
    return config


def _one_of(what: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"expected {what} to be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def _strategy(name: str, value: bool | str, allowed: Sequence[str]) -> str:
    if isinstance(value, bool):
        return allowed[0] if value else allowed[-1]
    return _one_of(name, value, allowed)


def _as_batch(text: TextInput, text_pair: TextInput | None, is_split_into_words: bool) -> tuple[list[Any], bool]:
    """Return the inputs as a list for ``encode_batch``, and whether they came as a batch."""
    is_single = isinstance(text, str) or (is_split_into_words and bool(text) and isinstance(text[0], str))
    if is_single:
        return [text if text_pair is None else (text, text_pair)], False
    texts = list(text)
    if text_pair is None:
        return texts, True
    if isinstance(text_pair, str) or len(text_pair) != len(texts):
        raise ValueError(f"expected as many texts in text_pair as in text, {len(texts)}, got {text_pair!r:.100}")
    return list(zip(texts, text_pair, strict=True)), True


def _rows_to_tensor(rows: list[Any]) -> Tensor:
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) > 1:
        raise ValueError(
            f"expected rows of equal length to make a tensor, got lengths {min(lengths)} to {max(lengths)}; "
            "use padding=True, and truncation=True with max_length"
        )
    return facula.tensor(rows, dtype=facula.int64)
