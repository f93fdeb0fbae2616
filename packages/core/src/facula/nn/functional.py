"""The functions that modules compute with, under PyTorch's names."""

from facula.nn.linear_cross_entropy import linear_cross_entropy as linear_cross_entropy
from facula.nn.multi_head import multi_head_attention_forward as multi_head_attention_forward
from facula.ops.activation import *
from facula.ops.softmax import *
from facula.ops.torch_signatures import rrelu_ as rrelu_
from facula.ops.attention import scaled_dot_product_attention as scaled_dot_product_attention
from facula.ops.convolution import (
    conv1d as conv1d,
    conv_tbc as conv_tbc,
    conv2d as conv2d,
    conv3d as conv3d,
    conv_transpose1d as conv_transpose1d,
    conv_transpose2d as conv_transpose2d,
    conv_transpose3d as conv_transpose3d,
    fold as fold,
    unfold as unfold,
)
from facula.ops.ctc import ctc_loss as ctc_loss
from facula.ops.distance import pdist as pdist
from facula.ops.elementary import sigmoid as sigmoid, tanh as tanh
from facula.ops.embedding import embedding as embedding, embedding_bag as embedding_bag, one_hot as one_hot
from facula.ops.fractional_pooling import (
    fractional_max_pool2d as fractional_max_pool2d,
    fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices,
    fractional_max_pool3d as fractional_max_pool3d,
    fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices,
)
from facula.ops.grid_sampling import affine_grid as affine_grid, grid_sample as grid_sample
from facula.ops.grouped_matmul import grouped_mm as grouped_mm
from facula.ops.interpolation import (
    channel_shuffle as channel_shuffle,
    interpolate as interpolate,
    pixel_shuffle as pixel_shuffle,
    pixel_unshuffle as pixel_unshuffle,
    upsample as upsample,
    upsample_bilinear as upsample_bilinear,
    upsample_nearest as upsample_nearest,
)
from facula.ops.loss import *
from facula.ops.margin_loss import *
from facula.ops.matmul import bilinear as bilinear, linear as linear
from facula.ops.normalization import *
from facula.ops.native import native_channel_shuffle as native_channel_shuffle
from facula.ops.padding import pad as pad
from facula.ops.pooling import *
from facula.ops.random import (
    alpha_dropout as alpha_dropout,
    dropout as dropout,
    dropout1d as dropout1d,
    dropout2d as dropout2d,
    dropout3d as dropout3d,
    feature_alpha_dropout as feature_alpha_dropout,
    gumbel_softmax as gumbel_softmax,
    rrelu as rrelu,
)
