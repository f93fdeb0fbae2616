"""PyTorch's own functions under the name it has for them, ``torch.ops.aten``."""

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
