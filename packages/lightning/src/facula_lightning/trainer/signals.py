"""Ending a run when the process is asked to: after the batch, with checkpoints saved and loggers written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facula_lightning.utilities.exceptions import SIGTERMException
from facula_lightning.utilities.rank_zero import rank_zero_info

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


@contextmanager
def noting_sigterm(trainer: Trainer) -> Iterator[None]:
    """Let SIGTERM set ``trainer.received_sigterm`` inside the context.

    A program that has a handler of its own keeps it, and only the main thread may have one.
    """
    own = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not own:
        yield
        return

    def note(number: int, frame: object) -> None:
        rank_zero_info("Received SIGTERM: the run ends after this batch")
        trainer.received_sigterm = True

    signal.signal(signal.SIGTERM, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def stop_if_terminated(trainer: Trainer) -> None:
    """Raise SIGTERMException when the process was asked to end."""
    if trainer.received_sigterm:
        trainer.received_sigterm = False
        raise SIGTERMException(128 + signal.SIGTERM)
