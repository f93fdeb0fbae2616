"""``torch.nn.attention.flex_attention``: names that programs import and need not use."""

from typing import NamedTuple, NoReturn

_DEFAULT_SPARSE_BLOCK_SIZE = 128


class BlockMask:
    """What nothing is an instance of."""


class AuxRequest(NamedTuple):
    """What would be returned beside the result."""

    lse: bool = False
    max_scores: bool = False


def flex_attention(*args: object, **kwargs: object) -> NoReturn:
    """Raise NotImplementedError."""
    raise NotImplementedError("torch.nn.attention.flex_attention is not implemented by facula")


create_block_mask = create_mask = create_nested_block_mask = flex_attention
