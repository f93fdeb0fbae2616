"""``torch.nn.parallel.scatter_gather``: one process computes on one device."""

from typing import NoReturn


def scatter(*args: object, **kwargs: object) -> NoReturn:
    """Raise NotImplementedError."""
    raise NotImplementedError("torch.nn.parallel.scatter_gather.scatter is not implemented by facula")


gather = scatter_kwargs = scatter
