"""Neural networks: modules, parameters, functions, initial values."""

from facula.nn import (
    functional as functional,
    init as init,
    parallel as parallel,
    parameter as parameter,
    utils as utils,
)
from facula.nn.linear_cross_entropy import LinearCrossEntropyOptions as LinearCrossEntropyOptions
from facula.nn.module import Module as Module
from facula.nn.modules import *
from facula.nn.parallel import DataParallel as DataParallel
from facula.nn.parameter import (
    Buffer as Buffer,
    Parameter as Parameter,
    UninitializedBuffer as UninitializedBuffer,
    UninitializedParameter as UninitializedParameter,
)
