"""Names of ``torch`` itself that change nothing here."""

from collections.abc import Callable

Function = Callable[..., object]


def compile(model: Function | None = None, **options: object) -> Function:
    """Return the function or module as it is: eager execution gives what the compiled one would."""
    return (lambda function: function) if model is None else model
