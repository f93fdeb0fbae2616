"""Ending a run when the process is asked to: after the batch, with checkpoints saved and loggers written."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facula_lightning.trainer.requeue import requeue_signal
from facula_lightning.utilities.exceptions import SIGTERMException
from facula_lightning.utilities.rank_zero import rank_zero_info

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


@contextmanager
def noting_signals(trainer: Trainer) -> Iterator[None]:
    """Let SIGTERM set ``trainer.received_sigterm`` inside the context, and the signal for a requeue ``trainer.received_requeue``.

    A program that has a handler of its own keeps it, and only the main thread may have one.
    """
    notes = {signal.SIGTERM: ("received_sigterm", "the run ends after this batch")}
    requeueing = requeue_signal(trainer)
    if requeueing is not None:
        notes[requeueing] = ("received_requeue", "a checkpoint is saved after this batch, and the job requeued")
    in_main_thread = threading.current_thread() is threading.main_thread()
    own = [number for number in notes if in_main_thread and signal.getsignal(number) is signal.SIG_DFL]

    process = os.getpid()

    def note(number: int, frame: object) -> None:
        if os.getpid() != process:
            # A worker process of a loader has inherited this. It is not the one to save, but is to end when told to.
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        flag, what_follows = notes[signal.Signals(number)]
        rank_zero_info(f"Received {signal.Signals(number).name}: {what_follows}")
        setattr(trainer, flag, True)

    for number in own:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)


def stop_if_terminated(trainer: Trainer) -> None:
    """Raise SIGTERMException when the process was asked to end."""
    if trainer.received_sigterm:
        trainer.received_sigterm = False
        raise SIGTERMException(128 + signal.SIGTERM)
