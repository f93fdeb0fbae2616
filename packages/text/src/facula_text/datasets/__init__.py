"""Readers of text datasets in their published file formats, with torchtext's names and samples."""

from facula_text.datasets.ag_news import AG_NEWS, AG_NEWS_CLASSES
from facula_text.datasets.multi30k import Multi30k
from facula_text.datasets.sst2 import SST2
from facula_text.datasets.text_dataset import TextDataset
from facula_text.datasets.tiny_shakespeare import TinyShakespeare
from facula_text.datasets.wikitext2 import WikiText2

__all__ = ["AG_NEWS", "AG_NEWS_CLASSES", "SST2", "Multi30k", "TextDataset", "TinyShakespeare", "WikiText2"]
