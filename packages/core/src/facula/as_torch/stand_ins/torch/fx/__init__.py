"""``torch.fx``: programs are not traced; marks for the tracer have no effect."""

from facula.nn import Module


class Proxy:
    """What nothing is an instance of."""


class GraphModule(Module):
    """What nothing is an instance of."""


def wrap(fn_or_name: object) -> object:
    """Return the function, or its name, as it is."""
    return fn_or_name
