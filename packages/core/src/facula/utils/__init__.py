"""Helpers beside the tensors: data loading."""

from facula.utils import data
