"""``torch._dynamo._trace_wrapped_higher_order_op``."""

from contextlib import nullcontext


class TransformGetItemToIndex(nullcontext[None]):
    """Context that changes nothing: a tensor can be an index anywhere."""
