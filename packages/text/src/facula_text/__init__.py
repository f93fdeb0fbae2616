"""Text for facula: tokenizers, vocabularies, language-model batching, datasets and models."""

from facula_text import data, datasets, models, tokenizers, transforms, vocab

__version__ = "0.1.0"

__all__ = ["__version__", "data", "datasets", "models", "tokenizers", "transforms", "vocab"]
