"""Neural networks: modules, parameters, functions, initial values."""

from facula.nn import functional, init, parallel, parameter, utils
from facula.nn.module import Module
from facula.nn.modules import *
from facula.nn.parallel import DataParallel
from facula.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
