"""Character, BPE, byte-level BPE and WordPiece tokenizers with Hugging Face's names."""

from facula_text.tokenizers.batch_encoding import BatchEncoding
from facula_text.tokenizers.characters import CharTokenizer
from facula_text.tokenizers.fast import PreTrainedTokenizerFast
from facula_text.tokenizers.trainable import BertWordPieceTokenizer, ByteLevelBPETokenizer, CharBPETokenizer

__all__ = [
    "BatchEncoding",
    "BertWordPieceTokenizer",
    "ByteLevelBPETokenizer",
    "CharBPETokenizer",
    "CharTokenizer",
    "PreTrainedTokenizerFast",
]
