"""The errors the trainer raises."""


class MisconfigurationException(Exception):
    """Raised when arguments, hooks or data do not fit together."""


class SIGTERMException(SystemExit):
    """Raised in the training loop after the process was asked to end."""
