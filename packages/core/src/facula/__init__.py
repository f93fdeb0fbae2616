"""facula: a deep-learning library with PyTorch's API, on NumPy and CuPy."""

from importlib import import_module
from typing import TYPE_CHECKING

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
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
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
from facula.inplace_functions import *
from facula.inspection import *
from facula.legacy_types import *
from facula.settings import *
from facula.storage import TypedStorage, UntypedStorage
from facula.graph.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from facula.ops.conversion import (
    channels_last,
    channels_last_3d,
    clone,
    contiguous_format,
    detach,
    layout,
    memory_format,
    jagged,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from facula.ops.activation import log_softmax_method as log_softmax
from facula.ops.activation import relu, relu_, selu, selu_, celu, celu_, prelu, threshold, threshold_
from facula.ops.activation import softmax_method as softmax
from facula.ops.bits import *
from facula.ops.comparison import *
from facula.ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from facula.ops.cumulative import *
from facula.ops.decompositions import *
from facula.ops.einsum import *
from facula.ops.elementary import *
from facula.ops.embedding import embedding
from facula.ops.extrema import *
from facula.ops.fourier import istft, stft
from facula.ops.gathering import *
from facula.ops.grid_sampling import affine_grid_generator, grid_sampler, grid_sampler_2d, grid_sampler_3d
from facula.ops.householder import *
from facula.ops.indexing import *
from facula.ops.interpolation import channel_shuffle, pixel_shuffle, pixel_unshuffle
from facula.ops.joining import *
from facula.ops.linear_algebra import *
from facula.ops.lu_factorization import *
from facula.ops.loss import cosine_similarity, pairwise_distance
from facula.ops.matmul import *
from facula.ops.matrix_functions import *
from facula.ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from facula.ops.norms import *
from facula.ops.pointwise import *
from facula.ops.random import *
from facula.ops.recurrent import *
from facula.ops.reduction import *
from facula.ops.rounding import *
from facula.ops.selection import *
from facula.ops.shape import *
from facula.ops.sorting import *
from facula.ops.special import *
from facula.ops.splitting import *
from facula.ops.statistics import *
from facula.ops.windows import *
from facula.printing import set_printoptions
from facula.promotion import can_cast, promote_types
from facula.rng import Generator, default_generator
from facula.size import Size
from facula.tensor import Tensor

__version__ = "0.1.0"

if TYPE_CHECKING:
    from facula import autograd, cuda, fft, linalg, nn, optim, serialization, special, utils
    from facula.ops.eigenpairs import lobpcg
    from facula.ops.lowrank import pca_lowrank, svd_lowrank
    from facula.serialization import load, save

#: What is imported when it is first asked for: these need parts of the standard library that cost as much as NumPy.
_LATER = frozenset(
    {
        "amp",
        "autograd",
        "cuda",
        "distributions",
        "fft",
        "futures",
        "hub",
        "linalg",
        "masked",
        "nn",
        "optim",
        "profiler",
        "serialization",
        "signal",
        "special",
        "utils",
    }
)
#: The same for functions, by the module they are in.
_LATER_FUNCTIONS = {
    "_sample_dirichlet": "facula.ops.gamma_sampling",
    "_standard_gamma": "facula.ops.gamma_sampling",
    "Event": "facula.cuda",
    "Future": "facula.futures",
    "OutOfMemoryError": "facula.cuda",
    "Stream": "facula.cuda",
    "GradScaler": "facula.amp",
    "autocast": "facula.amp",
    "get_autocast_dtype": "facula.amp",
    "is_autocast_available": "facula.amp",
    "is_autocast_enabled": "facula.amp",
    "set_autocast_dtype": "facula.amp",
    "set_autocast_enabled": "facula.amp",
    "load": "facula.serialization",
    "lobpcg": "facula.ops.eigenpairs",
    "pca_lowrank": "facula.ops.lowrank",
    "save": "facula.serialization",
    "svd_lowrank": "facula.ops.lowrank",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return import_module(f"facula.{name}")
    if name.startswith("_foreach_"):
        return getattr(import_module("facula.foreach"), name)
    if name in _LATER_FUNCTIONS:
        found = getattr(import_module(_LATER_FUNCTIONS[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'facula' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_LATER_FUNCTIONS})
