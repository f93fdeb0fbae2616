"""What all callbacks that save checkpoints have in common."""

from facula_lightning.callbacks.callback import Callback


class Checkpoint(Callback):
    """Base of callbacks that save checkpoints: the trainer calls them after all others."""

    watches_metrics = True
