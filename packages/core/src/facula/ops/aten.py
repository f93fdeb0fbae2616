"""PyTorch's own functions under the name it has for them, ``torch.ops.aten``."""

from facula.ops.native import *
from facula.ops.torch_signatures import *
