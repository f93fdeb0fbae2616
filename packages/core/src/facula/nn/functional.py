"""The functions that modules compute with, under PyTorch's names."""

from facula.nn.multi_head import multi_head_attention_forward
from facula.ops.activation import *
from facula.ops.attention import scaled_dot_product_attention
from facula.ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    unfold,
)
from facula.ops.elementary import sigmoid, tanh
from facula.ops.embedding import embedding, embedding_bag, one_hot
from facula.ops.grid_sampling import affine_grid, grid_sample
from facula.ops.interpolation import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from facula.ops.loss import *
from facula.ops.matmul import bilinear, linear
from facula.ops.normalization import *
from facula.ops.padding import pad
from facula.ops.pooling import *
from facula.ops.random import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gumbel_softmax,
    rrelu,
)
