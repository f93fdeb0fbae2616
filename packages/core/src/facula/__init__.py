"""facula: a deep-learning library with PyTorch's API, on NumPy and CuPy."""

import gc as _gc
from importlib import import_module
from typing import TYPE_CHECKING

# What is made here stays: to look through it for garbage would take a sixth of the import's time.
_collects = _gc.isenabled()
_gc.disable()

from facula.creation import *
from facula.ranges import *
from facula.devices import device as device
from facula.dtypes import (
    bfloat16 as bfloat16,
    cdouble as cdouble,
    cfloat as cfloat,
    complex64 as complex64,
    complex128 as complex128,
    double as double,
    dtype as dtype,
    finfo as finfo,
    float as float,
    float16 as float16,
    float32 as float32,
    float64 as float64,
    float8_e4m3fn as float8_e4m3fn,
    float8_e4m3fnuz as float8_e4m3fnuz,
    float8_e5m2 as float8_e5m2,
    float8_e5m2fnuz as float8_e5m2fnuz,
    float8_e8m0fnu as float8_e8m0fnu,
    get_default_dtype as get_default_dtype,
    half as half,
    iinfo as iinfo,
    int as int,
    int8 as int8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    long as long,
    set_default_dtype as set_default_dtype,
    short as short,
    uint8 as uint8,
    uint16 as uint16,
    uint32 as uint32,
    uint64 as uint64,
)
from facula.dtypes import bool_ as _bool
from facula.inplace_functions import *
from facula.inspection import *
from facula.legacy_types import *
from facula.settings import *
from facula.storage import TypedStorage as TypedStorage, UntypedStorage as UntypedStorage
from facula.graph.modes import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    is_grad_enabled as is_grad_enabled,
    is_inference_mode_enabled as is_inference_mode_enabled,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from facula.ops.conversion import (
    channels_last as channels_last,
    channels_last_3d as channels_last_3d,
    clone as clone,
    contiguous_format as contiguous_format,
    detach as detach,
    layout as layout,
    memory_format as memory_format,
    jagged as jagged,
    preserve_format as preserve_format,
    sparse_bsc as sparse_bsc,
    sparse_bsr as sparse_bsr,
    sparse_coo as sparse_coo,
    sparse_csc as sparse_csc,
    sparse_csr as sparse_csr,
    strided as strided,
)
from facula.ops.softmax import log_softmax_method as _log_softmax
from facula.ops.activation import (
    hardshrink as hardshrink,
    relu as relu,
    relu_ as relu_,
    selu as selu,
    selu_ as selu_,
    celu as celu,
    celu_ as celu_,
    prelu as prelu,
    threshold as threshold,
    threshold_ as threshold_,
)
from facula.ops.softmax import softmax_method as _softmax
from facula.ops.bits import *
from facula.ops.comparison import *
from facula.ops.complex_numbers import *
from facula.ops.cumulative import *
from facula.ops.decompositions import *
from facula.ops.einsum import *
from facula.ops.elementary import *
from facula.ops.extrema import *
from facula.ops.fourier import istft as istft, stft as stft
from facula.ops.gathering import *
from facula.ops.householder import *
from facula.ops.index_arithmetic import *
from facula.ops.indexing import *
from facula.ops.joining import *
from facula.ops.linear_algebra import *
from facula.ops.lu_factorization import *
from facula.ops.matmul import *
from facula.ops.matmul import bilinear as bilinear
from facula.ops.matrix_functions import *
from facula.ops.norms import *
from facula.ops.pointwise import *
from facula.ops.random import *
from facula.ops.reduction import *
from facula.ops.rounding import *
from facula.ops.segments import *
from facula.ops.segments import _segment_reduce as _segment_reduce
from facula.ops.selection import *
from facula.ops.shape import *
from facula.ops.sorting import *
from facula.ops.special import *
from facula.ops.splitting import *
from facula.ops.statistics import *
from facula.ops.view_copies import *
from facula.printing import set_printoptions as set_printoptions
from facula.promotion import can_cast as can_cast, promote_types as promote_types
from facula.rng import Generator as Generator, default_generator as default_generator
from facula.size import Size as Size
from facula.tensor import Tensor as Tensor

__version__ = "0.1.0"

bool = _bool
log_softmax = _log_softmax
softmax = _softmax

