"""``torch.nn.parallel.distributed``."""

from facula.nn.parallel import DistributedDataParallel

__all__ = ["DistributedDataParallel"]
