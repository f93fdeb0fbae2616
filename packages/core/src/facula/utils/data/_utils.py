"""PyTorch's private place of what makes batches, which programs import from: ``_utils.collate``."""

from facula.utils.data import collate as collate
from facula.utils.data import worker as worker
