"""Training in one line, and Keras's four methods: the trainer for a plain network."""

from facula_lightning.learner.history import History
from facula_lightning.learner.learner import Learner, fit

__all__ = ["History", "Learner", "fit"]
