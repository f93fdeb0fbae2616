"""facula: a deep-learning library with PyTorch's API, on NumPy and CuPy."""

from facula.creation import *
from facula.devices import device
from facula.dtypes import (
    bfloat16,
    cdouble,
    cfloat,
    complex64,
    complex128,
    double,
    dtype,
    finfo,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)
from facula.dtypes import bool_ as bool
from facula.graph.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from facula.ops.comparison import *
from facula.ops.conversion import (
    channels_last,
    channels_last_3d,
    clone,
    contiguous_format,
    detach,
    memory_format,
    preserve_format,
)
from facula.ops.cumulative import *
from facula.ops.elementary import *
from facula.ops.extrema import *
from facula.ops.matmul import *
from facula.ops.pointwise import *
from facula.ops.reduction import *
from facula.ops.rounding import *
from facula.ops.selection import *
from facula.ops.sorting import *
from facula.printing import set_printoptions
from facula.promotion import can_cast, promote_types
from facula.size import Size
from facula.tensor import Tensor

__version__ = "0.1.0"
