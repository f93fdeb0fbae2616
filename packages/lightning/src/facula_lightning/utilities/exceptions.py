"""The errors the trainer raises."""


class MisconfigurationException(Exception):
    """Raised when arguments, hooks or data do not fit together."""


class TunerExit(Exception):
    """Raised by a finder of learning rates or batch sizes when no training is to follow: ends a run without an error."""


class SIGTERMException(SystemExit):
    """Raised in the training loop after the process was asked to end."""