if TYPE_CHECKING:
    from facula import (
        amp as amp,
        autograd as autograd,
        cpu as cpu,
        cuda as cuda,
        distributed as distributed,
        distributions as distributions,
        fft as fft,
        futures as futures,
        hub as hub,
        linalg as linalg,
        masked as masked,
        nn as nn,
        optim as optim,
        profiler as profiler,
        regions as regions,
        serialization as serialization,
        signal as signal,
        sparse as sparse,
        special as special,
        utils as utils,
    )
    from facula.amp import (
        GradScaler as GradScaler,
        autocast as autocast,
        get_autocast_dtype as get_autocast_dtype,
        is_autocast_available as is_autocast_available,
        is_autocast_enabled as is_autocast_enabled,
        set_autocast_dtype as set_autocast_dtype,
        set_autocast_enabled as set_autocast_enabled,
    )
    from facula.cuda import Event as Event, OutOfMemoryError as OutOfMemoryError, Stream as Stream
    from facula.futures import Future as Future
    from facula.ops.convolution import (
        conv1d as conv1d,
        conv_tbc as conv_tbc,
        conv2d as conv2d,
        conv3d as conv3d,
        conv_transpose1d as conv_transpose1d,
        conv_transpose2d as conv_transpose2d,
        conv_transpose3d as conv_transpose3d,
    )
    from facula.ops.grid_sampling import (
        affine_grid_generator as affine_grid_generator,
        grid_sampler as grid_sampler,
        grid_sampler_2d as grid_sampler_2d,
        grid_sampler_3d as grid_sampler_3d,
    )
    from facula.ops.interpolation import (
        channel_shuffle as channel_shuffle,
        pixel_shuffle as pixel_shuffle,
        pixel_unshuffle as pixel_unshuffle,
    )
    from facula.ops.margin_loss import cosine_similarity as cosine_similarity, pairwise_distance as pairwise_distance
    from facula.ops.normalization import rms_norm as rms_norm
    from facula.ops.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d, avg_pool1d as avg_pool1d
    from facula.ops.recurrent import (
        gru as gru,
        gru_cell as gru_cell,
        lstm as lstm,
        lstm_cell as lstm_cell,
        rnn_relu as rnn_relu,
        rnn_relu_cell as rnn_relu_cell,
        rnn_tanh as rnn_tanh,
        rnn_tanh_cell as rnn_tanh_cell,
    )
    from facula.ops.windows import (
        bartlett_window as bartlett_window,
        blackman_window as blackman_window,
        hamming_window as hamming_window,
        hann_window as hann_window,
        kaiser_window as kaiser_window,
    )
    from facula.ops.torch_signatures import (
        adaptive_max_pool1d as adaptive_max_pool1d,
        alpha_dropout as alpha_dropout,
        alpha_dropout_ as alpha_dropout_,
        batch_norm as batch_norm,
        binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
        constant_pad_nd as constant_pad_nd,
        convolution as convolution,
        cosine_embedding_loss as cosine_embedding_loss,
        ctc_loss as ctc_loss,
        dropout as dropout,
        dropout_ as dropout_,
        embedding as embedding,
        embedding_bag as embedding_bag,
        embedding_renorm_ as embedding_renorm_,
        feature_alpha_dropout as feature_alpha_dropout,
        feature_alpha_dropout_ as feature_alpha_dropout_,
        feature_dropout as feature_dropout,
        feature_dropout_ as feature_dropout_,
        group_norm as group_norm,
        hinge_embedding_loss as hinge_embedding_loss,
        instance_norm as instance_norm,
        kl_div as kl_div,
        layer_norm as layer_norm,
        margin_ranking_loss as margin_ranking_loss,
        max_pool1d as max_pool1d,
        max_pool1d_with_indices as max_pool1d_with_indices,
        max_pool2d as max_pool2d,
        max_pool3d as max_pool3d,
        norm_except_dim as norm_except_dim,
        poisson_nll_loss as poisson_nll_loss,
        rrelu as rrelu,
        rrelu_ as rrelu_,
        triplet_margin_loss as triplet_margin_loss,
    )
    from facula.ops.distance import pdist as pdist
    from facula.ops.layouts import smm as smm, spmm as spmm
    from facula.ops.eigenpairs import lobpcg as lobpcg
    from facula.ops.gamma_sampling import _sample_dirichlet as _sample_dirichlet, _standard_gamma as _standard_gamma
    from facula.ops.lowrank import pca_lowrank as pca_lowrank, svd_lowrank as svd_lowrank
    from facula.ops.native import (
        _batch_norm_with_update as _batch_norm_with_update,
        _log_softmax_backward_data as _log_softmax_backward_data,
        _native_batch_norm_legit as _native_batch_norm_legit,
        _safe_softmax as _safe_softmax,
        _softmax_backward_data as _softmax_backward_data,
        _upsample_bilinear2d_aa as _upsample_bilinear2d_aa,
        native_batch_norm as native_batch_norm,
        native_channel_shuffle as native_channel_shuffle,
        native_dropout as native_dropout,
        native_dropout_backward as native_dropout_backward,
        native_group_norm as native_group_norm,
        native_layer_norm as native_layer_norm,
        native_norm as native_norm,
    )
    from facula.serialization import load as load, save as save
    from facula.sparse.construction import (
        sparse_compressed_tensor as sparse_compressed_tensor,
        sparse_coo_tensor as sparse_coo_tensor,
        sparse_csc_tensor as sparse_csc_tensor,
        sparse_csr_tensor as sparse_csr_tensor,
    )

