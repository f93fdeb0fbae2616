"""``torch.distributed.tensor``: no tensor is spread over processes."""

from facula.tensor import Tensor


class DTensor(Tensor):
    """What nothing is an instance of."""


class Placement:
    """How a tensor would lie over processes."""


class Shard(Placement):
    """Cut along a dimension."""

    def __init__(self, dim: int) -> None:
        self.dim = dim


class Replicate(Placement):
    """Whole in every process."""


class Partial(Placement):
    """A part of a sum in every process."""


def distribute_tensor(*args: object, **kwargs: object) -> DTensor:
    """Raise NotImplementedError."""
    raise NotImplementedError("torch.distributed.tensor.distribute_tensor is not implemented by facula")


distribute_module = distribute_tensor
