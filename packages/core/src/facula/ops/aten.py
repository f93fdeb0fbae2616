"""PyTorch's own functions under the name it has for them, ``torch.ops.aten``."""

import builtins

from facula.ops.native import *  # noqa: F403
from facula.ops.native import (
    _batch_norm_with_update as _batch_norm_with_update,
)
from facula.ops.native import (
    _log_softmax_backward_data as _log_softmax_backward_data,
)
from facula.ops.native import (
    _native_batch_norm_legit as _native_batch_norm_legit,
)
from facula.ops.native import (
    _safe_softmax as _safe_softmax,
)
from facula.ops.native import (
    _softmax_backward_data as _softmax_backward_data,
)
from facula.ops.native import (
    _upsample_bilinear2d_aa as _upsample_bilinear2d_aa,
)
from facula.ops.torch_signatures import *  # noqa: F403
from facula.types import Tensor


def slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Return the view of every ``step``-th place along a dimension from ``start`` to before ``end``."""
    if not input.dim():
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise RuntimeError(f"slice step must be positive, got {step}")
    key: list[builtins.slice] = [builtins.slice(None)] * input.dim()
    key[dim] = builtins.slice(start, end, step)
    return input[tuple(key)]