#: What is imported when it is first asked for: these need parts of the standard library that cost as much as NumPy.
_LATER = frozenset(
    {
        "amp",
        "autograd",
        "cpu",
        "cuda",
        "distributed",
        "distributions",
        "fft",
        "func",
        "futures",
        "hub",
        "linalg",
        "masked",
        "nn",
        "optim",
        "profiler",
        "random",
        "regions",
        "serialization",
        "signal",
        "sparse",
        "special",
        "testing",
        "utils",
    }
)
#: The same for functions, by the module they are in: layers, what few programs use, and what PyTorch has here with
#: another argument order than in ``nn.functional``.
_LATER_BY_MODULE = {
    "facula.amp": """
GradScaler autocast get_autocast_dtype is_autocast_available is_autocast_enabled set_autocast_dtype
set_autocast_enabled
""",
    "facula.cuda": "Event OutOfMemoryError Stream",
    "facula.func": "vmap",
    "facula.futures": "Future",
    "facula.ops.convolution": "conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d",
    "facula.ops.distance": "pdist",
    "facula.ops.eigenpairs": "lobpcg",
    "facula.ops.gamma_sampling": "_sample_dirichlet _standard_gamma",
    "facula.ops.grid_sampling": "affine_grid_generator grid_sampler grid_sampler_2d grid_sampler_3d",
    "facula.ops.interpolation": "channel_shuffle pixel_shuffle pixel_unshuffle",
    "facula.ops.layouts": "smm spmm",
    "facula.ops.lowrank": "pca_lowrank svd_lowrank",
    "facula.ops.margin_loss": "cosine_similarity pairwise_distance",
    "facula.ops.normalization": "rms_norm",
    "facula.ops.pooling": "adaptive_avg_pool1d avg_pool1d",
    "facula.ops.recurrent": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
    "facula.ops.windows": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
    "facula.serialization": "load save",
    "facula.sparse.construction": "sparse_compressed_tensor sparse_coo_tensor sparse_csc_tensor sparse_csr_tensor",
    "facula.ops.native": """
_batch_norm_with_update _log_softmax_backward_data _native_batch_norm_legit _safe_softmax _softmax_backward_data
_upsample_bilinear2d_aa native_batch_norm native_channel_shuffle native_dropout native_dropout_backward
native_group_norm native_layer_norm native_norm
""",
    "facula.ops.torch_signatures": """
adaptive_max_pool1d alpha_dropout alpha_dropout_ batch_norm binary_cross_entropy_with_logits constant_pad_nd
convolution cosine_embedding_loss ctc_loss dropout dropout_ embedding embedding_bag embedding_renorm_
feature_alpha_dropout feature_alpha_dropout_ feature_dropout feature_dropout_ group_norm hinge_embedding_loss
instance_norm kl_div layer_norm margin_ranking_loss max_pool1d max_pool1d_with_indices max_pool2d max_pool3d
norm_except_dim poisson_nll_loss rrelu rrelu_ triplet_margin_loss
""",
}
_LATER_FUNCTIONS = {name: module for module, names in _LATER_BY_MODULE.items() for name in names.split()}


if not TYPE_CHECKING:  # type checkers read the imports above, and report a name that does not exist

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


if _collects:
    if not _gc.get_freeze_count():
        # Both together put everything into the oldest generation, unsearched.
        _gc.freeze()
        _gc.unfreeze()
    _gc.enable()
del _collects, _gc
