"""``torch._dynamo``: nothing is compiled."""

from types import SimpleNamespace

from facula.as_torch.stand_ins.torch.compiler import (
    allow_in_graph,
    assume_constant_result,
    disable,
    is_compiling,
    reset,
)
from facula.nn import Module

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "is_compiling", "reset"]

#: Settings that are kept and change nothing.
config = SimpleNamespace(cache_size_limit=8, suppress_errors=False, optimize_ddp=True, capture_scalar_outputs=False)


class OptimizedModule(Module):
    """What nothing is an instance of: there are no compiled modules."""


def graph_break() -> None:
    """Do nothing."""


def mark_dynamic(*args: object, **kwargs: object) -> None:
    """Do nothing."""


def mark_static(*args: object, **kwargs: object) -> None:
    """Do nothing."""


maybe_mark_dynamic = mark_static_address = mark_static
