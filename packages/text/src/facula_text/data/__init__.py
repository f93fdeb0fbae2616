"""Word tokenizers, language-model batches, collation and samplers."""

from facula_text.data.collate import OffsetsCollate, PadCollate, pad_sequences
from facula_text.data.functional import (
    custom_replace,
    numericalize_tokens_from_iterator,
    simple_space_split,
    to_map_style_dataset,
)
from facula_text.data.language_modeling import BlockDataset, batchify, bptt_batches, get_batch, random_blocks
from facula_text.data.metrics import bleu_score
from facula_text.data.samplers import BucketBatchSampler
from facula_text.data.utils import get_tokenizer, ngrams_iterator

__all__ = [
    "BlockDataset",
    "BucketBatchSampler",
    "OffsetsCollate",
    "PadCollate",
    "batchify",
    "bleu_score",
    "bptt_batches",
    "custom_replace",
    "get_batch",
    "get_tokenizer",
    "ngrams_iterator",
    "numericalize_tokens_from_iterator",
    "pad_sequences",
    "random_blocks",
    "simple_space_split",
    "to_map_style_dataset",
]
