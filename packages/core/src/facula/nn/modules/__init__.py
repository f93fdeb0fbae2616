"""The modules, one family a file."""

from facula.nn.modules.activation import *
from facula.nn.modules.adaptive import *
from facula.nn.modules.attention import *
from facula.nn.modules.container import *
from facula.nn.modules.conv import *
from facula.nn.modules.dropout import *
from facula.nn.modules.linear import *
from facula.nn.modules.loss import *
from facula.nn.modules.normalization import *
from facula.nn.modules.padding import *
from facula.nn.modules.pooling import *
from facula.nn.modules.rnn import *
from facula.nn.modules.shape import *
from facula.nn.modules.sparse import *
from facula.nn.modules.transformer import *
