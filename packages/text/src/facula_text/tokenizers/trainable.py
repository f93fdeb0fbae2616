"""Tokenizers to train on one's own text: byte-level BPE, BPE with word ends, WordPiece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from facula_text.tokenizers.fast import PreTrainedTokenizerFast

__all__ = ["BertWordPieceTokenizer", "ByteLevelBPETokenizer", "CharBPETokenizer"]


def _all_specials(tokenizer: PreTrainedTokenizerFast, special_tokens: Sequence[str]) -> list[str]:
    """Return the tokenizer's own special tokens and the further ones, each once, the named ones first."""
    return list(dict.fromkeys([*special_tokens, *tokenizer.all_special_tokens]))


class ByteLevelBPETokenizer(PreTrainedTokenizerFast):
    """GPT-2's tokenizer: byte pair encoding over bytes, so that nothing is unknown and decoding gives the text back.

    >>> tokenizer = ByteLevelBPETokenizer()
    >>> tokenizer.train_from_iterator(["low lower lowest"] * 2, vocab_size=270)
    >>> tokenizer.decode(tokenizer.encode("lower, größer"))
    'lower, größer'
    """

    def __init__(
        self,
        add_prefix_space: bool = False,
        lowercase: bool = False,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        unk_token: str | None = None,
        model_max_length: int | None = None,
    ) -> None:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

        tokenizer = Tokenizer(models.BPE())
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
        tokenizer.decoder = decoders.ByteLevel()
        super().__init__(
            tokenizer,
            bos_token=bos_token,
            eos_token=eos_token,
            pad_token=pad_token,
            unk_token=unk_token,
            model_max_length=model_max_length,
            model_input_names=("input_ids", "attention_mask"),
        )

    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int = 30000,
        min_frequency: int = 2,
        show_progress: bool = False,
        special_tokens: Sequence[str] = (),
    ) -> None:
        """Learn the merges of the texts; the vocabulary is special tokens, the 256 bytes, then merges."""
        from tokenizers import pre_tokenizers, trainers

        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            show_progress=show_progress,
            special_tokens=_all_specials(self, special_tokens),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        self._tokenizer.train_from_iterator(iterator, trainer)


class CharBPETokenizer(PreTrainedTokenizerFast):
    """The first subword tokenizer: byte pair encoding over characters within words, whose ends are marked.

    Method of Sennrich, Haddow and Birch (2016), arXiv 1508.07909. The library breaks ties anew in every training run:
    save the tokenizer to keep its indices.

    >>> tokenizer = CharBPETokenizer()
    >>> tokenizer.train_from_iterator(["low lower lowest"] * 2)
    >>> tokenizer.tokenize("lowest slow")
    ['lowest</w>', 's', 'low</w>']
    """

    def __init__(
        self,
        unk_token: str = "<unk>",
        suffix: str = "</w>",
        lowercase: bool = False,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        model_max_length: int | None = None,
    ) -> None:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

        self._suffix = suffix
        tokenizer = Tokenizer(models.BPE(unk_token=unk_token, end_of_word_suffix=suffix))
        # The compatibility form unites the many ways to write one character, as the published tokenizers do.
        steps = [normalizers.NFKC()] + ([normalizers.Lowercase()] if lowercase else [])
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.BPEDecoder(suffix=suffix)
        super().__init__(
            tokenizer,
            unk_token=unk_token,
            bos_token=bos_token,
            eos_token=eos_token,
            pad_token=pad_token,
            model_max_length=model_max_length,
            model_input_names=("input_ids", "attention_mask"),
        )

    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int = 30000,
        min_frequency: int = 2,
        show_progress: bool = False,
        special_tokens: Sequence[str] = (),
        limit_alphabet: int = 1000,
    ) -> None:
        """Learn the merges of the texts; only the ``limit_alphabet`` most frequent characters are kept."""
        from tokenizers import trainers

        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            show_progress=show_progress,
            special_tokens=_all_specials(self, special_tokens),
            limit_alphabet=limit_alphabet,
            end_of_word_suffix=self._suffix,
        )
        self._tokenizer.train_from_iterator(iterator, trainer)


class BertWordPieceTokenizer(PreTrainedTokenizerFast):
    """BERT's tokenizer: WordPiece, with ``[CLS]`` before a text and ``[SEP]`` after it.

    The library breaks ties anew in every training run: save the tokenizer to keep its indices.

    >>> tokenizer = BertWordPieceTokenizer()
    >>> tokenizer.train_from_iterator(["low lower lowest"] * 2)
    >>> tokenizer("Lower", "low").tokens()
    ['[CLS]', 'lower', '[SEP]', 'low', '[SEP]']
    """

    def __init__(
        self,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        clean_text: bool = True,
        handle_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
        wordpieces_prefix: str = "##",
        model_max_length: int | None = None,
    ) -> None:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

        self._prefix = wordpieces_prefix
        tokenizer = Tokenizer(
            models.WordPiece(
                unk_token=unk_token, continuing_subword_prefix=wordpieces_prefix, max_input_chars_per_word=100
            )
        )
        tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=clean_text,
            handle_chinese_chars=handle_chinese_chars,
            strip_accents=strip_accents,
            lowercase=lowercase,
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece(prefix=wordpieces_prefix)
        super().__init__(
            tokenizer,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            model_max_length=model_max_length,
        )

    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int = 30000,
        min_frequency: int = 2,
        show_progress: bool = False,
        special_tokens: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        limit_alphabet: int = 1000,
    ) -> None:
        """Learn the word pieces of the texts; only the ``limit_alphabet`` most frequent characters are kept."""
        from tokenizers import processors, trainers

        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            show_progress=show_progress,
            special_tokens=_all_specials(self, special_tokens),
            limit_alphabet=limit_alphabet,
            continuing_subword_prefix=self._prefix,
        )
        self._tokenizer.train_from_iterator(iterator, trainer)
        # The indices of the two tokens are known only now.
        ends = []
        for token in (self.sep_token, self.cls_token):
            assert token is not None
            index = self._tokenizer.token_to_id(token)
            assert index is not None
            ends.append((token, index))
        self._tokenizer.post_processor = processors.BertProcessing(ends[0], ends[1])
