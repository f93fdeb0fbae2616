"""PyTorch's private place of what makes batches, which programs import from: ``_utils.collate``."""

import sys

from facula.utils.data import collate as collate, worker as worker

# So that ``import facula.utils.data._utils.collate`` finds them too.
sys.modules[f"{__name__}.collate"] = collate
sys.modules[f"{__name__}.worker"] = worker
