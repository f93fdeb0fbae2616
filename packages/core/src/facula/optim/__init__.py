"""Optimizers and learning rate schedules."""

from facula.optim import lr_scheduler, swa_utils
from facula.optim.adafactor import Adafactor
from facula.optim.adam import Adam, Adamax, AdamW
from facula.optim.adaptive import Adadelta, Adagrad, RMSprop
from facula.optim.asgd import ASGD
from facula.optim.lbfgs import LBFGS
from facula.optim.muon import Muon
from facula.optim.nadam import NAdam, RAdam
from facula.optim.optimizer import Optimizer
from facula.optim.rprop import Rprop
from facula.optim.sgd import SGD
from facula.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
